"""Noun phrases around known object names in a text, and their number, by rules and without a parser.

    "two small dogs and a red car are parked"   with  dog, car   ->   "two small dogs" (2), "a red car" (1)

Precision over recall: a noun inside a longer name ("car door"), negated ("no dog", "without a dog") or partitive
("some of the dogs", "another dog") is not returned.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deixis.language.english import NUMBERS, plural

LONGEST_NAME = 4  # words
MAX_DESCRIBING = 2  # unknown words allowed between an article and a noun
LOOK_BACK = 6  # words before the noun in which a negation applies


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.;:!?\n]")
ARTICLES = _words("""a an the this that these those its his her their my your our single lone only several many multiple
    numerous various all both""")
LOOKS = _words("""red orange yellow green blue purple pink brown black white grey gray silver golden dark light bright
    colorful colourful big large huge small little tiny tall short long old young new wooden metal plastic leather
    striped round empty full open closed parked nearby same first second main""")
APART = _words("""no not never without neither nor any another other others each every either which what whose some few
    most different next more additional second third like than""")
FOLLOWS = _words("""and or but nor so yet while as than then if because although though since when where who whom whose
    which that is are was were be been being has have had can could will would may might must should do does did a an
    the this these those its his her their he she it they we you one two three some all both each there here of in on at
    by to from with without near next behind beside besides under above below over between among around through along
    across past against inside outside within onto into toward towards off up down for about like during sit sits stand
    stands lie lies lay lays hold holds wear wears ride rides look looks appear appears seem seems play plays walk walks
    run runs eat eats drink drinks carry carries watch watches rest rests hang hangs face faces fly flies make makes
    give gives take takes get gets go goes come comes move moves use uses show shows include includes contain contains
    suggest suggests indicate indicates add adds create creates provide provides occupy occupies see sees chase chases
    jump jumps stare stares lean leans sleep sleeps wait waits swim swims float floats pull pulls push pushes reach
    reaches catch catches hit hits throw throws kick kicks cross crosses drive drives pass passes point points smile
    smiles try tries want wants need needs enjoy enjoys help helps serve serves know knows also just still not both
    together too only even now currently either itself themselves himself herself visible present nearby parked seated
    placed located positioned scattered full ready busy such rather""")
NEGATIONS = _words("no not never without nor neither lacks lack absence cannot")
# nouns that are not passed to a detector
NON_OBJECTS = _words("""image image photo photograph scene background foreground side left right top bottom middle
    center centre front back corner edge end group pair couple variety number lot part rest set row series line mix
    array bunch way reason purpose time day moment fact position direction distance view focus color colour shape size
    presence sense atmosphere environment setting situation activity event action possibility idea example case kind
    type""")
# nouns with a verb's or an adverb's ending
NOUNS = _words("""building ceiling clothing railing wedding painting parking landing lighting crossing clearing opening
    drawing string evening morning meeting family butterfly lily belly jelly""")
TURNS = _words("but however while")
ENDS_MODIFIERS = FOLLOWS | APART
_VERB_FORM = re.compile(r"\w*[aeiouy]\w*(?:ing|[^e]ed|[^e]ly)")
"""Verbs and adverbs by their ending, `NOUNS` excepted."""
_PARTLY = re.compile(
    r"\b(?:some|one|most|many|few|none|each|either|neither|any|part|half|rest|majority|two|three|\d+) of\s*$",
    re.IGNORECASE,
)
_PAIR = re.compile(r"\b(?:couple|pair) of\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class NounPhrase:
    """text[start:end] names `name`. count: of the objects referred to; None: several, an unstated number."""

    start: int
    end: int
    name: str
    count: int | None


def forms_of(names: Mapping[str, str]) -> dict[str, str]:
    """Lower-case singular and plural forms -> name. names: alias -> name."""
    forms: dict[str, str] = {}
    for called, name in names.items():
        forms.setdefault(called.lower(), name)
        forms.setdefault(plural(called).lower(), name)
    return forms


def guessed_names(text: str) -> list[str]:
    """Candidate object names without a vocabulary: the nouns after articles and numbers, each once.

    >>> guessed_names("In the image, two small dogs chase a tennis ball past the gate of his house.")
    ['dogs', 'tennis ball', 'gate', 'house']
    """
    words = list(_WORD.finditer(text))
    names: dict[str, None] = {}
    for number, word in enumerate(words):
        if not _is_article(word[0].lower()):
            continue
        run = []
        for ahead in range(number + 1, min(number + 1 + LONGEST_NAME + len(run), len(words))):
            next_word = words[ahead][0].lower()
            if not _adjacent(text, words[ahead - 1], words[ahead]) or (
                _may_follow(next_word) and next_word not in LOOKS
            ):
                break
            run += [next_word] if run or next_word not in LOOKS else []
        run = run[:-1] if len(run) == 2 and run[0] == plural(run[0]) else run  # "dogs chase": a verb after a plural
        if run and not NON_OBJECTS.intersection(run):
            names[" ".join(run)] = None
    return [name for name in names if not any(name == plural(other) != other for other in names)]


def noun_phrases(text: str, forms: Mapping[str, str]) -> Iterator[NounPhrase]:
    """The phrases of a text that certainly name something in `forms`, in order; the longest name wins.

    >>> text = "A man walks two small dogs past a car door. There is no cat, but a red car."
    >>> forms = forms_of({name: name for name in ("dog", "cat", "car")})
    >>> [(text[found.start : found.end], found.count) for found in noun_phrases(text, forms)]
    [('two small dogs', 2), ('a red car', 1)]
    """
    words = list(_WORD.finditer(text))
    number = 0
    while number < len(words):
        length = _longest(words, number, text, forms)
        if not length:
            number += 1
            continue
        found = _phrase(words, number, number + length, text, forms)
        if found is not None:
            yield found
        number += length


def _longest(words: list[re.Match], first: int, text: str, forms: Mapping[str, str]) -> int:
    """The number of words from `first` on that form a name; 0 if none."""
    for length in range(min(LONGEST_NAME, len(words) - first), 0, -1):
        last = words[first + length - 1]
        if text[words[first].start() : last.end()].lower() in forms:
            return length
    return 0


def _phrase(words: list[re.Match], first: int, stop: int, text: str, forms: Mapping[str, str]) -> NounPhrase | None:
    """The noun phrase around the name words[first:stop]; None if it is ambiguous."""
    noun = text[words[first].start() : words[stop - 1].end()].lower()
    is_plural_form = noun != forms[noun].lower()  # "dogs chase": a plural noun is not part of a longer name
    is_followed = stop < len(words) and _adjacent(text, words[stop - 1], words[stop])
    if is_followed and not is_plural_form and not _may_follow(words[stop][0]):
        return None
    start = _start(words, first, text, forms)
    before = _before(words, start, text)
    number = _number(before)
    while _is_article(_before(words, start, text)):
        start -= 1
    if before in APART or _before(words, start, text) in APART or _is_negated(words, start, text):
        return None
    leading = text[: words[start].start()]
    if _PARTLY.search(leading):
        return None
    if number is None and (before == "both" or _PAIR.search(leading)):
        number = 2
    elif number is None and noun != plural(noun):
        number = 1
    return NounPhrase(words[start].start(), words[stop - 1].end(), forms[noun], number)


def _start(words: list[re.Match], first: int, text: str, forms: Mapping[str, str]) -> int:
    """The first modifier of a noun: known adjectives, and after an article a few other words ("a baby elephant")."""
    start = first
    while _before(words, start, text) in LOOKS:
        start -= 1
    for further in range(start, start - MAX_DESCRIBING - 1, -1):
        before = _before(words, further, text)
        if _is_article(before):
            return further
        if not before or before in ENDS_MODIFIERS or before in forms or before.endswith("ing"):
            break
    return start


def _is_article(word: str) -> bool:
    return word in ARTICLES or _number(word) is not None


def _before(words: list[re.Match], number: int, text: str) -> str:
    """The adjacent preceding word in lower case; empty at the start and after punctuation."""
    return words[number - 1][0].lower() if number > 0 and _adjacent(text, words[number - 1], words[number]) else ""


def _number(word: str) -> int | None:
    if word.isdigit():
        return int(word)
    return NUMBERS.index(word) if word in NUMBERS else None


def _adjacent(text: str, one: re.Match, two: re.Match) -> bool:
    """Whether two words are separated by a single space."""
    return text[one.end() : two.start()] == " "


def _may_follow(word: str) -> bool:
    """Whether a word after a noun begins a new phrase, so that the noun is not part of a compound.

    >>> [_may_follow(word) for word in ("and", "parked", "bed", "running", "ring", "quietly", "family", "door")]
    [True, True, False, True, False, True, False, False]
    """
    word = word.lower()
    return word in FOLLOWS or (word not in NOUNS and _VERB_FORM.fullmatch(word) is not None)


def _is_negated(words: list[re.Match], first: int, text: str) -> bool:
    """Whether a negation precedes a word in the same sentence."""
    for number in range(first - 1, max(0, first - LOOK_BACK) - 1, -1):
        word = words[number][0].lower().replace("’", "'")
        if word in TURNS or _SENTENCE_END.search(text, words[number].end(), words[number + 1].start()):
            return False
        if word in NEGATIONS or word.endswith("n't"):
            return True
    return False
