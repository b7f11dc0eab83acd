"""Whether a text that a language model wrote can be trained on: its marks, its names, and what it may not speak of.

Every check raises ValueError that begins with the field, which is also the complaint that the writer
gets. It knows a scene, but no prompt and no kind of sample.
"""

import re
from collections.abc import Mapping

from deixis.errors import DataError, DeixisError
from deixis.geometry import Reference, Text, parse_markup, without_references
from deixis.language.english import names_object, words_of
from deixis.samples.consistency import shown
from deixis.synthesis.text.scene_text import Scene

Pieces = list[Text | Reference]

_NUMBER = r"\d+(?:\.\d+)?"
_BETWEEN = r"(?:\s*[,;]\s*|\s+)"
_COORDINATES = re.compile(
    rf"{_NUMBER}(?:{_BETWEEN}{_NUMBER}){{3}}|[(\[<]\s*{_NUMBER}\s*[,;]\s*{_NUMBER}|(?<![\d.])0?\.\d{{2,}}"
    r"|\bcoordinates?\b|\bbounding box|\bbbox|\bpixels?\b|\b[xy][12]?\s*=\s*\d",
    re.IGNORECASE,
)
_BARE_NUMBER = re.compile(r"\b(?:thing|object|item|region|box|area)s?\s*#?\d+", re.IGNORECASE)
_SOURCE = re.compile(
    r"\bcaptions?\b|\bannotat\w+|\bmetadata\b|\bJSON\b|\bas an AI\b|\blanguage model\b"
    r"|\bI (?:cannot|can't|can not) see\b"
    r"|\b(?:given|provided) (?:list|descriptions?|information|data|scene)\b"
    r"|\baccording to the (?:list|descriptions?|information|data|relations?)\b|\bis (?:listed|numbered)\b",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:the|this|that|these|those) (?:marked|highlighted|indicated|outlined|selected) \w+"
    r"|\b(?:this|that) (?:region|area|box)\b",
    re.IGNORECASE,
)


def written(where: str, record: Mapping, field: str, scene: Scene, most_words: int) -> Pieces:
    """The pieces of a field that holds marked text, checked by all that holds for questions and answers alike."""
    value, where = record.get(field), f"{where}.{field}"
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: expected text, got {shown(value)}")
    pieces = pieces_of(where, value.strip(), scene)
    check_prose(where, pieces, most_words)
    check_names(where, pieces, scene)
    return pieces


def pieces_of(where: str, text: str, scene: Scene) -> Pieces:
    """The pieces of a marked text whose numbers are all in the scene, without forms and empty marks."""
    try:
        pieces = parse_markup(text)
    except DeixisError as error:
        raise DataError(f"{where}: {error}") from None
    for reference in references(pieces):
        if reference.form is not None or not reference.indices:
            raise DataError(f"{where}: expected numbers of things alone in braces, as in {{3}}, got {shown(text)}")
        for number in reference.indices:
            if number >= len(scene.shown):
                last = len(scene.shown) - 1
                raise DataError(f"{where}: {{{number}}} is no thing of this picture: their numbers go from 0 to {last}")
        if len(set(reference.indices)) != len(reference.indices):
            raise DataError(f"{where}: expected each number once in a mark, got {shown(text)}")
    return pieces


def check_prose(where: str, pieces: Pieces, most_words: int) -> None:
    """Neither empty nor too long; no coordinates, no numbers of objects outside braces, nothing of its own making."""
    words = len(words_of(without_references(pieces)))
    if words > most_words:
        raise DataError(f"{where}: expected at most {most_words} words, got {words}")
    if words < 1 and not references(pieces):
        raise DataError(f"{where}: expected words, got {shown(without_references(pieces))}")
    for piece in pieces:
        text = piece.text if isinstance(piece, Text) else piece.phrase or ""
        if match := _COORDINATES.search(text):
            raise DataError(f"{where}: expected no coordinates, got {match[0]!r}")
        if match := _BARE_NUMBER.search(text):
            raise DataError(f"{where}: expected things by number in braces alone, got {match[0]!r}")
        if match := _SOURCE.search(text):
            raise DataError(f"{where}: expected words on what is seen, not on where they come from, got {match[0]!r}")


def check_names(where: str, pieces: Pieces, scene: Scene) -> None:
    """Every phrase names the objects it carries."""
    for reference in references(pieces):
        for number in reference.indices:
            if reference.phrase is not None and not names_object(reference.phrase, scene.names(number)):
                name = scene.obj(number).name
                raise DataError(f"{where}: [{reference.phrase}]{{{number}}} does not name thing {number}, {name!r}")


def check_answer(where: str, pieces: Pieces) -> None:
    """Objects are named where they are marked: an answer says what it points at."""
    for reference in references(pieces):
        if reference.phrase is None:
            raise DataError(f"{where}: expected a name in front of each mark, as in [a dog]{{3}}, got a bare mark")


def check_question(where: str, pieces: Pieces) -> None:
    """A question that speaks of something marked marks it."""
    match = _POINTING.search(without_references(pieces))
    if match and not references(pieces):
        raise DataError(f"{where}: expected the number in braces of what is meant by {match[0]!r}, got none")


def references(pieces: Pieces) -> list[Reference]:
    return [piece for piece in pieces if isinstance(piece, Reference)]
