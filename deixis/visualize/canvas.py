"""What drawings of signals are made of: colours, the sizes and places of letters and labels, and the lines of a text.

It knows pixels of the drawing only: what a region covers there is decided by `panels`, how it is drawn by `raster` and
`svg`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image, ImageFont

from deixis.files.own import MARK

Colour = tuple[int, int, int]

SOFTWARE = 0x0131
"""The tag of EXIF that says what wrote an image."""
PALETTE: tuple[Colour, ...] = ((221, 44, 87), (22, 108, 214), (0, 143, 92), (201, 98, 0), (133, 63, 190), (0, 137, 160))
"""Colours of regions 0, 1, 2, ...: dark enough for white words on them."""
POINTED: Colour = (255, 198, 26)
"""What a person points at with a question: like none of the answers' colours."""
INK: Colour = (24, 26, 34)
GREY: Colour = (122, 124, 132)
WARNING: Colour = (176, 84, 12)
WHITE: Colour = (255, 255, 255)
CHIP_TEXT_PX = 11
CHIP_HEIGHT, CHIP_PADDING, CHIP_CORNER = 15 / 11, 8 / 11, 4 / 11
"""Of a label, in sizes of its letters."""
LINE_HEIGHT = 19 / 14
"""Of text, in sizes of its letters."""
HEAT = np.array([[13, 14, 38], [52, 24, 96], [128, 38, 118], [206, 70, 96], [247, 136, 82], [253, 231, 170]], float)
"""Stops of a scale of colours, dark to bright."""
BRIGHT = 0.6
"""Colours above this luma want dark words on them, and a dark line beside them."""


def marked() -> Image.Exif:
    """Metadata of an image file, by which it is known as one that may be replaced."""
    exif = Image.Exif()
    exif[SOFTWARE] = MARK
    return exif


@cache
def text_font(size_px: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font; each size is read once."""
    font = ImageFont.load_default(size=size_px)
    assert isinstance(font, ImageFont.FreeTypeFont), "with a size Pillow gives its scalable font"
    return font


def contrast(colour: Colour) -> Colour:
    """White or ink, whichever can be read on this colour.

    >>> contrast((133, 63, 190)), contrast((255, 198, 26))
    ((255, 255, 255), (24, 26, 34))
    """
    luma = (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255  # ITU-R BT.601
    return INK if luma > BRIGHT else WHITE


def heat(level: np.ndarray) -> np.ndarray:
    """Colours (..., 3) uint8 of levels in [0, 1], dark to bright."""
    place = np.clip(level, 0, 1) * (len(HEAT) - 1)
    rgb = np.stack([np.interp(place, range(len(HEAT)), HEAT[:, channel]) for channel in range(3)], -1)
    return rgb.round().astype(np.uint8)


def chip_width(label: str, text_px: int = CHIP_TEXT_PX) -> float:
    """Width in pixels of a label, never narrower than it is high."""
    return max(CHIP_HEIGHT * text_px, text_font(text_px).getlength(label) + CHIP_PADDING * text_px)


@dataclass(frozen=True)
class Tag:
    """A label and the place it belongs to, in pixels of the drawing: its lower left corner if there is room above."""

    label: str
    colour: Colour
    x: float
    y: float


def place_tags(tags: Sequence[Tag], size: tuple[int, int], text_px: int = CHIP_TEXT_PX) -> list[Tag]:
    """The labels, shortened to the (width, height) of a drawing, with the places of their upper left corners.

    They are inside the drawing, and off each other where there is room.
    """
    placed, used = [], []
    height = CHIP_HEIGHT * text_px
    for tag in tags:
        label = shortened(tag.label, size[0] - 4, text_px)
        width = chip_width(label, text_px)
        spots = [
            (min(max(left, 2.0), size[0] - width - 2), min(max(top, 2.0), size[1] - height - 2))
            for left, top in _spots_around(tag.x, tag.y, width, height)
        ]
        left, top = min(spots, key=lambda spot: sum(_overlap((*spot, width, height), other) for other in used))
        placed.append(replace(tag, label=label, x=left, y=top))
        used.append((left, top, width, height))
    return placed


def _spots_around(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    """Where a label may go, the best first: on top of its place, then inside it, then farther away."""
    step = height + 2
    rows = [y - step, y + 2, y + 2 + step, y - 2 * step, y + 2 + 2 * step, y - 3 * step, y + 2 + 3 * step]
    return [(x, row) for row in rows] + [(x + width + 2, row) for row in rows] + [(x - width - 2, row) for row in rows]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Area that two boxes (left, top, width, height) share."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(across, 0.0) * max(down, 0.0)


def shortened(label: str, room_px: float, text_px: int = CHIP_TEXT_PX) -> str:
    """The label, cut with three dots where it is too wide for a chip in `room_px`."""
    if chip_width(label, text_px) <= room_px:
        return label
    kept = label
    while kept and chip_width(kept + "...", text_px) > room_px:
        kept = kept[:-1]
    return kept.rstrip() + "..."


@dataclass(frozen=True)
class Word:
    """A word, one space (" "), or a chip, in a colour, perhaps underlined; `left` is its place on a line."""

    text: str
    colour: Colour
    is_chip: bool = False
    underlined: bool = False
    left: float = 0.0


def words_of(text: str, colour: Colour, underlined: bool = False) -> list[Word]:
    """Words and single spaces of a text; any blank is a space, and only words are underlined.

    >>> [word.text for word in words_of("a red  mug. ", INK)]
    ['a', ' ', 'red', ' ', 'mug.', ' ']
    """
    parts = [part for word in text.split() for part in (word, " ")][:-1]
    ends = [" "] * text[:1].isspace(), [" "] * (bool(parts) and text[-1:].isspace())
    return [Word(part, colour, underlined=underlined and part != " ") for part in (*ends[0], *parts, *ends[1])]


def flow(
    words: Iterable[Word], width_px: float, text_px: int, chip_px: int = CHIP_TEXT_PX, max_lines: int | None = None
) -> list[list[Word]]:
    """The words as lines that fit the width, `left` set; a word wider than a line is cut across lines."""
    font = text_font(text_px)
    space = font.getlength(" ")
    lines: list[list[Word]] = [[]]
    right = 0.0
    for group in _groups(words, width_px, font):
        widths = [chip_width(w.text, chip_px) if w.is_chip else font.getlength(w.text) for w in group]
        gaps = [3.0 * (w.is_chip and number > 0) for number, w in enumerate(group)]  # a chip keeps off its word
        left = right + (space if right else 0.0)
        if left + sum(widths) + sum(gaps) > width_px and right:
            lines.append([])
            left = 0.0
        for word, width, gap in zip(group, widths, gaps, strict=True):
            lines[-1].append(replace(word, left=left + gap))
            left += gap + width
        right = left
    if max_lines is not None and len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], [Word("...", lines[max_lines - 1][0].colour)]]
    return lines if lines[0] else []


def _groups(words: Iterable[Word], width_px: float, font: ImageFont.FreeTypeFont) -> list[list[Word]]:
    """What stands between two spaces, as a group that stays on one line; a word wider than a line is cut."""
    groups: list[list[Word]] = [[]]
    for word in words:
        pieces = [word.text] if word.is_chip or word.text == " " else _cut(word.text, width_px, font)
        if word.text == " " or len(pieces) > 1:
            groups.append([])
        if word.text != " ":
            groups[-1].append(replace(word, text=pieces[0]))
            groups += [[replace(word, text=piece)] for piece in pieces[1:]]
    return [group for group in groups if group]


def _cut(text: str, width_px: float, font: ImageFont.FreeTypeFont) -> list[str]:
    """The text in pieces none of which is wider than `width_px` (one letter at least)."""
    pieces = []
    while len(text) > 1 and font.getlength(text) > width_px:
        length = max(1, int(len(text) * width_px / font.getlength(text)))
        while length > 1 and font.getlength(text[:length]) > width_px:
            length -= 1
        pieces.append(text[:length])
        text = text[length:]
    return [*pieces, text]
