"""Boxes as annotation files write them, checked and cut to the picture: the form in which records hold them."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from deixis.errors import DataError

BoxXYXY = tuple[float, float, float, float]


def box_of_xywh(values: Any, size_hw: tuple[int, int] | None, field: str = "bbox") -> BoxXYXY:
    """x1, y1, x2, y2 in pixels of a box written as left, top, width, height, cut to the picture of `size_hw`, if known.

    field: what the file calls it, for the sentence. Raises ValueError for anything but four finite numbers, and for a
    box of which nothing lies on the picture.

    >>> box_of_xywh([10, 20, 30, 40], (50, 100))
    (10.0, 20.0, 40.0, 50.0)
    """
    left, top, width, height = _four(values, field, "x, y, width, height")
    return _cut((left, top, left + width, top + height), size_hw, values, field)


def box_of_xyxy(values: Any, size_hw: tuple[int, int] | None, field: str = "bbox") -> BoxXYXY:
    """As `box_of_xywh`, of a box written as x1, y1, x2, y2.

    >>> box_of_xyxy([-1, 20, 30, 40], (50, 100))
    (0.0, 20.0, 30.0, 40.0)
    """
    return _cut(_four(values, field, "x1, y1, x2, y2"), size_hw, values, field)


def _four(values: Any, field: str, order: str) -> BoxXYXY:
    if (
        not isinstance(values, Sequence)
        or len(values) != 4
        or not all(isinstance(value, int | float) and isfinite(value) for value in values)
    ):
        raise DataError(f"{field}: expected four numbers {order}, got {values!r:.60}")
    first, second, third, fourth = map(float, values)
    return first, second, third, fourth


def _cut(box_xyxy: BoxXYXY, size_hw: tuple[int, int] | None, values: Any, field: str) -> BoxXYXY:
    x1, y1, x2, y2 = box_xyxy
    if size_hw is not None:
        height, width = size_hw
        x1, y1, x2, y2 = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
    if x1 >= x2 or y1 >= y2:
        on = "" if size_hw is None else f" on the picture of {size_hw[1]} x {size_hw[0]} pixels"
        raise DataError(f"{field}: expected a box with an area{on}, got {list(values)}")
    return x1, y1, x2, y2
