"""English inflection of object names and predicates: articles, plurals, verb forms, numbers in words.

Rules for the head of a noun phrase, with the exceptions that object names need.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

CACHED_NAMES = 20_000
NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_IRREGULAR = {
    **{"person": "people", "man": "men", "woman": "women", "child": "children", "foot": "feet", "tooth": "teeth"},
    **{"goose": "geese", "mouse": "mice", "ox": "oxen", "policeman": "policemen", "fireman": "firemen"},
    **{"knife": "knives", "leaf": "leaves", "loaf": "loaves", "shelf": "shelves", "wolf": "wolves", "calf": "calves"},
    **{"half": "halves", "scarf": "scarves", "potato": "potatoes", "tomato": "tomatoes", "bookshelf": "bookshelves"},
    **{"snowman": "snowmen", "fisherman": "fishermen", "businessman": "businessmen", "gentleman": "gentlemen"},
}
_SAME = {"sheep", "deer", "fish", "aircraft", "series", "moose", "bison", "salmon", "shrimp", "squid", "offspring"}
_PLURALS = set(_IRREGULAR.values()) | {"skis", "cattle", "dice"}
_SINGULAR_IN_S = {
    *("lens", "gas", "canvas", "atlas", "christmas", "alias", "bias", "series", "species", "molasses", "asparagus")
}
_MASS = {
    *("grass", "sky", "water", "sand", "snow", "food", "hair", "furniture", "rice", "clothing", "bread", "sugar"),
    *("salt", "meat", "butter", "cheese", "milk", "coffee", "tea", "juice", "ice", "dirt", "mud", "gravel", "soil"),
    *("smoke", "fog", "luggage", "baggage", "equipment", "graffiti", "money", "paint", "wood", "metal", "glassware"),
    *("silverware", "cutlery", "jewelry", "paper", "wine", "beer", "soup", "vegetation", "foliage", "seaweed", "fur"),
    *("pasta", "spaghetti", "popcorn", "lettuce", "broccoli", "corn", "ketchup", "mustard", "pepper", "asphalt"),
    *("beef", "pork", "bacon", "ham", "cream", "yogurt", "chocolate", "honey", "jam", "jelly", "dough"),
    *("flour", "oil", "gasoline", "steel", "cotton", "wool", "leather", "plastic", "cardboard", "tape", "string"),
    *("underwear", "footwear", "headwear", "sportswear", "makeup", "shampoo", "soap", "toothpaste"),
    *("tissue", "cereal", "oatmeal", "salad", "sushi", "seafood", "garbage", "trash", "scenery", "ground", "ivy"),
    *("concrete", "traffic", "fruit", "skin", "terrain", "pavement", "rubble", "moss", "hay", "straw"),
}
_VOWEL_SOUND = re.compile(r"(?:[aeio]|u(?!ni|se|te|ku|ra|ro)|hour|honest|heir|[fhlmnrsx]-)", re.IGNORECASE)
_BASE_VERBS = {
    *("wear", "have", "hold", "ride", "carry", "eat", "look", "watch", "walk", "play", "use", "hang", "lie", "lean"),
    *("face", "cover", "touch", "hit", "catch", "throw", "pull", "push", "follow", "surround", "contain", "fly", "run"),
    *("swing", "sit", "stand", "drive", "read", "drink", "support", "cross", "jump", "cut", "feed", "lay", "line"),
}
_PREPOSITIONS_IN_S = {"across", "towards", "as", "alongside", "besides", "versus", "upstairs", "downstairs"}


@lru_cache(CACHED_NAMES)
def is_plural(name: str) -> bool:
    """Whether a name is plural or a plurale tantum: "scissors", "people", "wheels of a car".

    >>> [is_plural(name) for name in ("scissors", "people", "bus", "wine glass", "skis", "lens")]
    [True, True, False, False, True, False]
    """
    head = _head(name)[1].lower()
    if head in _PLURALS:
        return True
    return head.endswith("s") and not head.endswith(("ss", "us", "is")) and head not in _SINGULAR_IN_S


@lru_cache(CACHED_NAMES)
def plural(name: str) -> str:
    """The plural of a name: its head, the last word or the one before "of", is inflected.

    >>> [plural(name) for name in ("dog", "fire hydrant", "leg of a table", "knife", "bus", "scissors", "cherry")]
    ['dogs', 'fire hydrants', 'legs of a table', 'knives', 'buses', 'scissors', 'cherries']
    """
    if is_plural(name):
        return name
    before, head, after = _head(name)
    lower = head.lower()
    if lower in _SAME:
        inflected = head
    elif lower in _IRREGULAR:
        inflected = _IRREGULAR[lower]
    elif re.search(r"[^aeiou]y$", lower):
        inflected = head[:-1] + "ies"
    elif lower.endswith(("s", "x", "z", "ch", "sh")):
        inflected = head + "es"
    else:
        inflected = head + "s"
    return before + inflected + after


@lru_cache(CACHED_NAMES)
def with_article(name: str, mass: bool = False) -> str:
    """The name with an indefinite article; plurals and mass nouns take none.

    >>> [with_article(name) for name in ("dog", "orange", "hour glass", "unicycle", "scissors", "grass")]
    ['a dog', 'an orange', 'an hour glass', 'a unicycle', 'scissors', 'grass']
    """
    if mass or is_mass(name) or is_plural(name):
        return name
    return f"{'an' if _VOWEL_SOUND.match(name) else 'a'} {name}"


def is_mass(name: str) -> bool:
    """Whether a name is a mass noun: "snow", "orange juice"."""
    return _head(name)[1].lower() in _MASS


def name_words(name: str, slot: str = "name", mass: bool = False) -> dict[str, str]:
    """The slot values of a name in a wording: <name>, <a name>, <names>, and <is name>, ... that agree with it.

    >>> name_words("dog")["a name"], name_words("skis")["it is name"], name_words("dog", "other")["others"]
    ('a dog', 'they are', 'dogs')
    """
    several = is_plural(name)
    return {
        slot: name,
        f"a {slot}": with_article(name, mass),
        f"{slot}s": name if mass else plural(name),
        f"is {slot}": "are" if several else "is",
        f"does {slot}": "do" if several else "does",
        f"it is {slot}": "they are" if several else "it is",
        f"that is {slot}": "those are" if several else "that is",
    }


def counted(count: int, name: str) -> str:
    """
    >>> counted(1, "dog"), counted(3, "knife"), counted(40, "bus")
    ('one dog', 'three knives', '40 buses')
    """
    number = NUMBERS[count] if count < len(NUMBERS) else str(count)
    return f"{number} {name if count == 1 else plural(name)}"


def listed(items: Sequence[str]) -> str:
    """
    >>> listed(["a cat"]), listed(["a cat", "a dog", "grass"])
    ('a cat', 'a cat, a dog and grass')
    """
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def verb_of(predicate: str, several: bool = False) -> str:
    """A predicate as the verb of a sentence with a singular or a plural subject.

    >>> [verb_of(p) for p in ("riding", "on top of", "has", "wear", "is near", "of", "carries", "attached to")]
    ['is riding', 'is on top of', 'has', 'wears', 'is near', 'belongs to', 'carries', 'is attached to']
    >>> [verb_of(p, several=True) for p in ("riding", "has", "wears", "carry", "of")]
    ['are riding', 'have', 'wear', 'carry', 'belong to']
    """
    words = predicate.lower().split()
    if not words:
        return "are" if several else "is"
    first, rest = words[0], words[1:]
    if words == ["of"]:
        first, rest = "belongs", ["to"]
    if first in ("is", "are", "be"):
        first = "are" if several else "is"
    elif first in _BASE_VERBS:
        first = first if several else _third_person(first)
    elif first.endswith("s") and not first.endswith("ss") and first not in _PREPOSITIONS_IN_S:
        first = _BASE_FORMS.get(first, first[:-1]) if several else first
    else:
        first, rest = ("are" if several else "is"), words
    return " ".join([first, *rest])


def _head(name: str) -> tuple[str, str, str]:
    """A noun phrase as what is before its head, the head, and what is after: ("", "leg", " of a table")."""
    match = re.match(r"(?P<before>.*?)(?P<head>[^\s]+)(?P<after>\s+(?:of|in|on|with|for|to|from)\s.*)?$", name)
    return (match["before"], match["head"], match["after"] or "") if match else ("", name, "")


def _third_person(verb: str) -> str:
    if verb == "have":
        return "has"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "ch", "sh", "o")) else "s")


_BASE_FORMS = {_third_person(base): base for base in _BASE_VERBS}


_PRONOUNS = """it they them one ones this that these those he she him her his its their other others each all both
    which something everything object objects object objects item items"""
_PEOPLE = """person man woman boy girl child kid baby toddler adult teenager lady gentleman guy someone somebody player
    rider surfer skier skateboarder snowboarder skater batter catcher pitcher umpire referee driver cyclist pedestrian
    worker chef cook waiter waitress passenger customer diner shopper spectator guest bride groom couple crowd family
    mother father parent friend officer policeman fireman soldier student teacher musician singer performer photographer
    farmer fisherman athlete figure"""
PRONOUNS = frozenset(_PRONOUNS.split())
"""Words that may stand for any object."""
PEOPLE = frozenset(_PEOPLE.split()) | frozenset(map(plural, _PEOPLE.split()))
MIN_COMPOUND = 4  # letters of a noun that may be the end of a longer word: "shelf" of "bookshelf"
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_BEFORE_REST = re.compile(
    r"\s+(?:of|in|on|with|for|to|from|at|by|and|that|who|which|holding|wearing)\s|[,(/]", re.IGNORECASE
)


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case.

    >>> words_of("A well-lit room, 3 chairs")
    ['a', 'well-lit', 'room', 'chairs']
    """
    return [word.lower() for word in _WORD.findall(text)]


@lru_cache(CACHED_NAMES)
def head_noun(name: str) -> str:
    """The noun that a name is about, in lower case; nothing for a name without words.

    >>> head_noun("traffic light"), head_noun("leg of a dog"), head_noun("cup (for tea)")
    ('light', 'leg', 'cup')
    """
    words = words_of(_BEFORE_REST.split(name.strip(), maxsplit=1)[0]) or words_of(name)
    return words[-1] if words else ""


@lru_cache(CACHED_NAMES)
def same_noun(first: str, second: str) -> bool:
    """Whether two nouns are the same but for number, or one is the end of the other.

    >>> same_noun("dogs", "dog"), same_noun("shelf", "bookshelves"), same_noun("cat", "dog"), same_noun("ear", "bear")
    (True, True, False, False)
    """
    if not first or not second:
        return False
    first, second = plural(first), plural(second)
    short, long = sorted((first, second), key=len)
    return first == second or (len(short) > MIN_COMPOUND and long.endswith(short))


def names_object(phrase: str, names: Iterable[str]) -> bool:
    """Whether a phrase can mean an object that has these names.

    >>> names_object("the tall skateboarder", ["person"]), names_object("them", ["dog"]), names_object("a cat", ["dog"])
    (True, True, False)
    """
    words = words_of(phrase)
    if words and words[-1] in PRONOUNS:
        return True
    heads = {head_noun(name) for name in names}
    if not PEOPLE.isdisjoint(heads) and not PEOPLE.isdisjoint(words):
        return True
    return any(same_noun(word, head) for word in words for head in heads)
