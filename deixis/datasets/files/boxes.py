"""Boxes as annotation files write them, checked and cut to the image: the form in which records hold them."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from deixis.errors import DataError
from deixis.language.english import NUMBERS

BoxXYXY = tuple[float, float, float, float]


def box_from_xywh(values: Any, size_hw: tuple[int, int] | None, field: str = "bbox") -> BoxXYXY:
    """x1, y1, x2, y2 in pixels of a box written as left, top, width, height, cut to the image of `size_hw`, if known.

    field: what the file calls it, for the sentence. Raises DataError for anything but four finite numbers, and for a
    box of which nothing lies on the image.

    >>> box_from_xywh([10, 20, 30, 40], (50, 100))
    (10.0, 20.0, 40.0, 50.0)
    """
    left, top, width, height = numbers(values, "x, y, width, height", field)
    return _cut((left, top, left + width, top + height), size_hw, values, field)


def box_from_xyxy(values: Any, size_hw: tuple[int, int] | None, field: str = "bbox") -> BoxXYXY:
    """As `box_from_xywh`, of a box written as x1, y1, x2, y2.

    >>> box_from_xyxy([-1, 20, 30, 40], (50, 100))
    (0.0, 20.0, 30.0, 40.0)
    """
    x1, y1, x2, y2 = numbers(values, "x1, y1, x2, y2", field)
    return _cut((x1, y1, x2, y2), size_hw, values, field)


def numbers(values: Any, order: str, field: str) -> list[float]:
    """Finite numbers, as many as `order` names. Raises DataError for anything else.

    >>> numbers([1, 2.5], "x, y", "point")
    [1.0, 2.5]
    """
    count = order.count(",") + 1
    is_list = isinstance(values, Sequence) and not isinstance(values, str) and len(values) == count
    if not is_list or not all(isinstance(value, int | float) and isfinite(value) for value in values):
        raise DataError(f"{field}: expected {NUMBERS[count]} numbers {order}, got {values!r:.60}")
    return [float(value) for value in values]


def _cut(box_xyxy: BoxXYXY, size_hw: tuple[int, int] | None, values: Any, field: str) -> BoxXYXY:
    x1, y1, x2, y2 = box_xyxy
    if size_hw is not None:
        height, width = size_hw
        x1, y1, x2, y2 = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
    if x1 >= x2 or y1 >= y2:
        on = "" if size_hw is None else f" on the image of {size_hw[1]} x {size_hw[0]} pixels"
        raise DataError(f"{field}: expected a box with an area{on}, got {list(values)}")
    return x1, y1, x2, y2
