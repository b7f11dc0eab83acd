"""Images whose pixels are numbers: class maps, instance maps and masks, read without a number changed.

Of a palette the indices are taken, of 16 bits all of them, of colours one number a colour (r * 65536 + g * 256 + b); a
map of which all is grey has the grey values, unless colours are asked for. Independent of class.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, Int32

from deixis.errors import DataError

OPAQUE = 255
BYTES_PER_PX = 24
"""What a map takes while its colours become numbers."""
FEW_NUMBERS = 1 << 16
HALF = 128
LOSSY = ("JPEG", "MPO", "WEBP")
"""Formats that blur what was sharp: a mask in them is what is brighter than half."""
EXTREME_SHARE = 0.8
"""Of the pixels of a mask with soft edges at least so many are black or white, and more are white than between."""
SOFT_NUMBERS = 8
"""A mask with soft edges has more shades than that; a map of some objects has no more numbers than objects."""


@dataclass(frozen=True)
class NumberMap:
    """The number of every pixel. alpha: the pixels that are opaque, if some are not. is_colour: numbers are colours.
    is_palette: they are places in one. is_lossy: the file's format does not keep them."""

    values: Int32[np.ndarray, "h w"]
    alpha: Bool[np.ndarray, "h w"] | None = None
    is_colour: bool = False
    is_palette: bool = False
    is_lossy: bool = False


def read_map(path: str | Path, as_colours: bool = False) -> NumberMap:
    """The map in an image file. as_colours: grey ones too are read as colours, for lists of classes by colour.

    Raises DataError for a file that is not there, no image, or of numbers with fractions.
    """
    from deixis.signals.image_files import decode, opened

    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: expected an image of numbers, got no such file")
    with opened(path, path.name) as image:
        decode(image, path.name, BYTES_PER_PX)
        is_lossy, is_palette = image.format in LOSSY, image.mode == "P"
        values = np.asarray(image)
    if values.dtype.kind not in "bui":
        raise DataError(f"{path}: expected whole numbers, got {values.dtype}")
    if values.ndim == 2:
        if as_colours:
            values = np.repeat(values[:, :, None], 3, axis=2)
        else:
            return NumberMap(values.astype(np.int32), is_palette=is_palette, is_lossy=is_lossy)
    colours, alpha = _parted(values)
    is_grey = bool((colours == colours[:, :, :1]).all())
    is_colour = as_colours or not is_grey
    numbers = colours.astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32) if is_colour else colours[:, :, 0]
    return NumberMap(numbers.astype(np.int32), alpha, is_colour, is_lossy=is_lossy)


def soft_mask(found: NumberMap) -> Bool[np.ndarray, "h w"] | None:
    """The mask that a map of grey is, if it is one: of two numbers one is 0, or nearly all are 0 or 255.

    Where some pixels are not opaque, the opaque ones are the mask, if nothing else tells it. None: it is a map of more
    than one object.
    """
    values = found.values
    if found.alpha is not None and not found.alpha.all() and found.alpha.any() and _is_flat(values[found.alpha]):
        return found.alpha
    if found.is_colour:
        return None
    numbers, counts = counted(values)
    if found.is_lossy:
        return values >= HALF
    if len(numbers) <= 2 and (len(numbers) == 1 or numbers[0] == 0):
        return values != 0
    between = int(counts[1:-1].sum())
    is_soft = between <= (1 - EXTREME_SHARE) * values.size and between < counts[-1] and len(numbers) > SOFT_NUMBERS
    return values >= HALF if is_soft and (numbers[0], numbers[-1]) == (0, OPAQUE) else None


def counted(values: Int32[np.ndarray, "h w"]) -> tuple[Int[np.ndarray, " number"], Int[np.ndarray, " number"]]:
    """The numbers in a map, in order, and how many pixels have each.

    >>> [found.tolist() for found in counted(np.array([[7, 7], [7, 2]], dtype=np.int32))]
    [[2, 7], [1, 3]]
    """
    if values.min() < 0 or values.max() >= FEW_NUMBERS:
        return np.unique(values, return_counts=True)
    counts = np.bincount(values.ravel())  # many times faster than sorting, where numbers are small
    numbers = np.flatnonzero(counts)
    return numbers, counts[numbers]


def _is_flat(values: np.ndarray) -> bool:
    return len(values) > 0 and bool((values == values[0]).all())


def _parted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(h, w, 3) colours and the opaque pixels of grey, RGB, or either with alpha."""
    count = values.shape[2]
    alpha = values[:, :, -1] >= HALF if count in (2, 4) else None
    colours = values[:, :, :3] if count >= 3 else np.repeat(values[:, :, :1], 3, axis=2)
    return colours, alpha
