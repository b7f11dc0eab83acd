"""Whether a phrase can name an object, by the head nouns of the object's names in singular or plural.

    "a red mug"  names  mug          "two tall dogs"  names  dog          "the rider"  names  person

Based on short word lists, not a parser.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from deixis.language.english import CACHED_NAMES, plural

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
