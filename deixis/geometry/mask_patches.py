"""Masks as small arrays: the pixels inside a mask's own box, cut out of run lengths without a picture-sized array.

A picture has many things and each is small, so what is sampled or drawn on a thing is done inside its box, and only the
run lengths say where that box lies. Run lengths go down the columns, zeros first (COCO's).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from deixis.errors import InputError


@dataclass(frozen=True)
class Patch:
    """Pixels (rows, columns) whose first is pixel (top, left) of a picture of size_hw."""

    top: int
    left: int
    pixels: Bool[np.ndarray, "rows columns"]
    size_hw: tuple[int, int]

    def to_rle(self) -> dict[str, Any]:
        """The mask of the whole picture as run lengths. The pixels must lie inside the picture.

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
        if rows == height:  # a run at the bottom goes on at the top of the next column
            joined = np.flatnonzero(bounds[1:-1:2] == bounds[2::2]) * 2 + 1
            bounds = np.delete(bounds, np.concatenate([joined, joined + 1]))
        runs = np.diff(bounds, prepend=0, append=height * width)
        runs = runs[: len(bounds)] if runs[-1] == 0 else runs
        code = coco.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)
        return {"size": [height, width], "counts": code["counts"].decode("ascii")}


def mask_patch(mask: Any) -> Patch:
    """The pixels of a mask, an array (h, w) or run lengths {"size", "counts"}, inside the box around them.

    Raises ValueError for run lengths that are malformed or do not fill the size, and for an empty mask.

    >>> patch = mask_patch({"size": [4, 5], "counts": "929"})
    >>> patch.top, patch.left, patch.pixels.tolist()
    (1, 2, [[True], [True]])
    """
    if isinstance(mask, np.ndarray):
        return _array_patch(mask)
    height, width = (int(side) for side in mask["size"])
    counts = mask["counts"]
    runs = run_lengths(counts) if isinstance(counts, str) else np.asarray(counts, dtype=np.int64)
    ends = np.cumsum(runs)
    if len(runs) == 0 or (runs < 0).any() or ends[-1] != height * width:
        raise InputError(f"mask: expected runs that fill {height} x {width} pixels, got {ends[-1:].tolist() or 'none'}")
    ones = np.flatnonzero(runs[1::2]) * 2 + 1
    if len(ones) == 0:
        raise InputError("mask: expected at least one pixel set, got an empty mask")
    first, last = ends[ones - 1], ends[ones] - 1  # the first and last pixel of each run
    left, right = int(first[0]) // height, int(last[-1]) // height + 1
    if (first // height == last // height).all():
        top, bottom = int((first % height).min()), int((last % height).max()) + 1
    else:  # a run goes on in the next column
        top, bottom = 0, height
    inside = np.clip(ends - left * height, 0, (right - left) * height)  # the runs within the mask's columns
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, np.diff(inside, prepend=0)).reshape(right - left, height)
    return Patch(top, left, np.ascontiguousarray(pixels[:, top:bottom].T), (height, width))


def run_lengths(counts: str) -> Int[np.ndarray, " run"]:
    """The run lengths of COCO's compressed counts: 5 bits a sign, little end first, differences to the run before last.

    As `deixis.geometry.rle`, all runs at once. Raises ValueError where the text is cut or holds foreign signs.

    >>> run_lengths("929").tolist()
    [9, 2, 9]
    """
    try:
        codes = np.frombuffer(counts.encode("ascii"), dtype=np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        codes = np.array([-1])
    if len(codes) == 0 or codes.min() < 0 or codes.max() >= 64 or codes[-1] & 0x20:
        raise InputError("mask: expected counts of COCO's run-length code, got other text")
    last = np.flatnonzero(codes & 0x20 == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > 12:
        raise InputError("mask: expected counts of COCO's run-length code, got other text")
    place = np.arange(len(codes)) - np.repeat(first, lengths)
    values = np.add.reduceat((codes & 0x1F) << 5 * place, first)
    values -= (codes[last] & 0x10 != 0) * (1 << 5 * lengths)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _array_patch(mask: np.ndarray) -> Patch:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        raise InputError("mask: expected at least one pixel set, got an empty mask")
    top, left = int(rows[0]), int(columns[0])
    pixels = mask[top : rows[-1] + 1, left : columns[-1] + 1].astype(bool)
    return Patch(top, left, pixels, (int(mask.shape[0]), int(mask.shape[1])))
