"""`Notation`: how a model writes regions into text. One grammar; a notation changes its tokens, never its rules.

Numbers in brackets are grid cells; their count gives the form. For a signal of d axes, d numbers are a point and 2d are
the lower, then the upper corner. ``<seg>`` stands for a mask, a point set or, in audio, a span.

    <p>a red mug</p>[12, 40, 300, 620]      <p>two mugs</p>[..] [..]      <p>the cup</p><seg>      <p>a dog</p>[]

A reference names its signal by ``@1`` directly after it (counted from 0). Without that it means the first signal whose
number of axes fits the count of numbers, and ``<seg>`` means signal 0.

A notation may lack a token. Without phrase tokens, the noun phrase before a reference is found by ``words.py``; without
a region token no question can refer to a region; without coordinates a bracket is plain text; without any of them
answers are text alone. The notations of the published systems are in ``deixis/systems/*/notation.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, no_type_check

import numpy as np
from jaxtyping import Bool, Int

from deixis.errors import InputError
from deixis.geometry.frames import GRID_CELLS, Frame
from deixis.options import Checked


@no_type_check
@dataclass(frozen=True)
class Notation(Checked):
    """Tokens of one way to write regions; an empty string is a token that the notation does not have.

    cell_of: how a coordinate becomes a grid cell. "place": the cell it lies in. "pixel": 1000 times a whole pixel,
    divided by the side in float32, truncated (Ferret's demo); between pixels, 1000 times its share of the side
    (Ferret-Bench). "ratio": times (1000 / side), as Ferret's training does; they differ by one in places.
    """

    name: str = "deixis"
    grid: int = GRID_CELLS  # cells per axis
    phrase_open: str = "<p>"
    phrase_close: str = "</p>"
    region_token: str = "<region>"  # in a prompt: the network puts a region's features here
    seg_token: str = "<seg>"
    none_text: str = "[]"  # written after a phrase that nothing in the signal matches
    coordinates: bool = True  # in an answer: numbers in brackets are regions
    region_coordinates: bool = False  # in a prompt: grid coordinates before the region token, or alone without one
    number_separator: str = ", "
    region_separator: str = ""  # between a phrase and its first region
    cell_of: Literal["place", "pixel", "ratio"] = "place"

    @property
    def markers(self) -> tuple[str, ...]:
        """The tokens that plain text must not contain."""
        return tuple(word for word in (self.phrase_open, self.phrase_close, self.region_token, self.seg_token) if word)

    @property
    def has_phrases(self) -> bool:
        """Whether phrases that refer to regions stand between tokens."""
        return bool(self.phrase_open)

    @property
    def coordinates_alone(self) -> bool:
        """Whether a question refers to regions by their coordinates, without a token for features."""
        return self.region_coordinates and not self.region_token

    @property
    def has_regions(self) -> bool:
        """Whether an answer can refer to regions at all."""
        return self.coordinates or bool(self.seg_token)


def coordinates_signal(number_count: int, frames: Sequence[Frame]) -> int | None:
    """The index of the signal that so many numbers refer to when none is named; None where none fits."""
    for signal, frame in enumerate(frames):
        if number_count in (frame.dim, 2 * frame.dim):
            return signal
    return None


Rounding = Literal["pixel", "ratio", "share"]


def grid_numbers(
    places: Sequence[float] | np.ndarray, size_wh: tuple[int, int], rounding: Rounding = "pixel"
) -> Int[np.ndarray, " number"]:
    """Grid numbers of pixel coordinates x, y, x, y, ... of an image, truncated toward zero, not clipped.

    pixel: 1000·x/W, divided in float32 (the demo). ratio: x·(1000/W) (training, LVIS points and shapes).
    share: (x/W)·1000 (boxes that are stored as shares of the image). They differ by one in places.

    >>> [int(grid_numbers([121, 0], (484, 100), rounding)[0]) for rounding in ("pixel", "ratio", "share")]
    [250, 249, 250]
    """
    pixels = np.asarray(places, dtype=np.float64)
    size = np.resize(np.asarray(size_wh, dtype=np.float64), pixels.shape)
    if rounding == "pixel":
        scaled = (pixels * GRID_CELLS).astype(np.float32) / size.astype(np.float32)
    elif rounding == "ratio":
        scaled = pixels * (GRID_CELLS * 1.0 / size)
    else:
        scaled = pixels / size * GRID_CELLS
    return np.trunc(scaled).astype(np.int64)


def region_numbers(
    places: Sequence[float] | np.ndarray, size_wh: tuple[int, int], rounding: Rounding = "pixel"
) -> Int[np.ndarray, " number"]:
    """Grid numbers of a region's pixel coordinates: as `grid_numbers`, moved into the image, where the right and the
    lower edge lie in the last pixel.

    pixel: a coordinate between two pixels, which no demo gives, is a share of the image that was turned into pixels. It
    gets the number of the share, as in Ferret-Bench: 0.998 of 427 pixels is 998 again.

    >>> region_numbers([0.998 * 427, 426], (427, 427)).tolist()
    [998, 997]
    """
    pixels = np.asarray(places, dtype=np.float64)
    size = np.resize(np.asarray(size_wh, dtype=np.float64), pixels.shape)
    cells = grid_numbers(np.clip(pixels, 0, size - 1), size_wh, rounding)
    if rounding != "pixel":
        return cells
    is_share = (pixels % 1 > 0) & (pixels > 0) & (pixels < size)
    # far finer than any share that is written: only what the way through pixels has added goes
    shares = np.round(pixels / size * GRID_CELLS, 6)
    return np.where(is_share, np.trunc(shares).astype(np.int64), cells)


def shape_box(shape: Bool[np.ndarray, "w h"]) -> list[int]:
    """The box, in whole pixels and both ends included, around the pixels of a free shape.

    Raises InputError for a shape without pixels.
    """
    if not shape.any():
        raise InputError("a free shape needs at least one pixel, got none")
    x, y = shape.any(axis=1).nonzero()[0], shape.any(axis=0).nonzero()[0]
    return [int(x[0]), int(y[0]), int(x[-1]), int(y[-1])]
