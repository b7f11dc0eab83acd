"""A drawing as its parts: `raster.to_image` makes pixels of them and `svg.to_svg` elements, so a panel is written once.

Places and lengths are in pixels of the drawing that holds the part, y downwards; in a `Group` places alone are in units
of `scale` pixels, so that a region of an image has the numbers of its file. Later parts lie over earlier ones, but
labels, letters and placed drawings over all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deixis.visualize.canvas import WHITE, Colour, Word

OVERSAMPLE = 2
"""Shapes are drawn so many times too large and then reduced, which smooths them; pictures have no more pixels."""
TINT = 0.38
"""How much of its colour covers what is inside a mask."""


@dataclass(frozen=True)
class Picture:
    """Pixels (height, width, 3) uint8 stretched over a box; not `smooth`: each is a rectangle of one colour."""

    rgb: np.ndarray
    box_xyxy: tuple[float, float, float, float]
    smooth: bool = True


@dataclass(frozen=True)
class Rectangle:
    box_xyxy: Sequence[float]
    colour: Colour
    opacity: float = 1.0


@dataclass(frozen=True)
class Line:
    """A line through points (k, 2)."""

    points: np.ndarray
    colour: Colour
    width_px: float


@dataclass(frozen=True)
class Frame:
    """A box in lines that stand out from any ground, `pen_px` wide; so do the three that follow."""

    box_xyxy: Sequence[float]
    colour: Colour
    pen_px: float


@dataclass(frozen=True)
class Outline:
    """A line through points (k, 2), `closed` into a polygon or not; a dot for one point."""

    points: np.ndarray
    closed: bool
    colour: Colour
    pen_px: float


@dataclass(frozen=True)
class Spot:
    """A target around a place."""

    x: float
    y: float
    colour: Colour
    pen_px: float


@dataclass(frozen=True)
class MaskArea:
    """A mask of the whole drawing, (height, width) bool, inside its outline; `filled`: tinted."""

    mask: np.ndarray
    colour: Colour
    filled: bool
    pen_px: float


@dataclass(frozen=True)
class Label:
    """Words in a rounded box whose upper left corner is given."""

    left: float
    top: float
    text: str
    colour: Colour
    text_px: int


@dataclass(frozen=True)
class Letters:
    """A line of text at a place that `anchor` describes as Pillow does: "lt", its left and its top."""

    x: float
    y: float
    text: str
    colour: Colour
    text_px: int
    anchor: str


@dataclass(frozen=True)
class TextLine:
    """A line of words that `canvas.flow` made, its upper left corner at (0, top)."""

    top: float
    words: Sequence[Word]
    text_px: int
    chip_px: int


@dataclass(frozen=True)
class Group:
    """Parts that show one thing: `name` identifies it in the file, and `title` is what a reader is told of it."""

    name: str
    title: str
    parts: "Sequence[Part]"
    scale: float = 1.0


@dataclass(frozen=True)
class Placed:
    """A drawing within another one, which hides what leaves it."""

    left: int
    top: int
    drawing: "Drawing"
    name: str = ""


Part = Picture | Rectangle | Line | Frame | Outline | Spot | MaskArea | Label | Letters | TextLine | Group | Placed


@dataclass(frozen=True)
class Drawing:
    width_px: int
    height_px: int
    parts: Sequence[Part]
    paper: Colour = WHITE
