"""What of a sample is shown: which fields of which regions its texts mention, and the texts in pieces with colours.

It draws nothing: cards and pages do.
"""

from collections.abc import Iterator, Sequence

from deixis.geometry import Reference, Text, parse_markup
from deixis.geometry.regions import REGION_FORMS
from deixis.samples.consistency import FIELDS_BEHIND
from deixis.samples.sample import Sample, Turn
from deixis.visualize.samples.media_panels import Shown

# What is drawn for a reference without a form, first found first: a question points with the finest form there is
# (REGION_FORMS), an answer gives the form that a model writes (deixis.geometry.write_answer).
_IN_ANSWER = ("box", "span", "mask", "points", "box3d", "point")


def modalities_of(sample: Sample) -> str:
    """The modalities of a sample's signals in words, without repeats: "image", "image + audio", "text".

    >>> modalities_of(Sample("a", "s", "talk", "train", ()))
    'text'
    """
    return " + ".join(dict.fromkeys(medium.modality.replace("_", " ") for medium in sample.signals)) or "text"


def and_more(count: int, word: str) -> str:
    """The line that counts what is not shown.

    >>> and_more(1, "turn"), and_more(3, "signal")
    ('and 1 more turn', 'and 3 more signals')
    """
    return f"and {count} more {word}{'s' * (count != 1)}"


def pieces(text: str) -> Iterator[tuple[str, tuple[int, ...] | None]]:
    """(words, indices) of a marked-up text in order: the regions referred to, None in plain text, () for none."""
    for piece in parse_markup(text):
        yield (piece.text, None) if isinstance(piece, Text) else (piece.phrase or "", piece.indices)


def shown_regions(sample: Sample, turns: Sequence[Turn]) -> list[list[Shown]]:
    """For each signal of the sample, its regions that the turns mention, by their numbers."""
    fields: dict[int, tuple[str, ...]] = {}
    for turn in turns:
        for text, order in ((turn.user, REGION_FORMS), (turn.assistant, _IN_ANSWER)):
            for reference in (piece for piece in parse_markup(text) if isinstance(piece, Reference)):
                for index in reference.indices:
                    names = FIELDS_BEHIND[reference.form] if reference.form else order
                    found = [name for name in names if getattr(sample.regions[index], name) is not None]
                    fields[index] = tuple(dict.fromkeys((*fields.get(index, ()), *found[:1])))
    # A region of a signal that is not there is not drawn: the page shows damaged samples, too.
    shown = [Shown(index, sample.regions[index], names) for index, names in sorted(fields.items()) if names]
    return [[one for one in shown if one.region.signal == number] for number in range(len(sample.signals))]
