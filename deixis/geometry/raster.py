"""Which pixels of an image, or points of a cloud, lie in a region.

A pixel belongs to a region if its centre does; a region thinner than a pixel still holds the pixel it lies in. Only
the rectangle around a region is worked on (``pixel_patch``), so that a small region of a large image is cheap.
"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from deixis.errors import InputError
from deixis.geometry.regions import Region

SCRIBBLE_RADIUS_SHARE = 0.015  # radius of a point or scribble, as a share of the image's longer side
SCRIBBLE_MIN_RADIUS_PX = 2.0
BLOCK = 1 << 18  # pairs of line and row worked on at once: an outline may cross every row thousands of times
TINY = 1e-12
CLOUD_POINT_SHARE = 0.05  # a point in a cloud covers what is within this share of the cloud's longest side


def scribble_radius_px(size_hw: tuple[int, int]) -> float:
    """Radius in pixels of the disc that a ``Point`` covers, and of the line of a ``Scribble``."""
    return max(SCRIBBLE_MIN_RADIUS_PX, SCRIBBLE_RADIUS_SHARE * max(size_hw))


def rasterise(region: Region, size_hw: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Mask of the pixels inside a region of an image; at least one pixel. Raises InputError for other regions."""
    if region.form == "mask":
        return _mask_array(region, size_hw).copy()
    top, left, patch = pixel_patch(region, size_hw)
    mask = np.zeros(size_hw, dtype=bool)
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
    """Pixels within the scribble's radius of the line through the points (k, 2).

    What is so near to a segment is convex, hence one run of pixels in every row that it touches.
    """
    radius = scribble_radius_px(size_hw)
    top, left, bottom, right = _patch_around(points, radius, size_hw)
    rows, columns = bottom - top, right - left
    starts = (points[:-1] if len(points) > 1 else points) - (left, top)
    ends = (points[1:] if len(points) > 1 else points) - (left, top)
    first = np.clip(np.ceil(np.minimum(starts, ends)[:, 1] - radius - 0.5), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(starts, ends)[:, 1] + radius + 0.5), 0, rows).astype(np.int64)
    turns = np.zeros(rows * (columns + 1), dtype=np.int32)
    for segment, row in _rows_in_blocks(first, last):
        low, high = _run_near(starts[segment], ends[segment], row + 0.5, radius)
        begin = np.clip(np.ceil(low - 0.5), 0, columns).astype(np.int64)
        end = np.clip(np.floor(high - 0.5) + 1, begin, columns).astype(np.int64)
        np.add.at(turns, row * (columns + 1) + begin, np.int32(1))  # a number of another type takes 20 times as long
        np.subtract.at(turns, row * (columns + 1) + end, np.int32(1))
    patch = _along_rows(turns, rows, columns) > 0
    if not patch.any():
        patch[patch.shape[0] // 2, patch.shape[1] // 2] = True
    return top, left, patch


def _along_rows(steps: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Sums of the steps from the left of each row, (rows, columns), in the memory of the steps: an image may be large.

    steps: (rows * (columns + 1),), the last of each row behind its pixels.
    """
    pixels = steps.reshape(rows, columns + 1)[:, :columns]
    return np.cumsum(pixels, axis=1, dtype=steps.dtype, out=pixels)


def _rows_in_blocks(first: np.ndarray, last: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(line, row) of the rows first..last-1 of every line, in blocks of at most `BLOCK` pairs, or one line's."""
    counts = last - first
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        stop = max(begin + 1, int(np.searchsorted(ends, (ends[begin - 1] if begin else 0) + BLOCK, side="right")))
        line = np.repeat(np.arange(begin, stop), counts[begin:stop])
        offset = ends[begin:stop] - counts[begin:stop] - (ends[begin - 1] if begin else 0)
        yield line, np.arange(len(line)) - offset[line - begin] + first[line]
        begin = stop


def _run_near(start: np.ndarray, end: np.ndarray, y: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) in x of what lies at a height y within a radius of a segment, row by row; low > high for nothing."""
    step = end - start
    length = np.hypot(step[:, 0], step[:, 1])
    lows, highs = [], []
    for centre in (start, end):  # the discs at both ends
        half = np.sqrt(np.maximum(radius**2 - (y - centre[:, 1]) ** 2, 0))
        touches = np.abs(y - centre[:, 1]) <= radius
        lows.append(np.where(touches, centre[:, 0] - half, np.inf))
        highs.append(np.where(touches, centre[:, 0] + half, -np.inf))
    # the strip between them: along the segment from 0 to its length, across it from -radius to radius
    (ux, uy), height = (step / np.maximum(length, TINY)[:, None]).T, y - start[:, 1]
    along = _between(ux, height * uy, np.zeros_like(length), length)
    across = _between(-uy, height * ux, np.full_like(length, -radius), np.full_like(length, radius))
    low, high = np.maximum(along[0], across[0]) + start[:, 0], np.minimum(along[1], across[1]) + start[:, 0]
    is_there = (low <= high) & (length >= TINY)  # of a shorter one the discs are all
    lows.append(np.where(is_there, low, np.inf))
    highs.append(np.where(is_there, high, -np.inf))
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _between(
    slope: np.ndarray, at_zero: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(first, last) x for which low <= slope * x + at_zero <= high; first > last for none."""
    is_level = np.abs(slope) < TINY
    safe = np.where(is_level, 1.0, slope)
    pair = (low - at_zero) / safe, (high - at_zero) / safe
    always = (at_zero >= low) & (at_zero <= high)
    first = np.where(is_level, np.where(always, -np.inf, np.inf), np.minimum(*pair))
    last = np.where(is_level, np.where(always, np.inf, -np.inf), np.maximum(*pair))
    return first, last


def _polygon_patch(points: np.ndarray, size_hw: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """Even-odd filling: every edge flips the pixels to the right of where it crosses the middle of their row."""
    top, left, bottom, right = _patch_around(points, 0.0, size_hw)
    rows, columns = bottom - top, right - left
    x1, y1 = points[:, 0] - left, points[:, 1] - top
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    first = np.clip(np.ceil(np.minimum(y1, y2) - 0.5), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(y1, y2) - 0.5), 0, rows).astype(np.int64)
    flips = np.zeros(rows * (columns + 1), dtype=np.uint8)  # odd or even, also once it has run over
    for edge, row in _rows_in_blocks(first, last):  # rows whose middle the edge crosses
        crossing_x = x1[edge] + (row + 0.5 - y1[edge]) * (x2 - x1)[edge] / (y2 - y1)[edge]
        column = np.clip(np.ceil(crossing_x - 0.5), 0, columns).astype(np.int64)
        np.add.at(flips, row * (columns + 1) + column, np.uint8(1))
    patch = (_along_rows(flips, rows, columns) & 1).view(bool)
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
