"""The outlines of a mask: closed lines along the edges of its pixels."""

import numpy as np
from jaxtyping import Bool, Int

Loops = list[Int[np.ndarray, "corner 2"]]


def mask_outlines(mask: Bool[np.ndarray, "height width"]) -> Loops:
    """The corners (x, y) of closed lines that, filled even-odd, cover exactly the pixels of a mask; none for no pixel.

    Holes are lines of their own. Corners are those of pixels, in [0, width] and [0, height]; by turns, the next one
    differs in x and in y.

    >>> [loop.tolist() for loop in mask_outlines(np.array([[False, True, True]]))]
    [[[1, 0], [3, 0], [3, 1], [1, 1]]]
    """
    is_corner, is_crossing = _corners(mask)
    y, x = np.nonzero(is_corner | is_crossing)
    copies = 1 + is_crossing[y, x]
    corners = np.repeat(np.stack([x, y], -1), copies, axis=0)
    # Along a row of corners every second stretch is an edge: corner i ends at i ^ 1. Likewise down a column.
    down = np.lexsort((corners[:, 1], corners[:, 0]))
    below = np.empty(len(down), np.int64)
    below[down] = down[np.arange(len(down)) ^ 1]
    step, is_done, loops = below.tolist(), bytearray(len(down)), []
    for first in range(0, len(down), 2):
        loop, at = [], first
        while not is_done[at]:
            is_done[at] = is_done[at ^ 1] = True
            loop += [at, at ^ 1]
            at = step[at ^ 1]
        if loop:
            loops.append(corners[loop])
    return loops


def corner_count(mask: Bool[np.ndarray, "height width"]) -> int:
    """How many corners the outlines of a mask have."""
    is_corner, is_crossing = _corners(mask)
    return int(np.count_nonzero(is_corner)) + 2 * int(np.count_nonzero(is_crossing))


def _corners(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where outlines turn, and where two of them meet with a corner each, (height + 1, width + 1) bool."""
    padded = np.pad(np.asarray(mask, dtype=bool), 1)
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return a ^ b ^ c ^ d, (a == d) & (b == c) & (a != b)
