"""Which words a mark belongs to, where a notation does not say: the noun phrase in front of it.

    The man [..] is holding a red cup [..], and it is [..].      ->      The man | a red cup | it

A rule for short English answers, not a parser: the words since the last mark and the last punctuation; of these, the
ones behind the last verb or conjunction of a short list (verbs that touch the mark are skipped: "it is [..]"); of
these, without prepositions and, inside a sentence, "-ing" words at the front. What is left may be nothing.
"""

import re

_WORD = re.compile(r"\S+")
_STOP = re.compile(r"[.,;:!?()\[\]{}\"“”\n]|\s[-–—]\s")
_CLOSING = " \t\n:\"”'’)"  # may stand between the words and the mark
_VERBS = """am is are was were be been has have had can could will would may might must should do does did
    show shows see sees find contain contains include includes hold holds wear wears sit sits stand stands lie lies"""
_CONJUNCTIONS = "and or but while whereas that which who where because as if so then there here"
_PREPOSITIONS = """about above across after against along around at before behind below beneath beside between beyond
    by down for from in inside into near next of off on onto out over through to toward towards under up upon with
    within"""
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S)")


def object_name(phrase: str) -> str:
    """The name of the object in a phrase: lower case, without article and full stop.

    >>> object_name("A red mug."), object_name("The")
    ('red mug', 'the')
    """
    return _ARTICLE.sub("", " ".join(phrase.casefold().split()).rstrip(".!"))


def words_before(text: str, start: int) -> tuple[int, int]:
    """(start, end) of the words in ``text[start:]`` that a mark at its end belongs to; equal where there are none.

    >>> text = "Sure, the mug is"
    >>> first, last = words_before(text, 0)
    >>> text[first:last]
    'the mug'
    """
    end = len(text[start:].rstrip(_CLOSING)) + start
    stops = [stop.end() for stop in _STOP.finditer(text, start, end)]
    inside = start > 0  # a sentence that goes on after a mark
    if stops:
        start, inside = stops[-1], False
    words = list(_WORD.finditer(text, start, end))
    while words and _is(words[-1], _VERBS):
        words.pop()
    for index in reversed(range(len(words))):
        if _is(words[index], f"{_VERBS} {_CONJUNCTIONS}"):
            words, inside = words[index + 1 :], True
            break
    while words and (_is(words[0], _PREPOSITIONS) or (inside and len(words) > 1 and words[0][0].endswith("ing"))):
        words.pop(0)
    return (words[0].start(), words[-1].end()) if words else (len(text), len(text))


def _is(word: re.Match, known: str) -> bool:
    return word[0].lower() in known.split()
