"""What an answer's text states: names of a vocabulary, yes or no, a count; by whole words, case ignored."""

import re
from collections.abc import Iterable

NUMBER_WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ZERO_WORDS = ("no", "zero", "nothing")


def find_names(text: str, vocabulary: Iterable[str]) -> list[str]:
    """The names of `vocabulary` in a text, as whole words, in the order of the text, repeats included.

    >>> find_names("A Red mug, not a redder carpet.", ["red", "mug", "car"])
    ['red', 'mug']
    """
    # Longest first: an alternation takes the first name that matches, and "home office" contains "office".
    names = "|".join(sorted(map(re.escape, vocabulary), key=len, reverse=True))
    return re.findall(rf"\b(?:{names})\b", text.lower()) if names else []


def name_match(text: str, name: str, vocabulary: Iterable[str]) -> float:
    """1 if the text contains `name` as a whole word and no other name of the vocabulary, else 0.

    So an answer that lists every name is wrong. Words outside the vocabulary are ignored.

    >>> name_match("A red mug.", "mug", ["mug", "car"]), name_match("A mug or a car.", "mug", ["mug", "car"])
    (1.0, 0.0)
    """
    return float(set(find_names(text, {name, *vocabulary})) == {name})


def parse_yes_no(text: str) -> str | None:
    """ "yes" or "no", whichever the text contains as a whole word; None if it contains neither or both."""
    found = set(find_names(text, ("yes", "no")))
    return found.pop() if len(found) == 1 else None


def parse_count(text: str) -> int | None:
    """The number in a text, as digits or as a word up to ten; None if there is none or more than one.

    >>> parse_count("Two."), parse_count("There are 12 mugs."), parse_count("None."), parse_count("One or two.")
    (2, 12, 0, None)
    """
    values = {word: number for number, word in enumerate(NUMBER_WORDS)} | dict.fromkeys(ZERO_WORDS, 0)
    found = {values[word] for word in find_names(text, values)} | set(map(int, re.findall(r"\b[0-9]{1,6}\b", text)))
    return found.pop() if len(found) == 1 else None
