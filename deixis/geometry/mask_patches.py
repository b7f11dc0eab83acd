"""Masks as small arrays: the pixels inside a mask's own box, decoded from run lengths without the whole image.

An image has many small objects, so an object is sampled and drawn inside its box, and only the
run lengths say where that box lies. Run lengths go down the columns, zeros first (COCO's).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from deixis.errors import InputError
from deixis.geometry.rle import checked_runs


@dataclass(frozen=True)
class Patch:
    """Pixels (rows, columns) whose first is pixel (top, left) of an image of size_hw."""

    top: int
    left: int
    pixels: Bool[np.ndarray, "rows columns"]
    size_hw: tuple[int, int]

    def to_rle(self) -> dict[str, Any]:
        """The mask of the whole image as run lengths. The pixels must lie inside the image.

        >>> Patch(1, 2, np.ones((2, 1), dtype=bool), (4, 5)).to_rle() == {"size": [4, 5], "counts": "929"}
        True
        """
        from pycocotools import mask as coco

        height, width = self.size_hw
        rows, columns = self.pixels.shape
        columnwise = np.zeros((columns, rows + 1), dtype=bool)
        columnwise[:, 1:] = self.pixels.T
        flat = columnwise.ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1])  # before each: where runs begin and end, in turn
        changes = np.append(changes, flat.size - 1) if flat[-1] else changes
        column, row = np.divmod(changes, rows + 1)
        bounds = (self.left + column) * height + self.top + row
        if rows == height:  # a run at the bottom continues at the top of the next column
            joined = np.flatnonzero(bounds[1:-1:2] == bounds[2::2]) * 2 + 1
            bounds = np.delete(bounds, np.concatenate([joined, joined + 1]))
        runs = np.diff(bounds, prepend=0, append=height * width)
        runs = runs[: len(bounds)] if runs[-1] == 0 else runs
        code = coco.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)
        return {"size": [height, width], "counts": code["counts"].decode("ascii")}


def mask_patch(mask: Any) -> Patch:
    """The pixels of a mask, an array (h, w) or run lengths {"size", "counts"}, inside the box around them.

    Raises InputError for run lengths that are malformed or do not fill the size, and for an empty mask.

    >>> patch = mask_patch({"size": [4, 5], "counts": "929"})
    >>> patch.top, patch.left, patch.pixels.tolist()
    (1, 2, [[True], [True]])
    """
    if isinstance(mask, np.ndarray):
        return _array_patch(mask)
    try:
        (height, width), runs = checked_runs(mask)
    except InputError as error:
        raise InputError(f"mask: {error}") from None
    ends = np.cumsum(runs)
    ones = np.flatnonzero(runs[1::2]) * 2 + 1
    if len(ones) == 0:
        raise InputError("mask: expected at least one pixel set, got an empty mask")
    first, last = ends[ones - 1], ends[ones] - 1  # the first and last pixel of each run
    left, right = int(first[0]) // height, int(last[-1]) // height + 1
    if (first // height == last // height).all():
        top, bottom = int((first % height).min()), int((last % height).max()) + 1
    else:  # a run continues in the next column
        top, bottom = 0, height
    inside = np.clip(ends - left * height, 0, (right - left) * height)  # the runs within the mask's columns
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, np.diff(inside, prepend=0)).reshape(right - left, height)
    return Patch(top, left, np.ascontiguousarray(pixels[:, top:bottom].T), (height, width))


def _array_patch(mask: np.ndarray) -> Patch:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        raise InputError("mask: expected at least one pixel set, got an empty mask")
    top, left = int(rows[0]), int(columns[0])
    pixels = mask[top : rows[-1] + 1, left : columns[-1] + 1].astype(bool)
    return Patch(top, left, pixels, (int(mask.shape[0]), int(mask.shape[1])))
