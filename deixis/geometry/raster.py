"""Which pixels of an image, or points of a cloud, lie in a region.

A pixel belongs to a region if its centre does; a region thinner than a pixel still holds the pixel it lies in. Only
the rectangle around a region is worked on (``pixel_patch``), so that a small region of a large image is cheap.
"""

import math

import numpy as np
from jaxtyping import Bool, Float

from deixis.errors import InputError
from deixis.geometry.regions import Region

SCRIBBLE_RADIUS_SHARE = 0.015  # radius of a point or scribble, as a share of the image's longer side
SCRIBBLE_MIN_RADIUS_PX = 2.0
CLOUD_POINT_SHARE = 0.05  # a point in a cloud covers what is within this share of the cloud's longest side


def scribble_radius_px(size_hw: tuple[int, int]) -> float:
    """Radius in pixels of the disc that a ``Point`` covers, and of the line of a ``Scribble``."""
    return max(SCRIBBLE_MIN_RADIUS_PX, SCRIBBLE_RADIUS_SHARE * max(size_hw))


def rasterise(region: Region, size_hw: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Mask of the pixels inside a region of an image; at least one pixel. Raises InputError for other regions."""
    if region.form == "mask":
        return _mask_array(region, size_hw).copy()
    mask = np.zeros(size_hw, dtype=bool)
    top, left, patch = pixel_patch(region, size_hw)
    mask[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return mask


def pixel_patch(region: Region, size_hw: tuple[int, int]) -> tuple[int, int, Bool[np.ndarray, "rows columns"]]:
    """(top, left, patch): the part of ``rasterise(region, size_hw)`` that holds all its pixels."""
    match region.form:
        case "box":
            top, left, rows, columns = box_pixels(region.box, size_hw)
            return top, left, np.ones((rows, columns), dtype=bool)
        case "mask":
            return 0, 0, _mask_array(region, size_hw)
        case "point" if len(region.point) == 2:
            return _scribble_patch(np.array([region.point]), size_hw)
        case "scribble" if len(region.scribble):
            return _scribble_patch(region.scribble, size_hw)
        case "polygon" if len(region.polygon):
            return _polygon_patch(region.polygon, size_hw)
    raise InputError(
        f"a {region.constructor} has no pixels: an image takes Point(x, y), Box, Scribble, Polygon or Mask"
    )


def box_pixels(box_xyxy: tuple[float, ...], size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, rows, columns) of the pixels whose centres are inside a box, at least one each way."""
    x1, y1, x2, y2 = box_xyxy
    left, right = _axis_pixels(x1, x2, size_hw[1])
    top, bottom = _axis_pixels(y1, y2, size_hw[0])
    return top, left, bottom - top, right - left


def _axis_pixels(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(math.ceil(low - 0.5), 0), size)
    last = min(max(math.ceil(high - 0.5), 0), size)
    if first >= last:  # thinner than a pixel, or outside the image: the pixel nearest to its middle
        first = min(max(math.floor((low + high) / 2), 0), size - 1)
        last = first + 1
    return first, last


def _mask_array(region: Region, size_hw: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    mask = region.mask_array
    if mask.shape != tuple(size_hw):
        raise InputError(f"Mask must have the image's size (height, width) {tuple(size_hw)}, got {mask.shape}")
    return mask


def _patch_around(points: np.ndarray, radius: float, size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    (left, top), (right, bottom) = points.min(axis=0) - radius, points.max(axis=0) + radius
    left, right = _axis_pixels(math.floor(left), math.ceil(right), size_hw[1])
    top, bottom = _axis_pixels(math.floor(top), math.ceil(bottom), size_hw[0])
    return top, left, bottom, right


def _scribble_patch(points: np.ndarray, size_hw: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """Pixels within the scribble's radius of the line through the points (k, 2)."""
    radius = scribble_radius_px(size_hw)
    top, left, bottom, right = _patch_around(points, radius, size_hw)
    patch = np.zeros((bottom - top, right - left), dtype=bool)
    ends = points[1:] if len(points) > 1 else points
    for start, end in zip(points, ends, strict=False):
        segment = np.stack([start, end])
        row, column, last_row, last_column = _patch_around(segment, radius, size_hw)
        x = np.arange(column, last_column) + (0.5 - start[0])
        y = (np.arange(row, last_row) + (0.5 - start[1]))[:, None]
        dx, dy = (end - start).tolist()
        length_squared = dx * dx + dy * dy
        along = np.clip((x * dx + y * dy) / length_squared, 0, 1) if length_squared > 0 else 0.0
        near = (x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius * radius
        patch[row - top : last_row - top, column - left : last_column - left] |= near
    if not patch.any():
        patch[patch.shape[0] // 2, patch.shape[1] // 2] = True
    return top, left, patch


def _polygon_patch(points: np.ndarray, size_hw: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """Even-odd filling: every edge flips the pixels to the right of where it crosses the middle of their row."""
    top, left, bottom, right = _patch_around(points, 0.0, size_hw)
    rows, columns = bottom - top, right - left
    x1, y1 = points[:, 0] - left, points[:, 1] - top
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    first = np.clip(np.ceil(np.minimum(y1, y2) - 0.5), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(y1, y2) - 0.5), 0, rows).astype(np.int64)
    counts = last - first  # rows whose middle the edge crosses
    edge = np.repeat(np.arange(len(points)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    crossing_x = x1[edge] + (row + 0.5 - y1[edge]) * (x2 - x1)[edge] / (y2 - y1)[edge]
    column = np.clip(np.ceil(crossing_x - 0.5), 0, columns).astype(np.int64)
    flips = np.bincount(row * (columns + 1) + column, minlength=rows * (columns + 1)).reshape(rows, columns + 1)
    patch = np.cumsum(flips[:, :columns], axis=1) % 2 == 1
    if not patch.any():  # thinner than a pixel everywhere: the pixels of its corners
        patch[np.clip(y1, 0, rows - 1).astype(np.int64), np.clip(x1, 0, columns - 1).astype(np.int64)] = True
    return top, left, patch


def point_mask(region: Region, points_xyz: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    """Which points of a cloud are inside a region of it.

    ``Point`` covers the points within 5 % of the cloud's longest side, at least the nearest one; ``Box3D`` the points
    inside, borders included; ``PointSet`` its indices. Raises InputError for other regions, and for indices that the
    cloud does not have.
    """
    match region.form:
        case "point" if len(region.point) == 3:
            distance = np.linalg.norm(points_xyz - np.asarray(region.point), axis=1)
            reach = CLOUD_POINT_SHARE * float(np.ptp(points_xyz, axis=0).max())
            return distance <= max(reach, float(distance.min()))
        case "box3d":
            lows, highs = region.box3d[:3], region.box3d[3:]
            return ((points_xyz >= lows) & (points_xyz <= highs)).all(axis=1)
        case "points":
            indices = region.points
            if len(indices) and not (0 <= indices[0] and indices[-1] < len(points_xyz)):
                raise InputError(f"PointSet names points {indices[0]} to {indices[-1]} of a cloud of {len(points_xyz)}")
            mask = np.zeros(len(points_xyz), dtype=bool)
            mask[indices] = True
            return mask
    raise InputError(f"a {region.constructor} has no points of a cloud: use Point(x, y, z), Box3D or PointSet")
