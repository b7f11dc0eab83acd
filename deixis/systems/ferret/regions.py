"""Regions as Ferret was trained on them: masks with x first, and numbers that are truncated, by three formulas.

A mask is (W, H): its first axis is x. Coordinates are pixels, and a box holds the pixels at both of its ends. It knows
neither text nor network; the numbers it makes are written by ``write.py``, the points of its masks are sampled in
``sampling.py``.

Source: apple/ml-ferret@3c9e5c93, ferret/serve/gradio_web_server.py:53-77 and 586-595, ferret/eval/model_lvis.py:50-107,
ferret/train/train.py:705-706 and 911-946.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from deixis.errors import InputError

POINT_REACH_PX = 5  # a point is the window of 11 x 11 pixels around it


def box_in_picture(box_xyxy: Sequence[float], size_wh: tuple[int, int]) -> list[float]:
    """The box with its corners moved onto pixels of the picture: x into 0..W-1, y into 0..H-1.

    >>> box_in_picture([-3, 5, 700, 900], (640, 480))
    [0, 5, 639, 479]
    """
    return [max(0, min(value, size_wh[axis % 2] - 1)) for axis, value in enumerate(box_xyxy)]


def box_mask(box_xyxy: Sequence[int], size_wh: tuple[int, int]) -> Bool[np.ndarray, "w h"]:
    """The pixels of a box of whole pixels, both ends among them."""
    x1, y1, x2, y2 = box_xyxy
    mask = np.zeros(size_wh, dtype=bool)
    mask[x1 : x2 + 1, y1 : y2 + 1] = True
    return mask


def point_mask(point_xy: Sequence[float], size_wh: tuple[int, int]) -> Bool[np.ndarray, "w h"]:
    """The window of 11 x 11 pixels around a point, as much of it as lies in the image.

    >>> point_mask((2, 50), (100, 100)).sum(axis=0).max(), point_mask((2, 50), (100, 100)).sum(axis=1).max()
    (np.int64(8), np.int64(11))
    """
    lows = [int(max(0, value - POINT_REACH_PX)) for value in point_xy]
    highs = [int(min(side, value + POINT_REACH_PX + 1)) for value, side in zip(point_xy, size_wh, strict=True)]
    mask = np.zeros(size_wh, dtype=bool)
    mask[lows[0] : highs[0], lows[1] : highs[1]] = True
    return mask


def painted_point(painted: Bool[np.ndarray, "w h"]) -> list[int]:
    """The point that a scribble stands for in the demo: the lower medians of its pixels' x and y."""
    x, y = painted.nonzero()
    middle = (len(x) - 1) // 2
    return [int(np.sort(axis)[middle]) for axis in (x, y)]


def region_mask(
    place: Sequence[float], size_wh: tuple[int, int], shape: Bool[np.ndarray, "w h"] | None = None
) -> Bool[np.ndarray, "w h"]:
    """The mask of a place of two numbers (a point) or four (a box, cut to `shape` where one is given).

    Raises InputError for another count of numbers, for a shape of another size, and for a region without pixels.
    """
    if shape is not None and shape.shape != tuple(size_wh):
        raise InputError(f"the shape of a region must be (W, H) = {tuple(size_wh)}, got {shape.shape}: is it (H, W)?")
    if len(place) == 2:
        mask = point_mask(place, size_wh)
    elif len(place) == 4:
        mask = box_mask(place, size_wh) if shape is None else box_mask(place, size_wh) & shape
    else:
        raise InputError(f"a region has two numbers (a point) or four (a box), got {len(place)}")
    if not mask.any():
        raise InputError(f"the region {list(place)} has no pixel in a picture of {size_wh[0]} x {size_wh[1]}")
    return mask
