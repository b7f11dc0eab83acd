"""What the region sampler reads of a region: points inside it, and its bounding box.

Everything here starts from file units; only the last step goes through the frame. Regions are taken as checked
(``check.py``).
"""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from deixis.errors import InputError
from deixis.geometry.boxes import mask_to_box_xyxy
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame
from deixis.geometry.raster import box_pixels, pixel_patch, point_mask
from deixis.geometry.regions import Box, Point, Region, Span, region_digest

INSTANT_S = 0.1  # a point in audio covers this much before and after it
EDGE_PX = 1e-6  # what rounding may take from the border of a window


def region_points(region: Region, frame: Frame, count: int, seed: int | None = None) -> Float[np.ndarray, "count dim"]:
    """Unit coordinates, float32, of ``count`` points inside a region, at random but the same for the same seed.

    Images give pixel centres and clouds their points: a choice without repeats where there are enough, else all of
    them followed by random repeats (Ferret, You et al., ICLR 2024, section 3.2: points are sampled inside the region).
    Audio gives even instants, each moved at random within its share of the span, and videos such pixels at such
    instants. Without ``seed``, the seed is a digest of the region, so that the same question has the same answer.
    Raises InputError where the region holds nothing of the signal or lies outside the window of the frame.
    """
    region, extent = region.decoded(), frame.size
    if seed is None:
        seed = int.from_bytes(region_digest(region)[:8], "little")
    rng = np.random.default_rng(seed)
    match extent.axes:
        case "xy":
            file = _pixel_centres(region, extent.size_hw, frame, count, rng)
        case "t":
            file = _instants(region, extent, frame, count, rng)
        case "xyt":
            place, interval = video_parts(region, extent)
            pixels = _pixel_centres(place, extent.size_hw, frame, count, rng)
            instants = rng.permutation(_instants(interval, extent, frame, count, rng))  # no early pixels, late pixels
            file = np.concatenate([pixels, instants], axis=1)
        case "xyz":
            inside = np.flatnonzero(point_mask(region, extent.points_xyz))
            file = extent.points_xyz[inside[_pick(len(inside), count, rng)]]
        case _:
            raise InputError(f"{extent.noun} without positions has no points: no region can lie in it")
    return frame.to_unit(file).astype(np.float32)


def _pick(available: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) indices below ``available``: without repeats if it is enough, else all, then random repeats."""
    if available == 0:
        raise InputError("the region is empty: nothing of the signal lies inside it")
    if available >= count:
        return rng.choice(available, count, replace=False)
    return np.concatenate([np.arange(available), rng.integers(0, available, count - available)])


def video_parts(region: Region, extent: Extent) -> tuple[Region, Region]:
    """(region of its frames, region of its time) that a region of a video consists of."""
    height, width = extent.size_hw
    if region.form == "span":
        return Box(0, 0, width, height), region
    if region.form == "point" and len(region.point) == 3:
        x, y, time_s = region.point
        return Point(x, y), Point(time_s)
    return replace(region, time_s=None), Span(*(region.time_s or (0, extent.duration_s)))


def _pixel_centres(
    region: Region, size_hw: tuple[int, int], frame: Frame, count: int, rng: np.random.Generator
) -> np.ndarray:
    """(count, 2) centres of pixels inside a region that the network sees, as x and y."""
    if region.form == "box":  # all of its pixels, so no need to list them
        top, left, rows, columns = box_pixels(region.box, size_hw)
        patch, is_empty = None, False
    else:
        top, left, patch = pixel_patch(region, size_hw)
        (rows, columns), is_empty = patch.shape, not patch.any()
    first_row, last_row = _seen(frame, 1, top, top + rows)
    first_column, last_column = _seen(frame, 0, left, left + columns)
    columns = last_column - first_column
    if patch is not None:
        patch = patch[first_row - top : last_row - top, first_column - left : last_column - left]
    inside = None if patch is None else np.flatnonzero(patch)
    available = (last_row - first_row) * columns if inside is None else len(inside)
    if available == 0 and not is_empty:
        (x1, y1, *_), (x2, y2, *_) = frame.window
        raise InputError(
            f"the {region.constructor} lies outside what the model reads of this signal: x {max(x1, 0):g} to "
            f"{min(x2, size_hw[1]):g}, y {max(y1, 0):g} to {min(y2, size_hw[0]):g}"
        )
    chosen = _pick(available, count, rng)
    y, x = np.divmod(chosen if inside is None else inside[chosen], columns)
    return np.stack([x + (first_column + 0.5), y + (first_row + 0.5)], axis=1)


def _seen(frame: Frame, axis: int, first: int, last: int) -> tuple[int, int]:
    """The part of the pixels first..last-1 of an axis whose centres lie in the frame's window."""
    low, high = frame.window[0][axis], frame.window[1][axis]
    first = max(first, math.ceil(low - 0.5 - EDGE_PX))
    return first, max(first, min(last, math.floor(high - 0.5 + EDGE_PX) + 1))


def covered_s(region: Region) -> tuple[float, float]:
    """(start, end) in seconds of what a region of audio covers. Raises InputError for other regions."""
    match region.form:
        case "span":
            return region.span
        case "point" if len(region.point) == 1:
            return region.point[0] - INSTANT_S, region.point[0] + INSTANT_S
    raise InputError(f"a {region.constructor} has no instants of audio: use Span or Point(time_s)")


def _instants(region: Region, extent: Extent, frame: Frame, count: int, rng: np.random.Generator) -> np.ndarray:
    start_s, end_s = covered_s(region)
    (*_, window_start_s), (*_, window_end_s) = frame.window
    low_s, high_s = max(start_s, 0.0, window_start_s), min(end_s, extent.duration_s, window_end_s)
    if low_s >= high_s:
        raise InputError(
            f"the span {start_s:g} to {end_s:g} s lies outside what the model reads: "
            f"{max(window_start_s, 0.0):g} to {min(window_end_s, extent.duration_s):g} s"
        )
    shares = (np.arange(count) + rng.random(count)) / count
    return (low_s + shares * (high_s - low_s))[:, None]


def bounding_box(region: Region, extent: Extent) -> Float[np.ndarray, "lows_and_highs"]:
    """(2d,) lows, then highs, in file units: x1, y1, x2, y2 | start_s, end_s | x1, y1, z1, x2, y2, z2.

    Of a video, x1, y1, start_s, x2, y2, end_s. A ``Point`` gives its place twice. Raises InputError: the region is
    empty.
    """
    if extent.axes == "xyt" and not (region.form == "point" and len(region.point) == extent.dim):
        place, interval = video_parts(region, extent)
        pixels = bounding_box(place, Extent(extent.modality, size_hw=extent.size_hw))
        start_s, end_s = interval.span
        return np.array([*pixels[:2], start_s, *pixels[2:], end_s])
    match region.form:
        case "point":
            return np.array([region.point, region.point]).ravel()
        case "box" | "span" | "box3d":
            return np.array(getattr(region, region.form))
        case "scribble" | "polygon":
            corners = getattr(region, region.form)
        case "mask":
            around = mask_to_box_xyxy(region.mask_array)
            if around is None:
                raise InputError("the Mask is empty: none of its pixels is set")
            return around
        case "points":
            corners = extent.points_xyz[point_mask(region, extent.points_xyz)].astype(np.float64)
    if len(corners) == 0:
        raise InputError(f"the {region.constructor} is empty: it has no points")
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])
