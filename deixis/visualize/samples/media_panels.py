"""The signals of samples as small images with their regions.

Turns records of the sample format into regions; `deixis.visualize.panels.panel` draws them. It opens files, and takes
nothing for granted: what cannot be opened or drawn becomes a note.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from deixis.errors import DeixisError
from deixis.geometry import Reference, Region, Text, check_region, parse_markup
from deixis.geometry.regions import REGION_FORMS
from deixis.samples.consistency import FIELDS_BEHIND
from deixis.samples.media import open_media
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.signals import MODALITIES, Signal
from deixis.visualize.canvas import (
    CHIP_TEXT_PX,
    GREY,
    LINE_HEIGHT,
    PALETTE,
    Colour,
    flow,
    text_font,
    words_of,
)
from deixis.visualize.panels import panel as panels
from deixis.visualize.raster import draw_line, to_image

WIDTH_PX = 256
"""Of a panel on a contact sheet."""
TALLEST = 2.5
"""Maximum height of an image in its widths; a taller one is drawn narrower."""
BLANK_HEIGHT = 0.4
"""Of a panel that stands for what cannot be drawn, in its widths."""
BLANK: Colour = (240, 241, 245)
WARNING: Colour = (176, 42, 42)
NOTE_TEXT_PX, NOTE_LINES = 12, 5


@dataclass(frozen=True)
class Shown:
    """One region to draw: its number in the sample, the region, and which of its forms to draw."""

    number: int
    region: Region
    fields: tuple[str, ...]

    @property
    def colour(self) -> Colour:
        return colour_of(self.number)

    def drawn(self) -> Iterator[panels.Drawn]:
        """The forms as regions to draw, labelled with the number of the region."""
        for field in self.fields:
            yield panels.Drawn(self.region.only(field), str(self.number), self.colour)


@dataclass(frozen=True)
class Panel:
    """A drawn medium. blank: a sentence, if nothing of it could be drawn. notes: sentences on what else is wrong.

    audio: its samples, float32 (samples,) at 16 kHz; None for other modalities.
    """

    image: Image.Image
    blank: str | None = None
    notes: tuple[str, ...] = ()
    audio: np.ndarray | None = None


def colour_of(number: int) -> Colour:
    """The colour of a region by its number, the same wherever the sample is shown."""
    return PALETTE[number % len(PALETTE)]


def panel(
    medium: MediaReference, regions: Sequence[Shown], width_px: int = WIDTH_PX, chip_px: int = CHIP_TEXT_PX
) -> Panel:
    """A signal with its regions as an RGB image, at most `width_px` wide; a blank with a sentence if it cannot be.

    Opens the medium's file if it has no values.
    """
    try:
        with open_media(medium) as signal:
            return _drawn(signal, medium, regions, width_px, chip_px)
    except (DeixisError, OSError, ImportError) as error:
        return _blank(str(error), width_px)


def _drawn(signal: Signal, medium: MediaReference, regions: Sequence[Shown], width_px: int, chip_px: int) -> Panel:
    """A signal with those of the regions that lie on it. Raises InputError if no panel draws it."""
    notes = list(_size_notes(medium, signal.extent.size_hw))
    drawn = []
    for shown in regions:
        try:
            own = list(shown.drawn())
            for item in own:
                check_region(item.region, signal.extent)
            drawn += own
        except DeixisError as error:
            notes.append(f"region {shown.number} is not drawn: {error}")
    drawing = panels.panel(signal, drawn, panels.PanelSize(_width(signal, width_px), chip_px=chip_px))
    image = to_image(drawing)
    return Panel(image, None, tuple(notes), signal.values if MODALITIES[signal.modality].can_play else None)


def _width(signal: Signal, width_px: int) -> int:
    """The width to draw at: less than given for images that would be too tall."""
    height, width = signal.extent.size_hw if signal.extent.axes == "xy" else (1, 1)
    return max(1, min(width_px, round(width_px * TALLEST * width / height)))


def _size_notes(medium: MediaReference, size_hw: tuple[int, int] | None) -> Iterator[str]:
    if medium.size_hw is not None and size_hw is not None and tuple(medium.size_hw) != tuple(size_hw):
        stated, got = (f"{height} x {width}" for height, width in (medium.size_hw, size_hw))
        yield f"the sample gives {stated} (height x width), the file is {got}"


def _blank(sentence: str, width_px: int) -> Panel:
    """An empty panel that says in a sentence why it is empty."""
    image = Image.new("RGB", (width_px, round(BLANK_HEIGHT * width_px)), BLANK)
    draw, left, line_px = ImageDraw.Draw(image), 10, round(LINE_HEIGHT * NOTE_TEXT_PX)
    draw.text((left, 8), "cannot be shown", font=text_font(NOTE_TEXT_PX), fill=WARNING)
    lines = flow(words_of(" ".join(sentence.split()), GREY), width_px - 2 * left, NOTE_TEXT_PX, max_lines=NOTE_LINES)
    for number, line in enumerate(lines, 1):
        draw_line(draw, left, 10 + number * line_px, line, NOTE_TEXT_PX)
    return Panel(image, sentence)


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
