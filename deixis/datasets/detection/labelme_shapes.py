"""The shapes that labelme draws, as regions of an image.

    polygon, circle, mask    a mask; of a line or a linestrip what a pen of some width draws, as labelme exports it
    rectangle                a box
    point                    a point

Independent of file and label. Source: wkentaro/labelme@51e50e4 labelme/utils/shape.py.
"""

import base64
import binascii
import io
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64

from deixis.datasets.detection.coco_masks import segmentation_rle
from deixis.datasets.files.boxes import box_from_xyxy
from deixis.datasets.files.mask_regions import mask_region, rle_box
from deixis.errors import DataError
from deixis.geometry import Region
from deixis.samples.consistency import listed, shown

LINE_WIDTH_PX = 10
"""labelme's own, where it makes masks of lines."""
CIRCLE_CORNERS = 90
MIN_POINTS = {"polygon": 3, "rectangle": 2, "circle": 2, "line": 2, "linestrip": 2, "point": 1, "mask": 2}
Points = Float64[np.ndarray, "point 2"]


def region_of_shape(record: Mapping[str, Any], size_hw: tuple[int, int], line_width_px: int = LINE_WIDTH_PX) -> Region:
    """The region of one of labelme's `shapes`, cut to the image.

    Raises DataError, naming the field, for an unknown kind, too few points, and what leaves nothing on the image.
    """
    kind = record.get("shape_type") or "polygon"  # early versions knew no other
    if kind not in DRAW:
        raise DataError(f"shape_type: expected one of {listed(DRAW)}, got {shown(kind)}")
    return DRAW[kind](_points(record.get("points"), MIN_POINTS[kind]), record, size_hw, line_width_px)


def _points(points: Any, least: int) -> Points:
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros((0, 0))
    if array.ndim != 2 or array.shape[1] != 2 or len(array) < least or not np.isfinite(array).all():
        raise DataError(f"points: expected at least {least} points [x, y], got {shown(points)}")
    return array


def _draw_polygon(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    rle = segmentation_rle([points.ravel().tolist()], size_hw)
    return Region(box=rle_box(rle), mask=rle)


def _draw_rectangle(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    return Region(box=box_from_xyxy([*points.min(axis=0).tolist(), *points.max(axis=0).tolist()], size_hw, "points"))


def _draw_circle(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    (x, y), radius = points[0], float(np.hypot(*(points[1] - points[0])))
    turns = np.linspace(0, 2 * math.pi, CIRCLE_CORNERS, endpoint=False)
    corners = np.stack([x + radius * np.cos(turns), y + radius * np.sin(turns)], axis=1)
    return _draw_polygon(corners.clip(0, size_hw[::-1]), record, size_hw, line_width_px)


def _draw_line(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    from PIL import Image, ImageDraw

    image = Image.new("1", size_hw[::-1])
    reach = np.array(size_hw[::-1])
    way = [tuple(point) for point in points.clip(-reach, 2 * reach).tolist()]
    ImageDraw.Draw(image).line(way, fill=1, width=line_width_px)
    return mask_region(np.asarray(image), "points")


def _draw_point(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    x, y = points[0].tolist()
    if not (0 <= x <= size_hw[1] and 0 <= y <= size_hw[0]):
        raise DataError(f"points: expected a point on the image of {size_hw[1]} x {size_hw[0]} pixels, got {x}, {y}")
    return Region(point=(x, y))


def _draw_mask(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    """The mask whose pixels lie in the record, its first corner at the first point."""
    from PIL import Image

    try:
        inside = np.asarray(Image.open(io.BytesIO(base64.b64decode(record["mask"]))).convert("L")) > 0
    except (OSError, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise DataError(f"mask: expected a PNG in base64; {error!r}") from None
    left, top = points.min(axis=0).astype(int).tolist()
    mask = np.zeros(size_hw, dtype=bool)
    rows, columns = mask[max(top, 0) :, max(left, 0) :].shape
    seen = inside[max(-top, 0) :, max(-left, 0) :][:rows, :columns]
    mask[max(top, 0) :, max(left, 0) :][: seen.shape[0], : seen.shape[1]] = seen
    return mask_region(mask)


DRAW: Mapping[str, Callable[[Points, Any, tuple[int, int], int], Region]] = {
    "polygon": _draw_polygon,
    "rectangle": _draw_rectangle,
    "circle": _draw_circle,
    "line": _draw_line,
    "linestrip": _draw_line,
    "point": _draw_point,
    "mask": _draw_mask,
}
"""Kind of shape -> its region."""
