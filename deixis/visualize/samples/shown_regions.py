"""What of a sample is shown: which fields of which regions its texts mention, and the texts in pieces with colours.

It draws nothing: cards and pages do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deixis.geometry import Reference, Region, Text, parse_markup
from deixis.geometry.regions import REGION_FORMS
from deixis.samples.consistency import FIELDS_BEHIND
from deixis.samples.sample import Sample, Turn
from deixis.visualize.samples.media_panels import Shown

# What is drawn for a reference without a form, first found first: a question points with the finest form there is,
# an answer gives the form that a model writes (deixis.geometry.write_answer).
_IN_QUESTION = REGION_FORMS
_IN_ANSWER = ("box", "span", "mask", "points", "box3d", "point")


def and_more(count: int, word: str) -> str:
    """The line that counts what is not shown.

    >>> and_more(1, "turn"), and_more(3, "signal")
    ('and 1 more turn', 'and 3 more signals')
    """
    return f"and {count} more {word}{'s' * (count != 1)}"


@dataclass(frozen=True)
class Piece:
    """A segment of text. indices: the regions it refers to; None: plain text; (): a phrase without a region."""

    text: str
    indices: tuple[int, ...] | None = None


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of a marked-up text, in order."""
    for piece in parse_markup(text):
        yield Piece(piece.text) if isinstance(piece, Text) else Piece(piece.phrase or "", piece.indices)


def shown_regions(sample: Sample, turns: Sequence[Turn]) -> list[list[Shown]]:
    """For each signal of the sample, its regions that the turns mention, by their numbers."""
    fields: dict[int, tuple[str, ...]] = {}
    for turn in turns:
        for text, order in ((turn.user, _IN_QUESTION), (turn.assistant, _IN_ANSWER)):
            for index, form in _mentions(text):
                if found := _first(sample.regions[index], form, order):
                    fields[index] = tuple(dict.fromkeys((*fields.get(index, ()), found)))
    return [
        [
            Shown(n, sample.regions[n], names)
            for n, names in sorted(fields.items())
            if sample.regions[n].signal == number
        ]
        for number in range(len(sample.signals))
    ]


def _mentions(text: str) -> Iterator[tuple[int, str | None]]:
    """(region, form) of every mention in a text."""
    for piece in parse_markup(text):
        if isinstance(piece, Reference):
            yield from ((index, piece.form) for index in piece.indices)


def _first(record: Region, form: str | None, order: tuple[str, ...]) -> str | None:
    return next((name for name in (FIELDS_BEHIND[form] if form else order) if getattr(record, name) is not None), None)
