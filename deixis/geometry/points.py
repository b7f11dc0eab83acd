"""What the region sampler reads of a region: points inside it, and its bounding box.

Everything here starts from file units; only the last step goes through the frame. Regions are taken as checked
(``check.py``).
"""

import numpy as np
from jaxtyping import Float

from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame
from deixis.geometry.raster import box_pixels, pixel_patch, point_mask
from deixis.geometry.regions import Box, Box3D, Mask, Point, PointSet, Polygon, Region, Scribble, Span, region_digest

INSTANT_S = 0.1  # a point in a sound means this much before and after it


def region_points(
    region: Region, extent: Extent, frame: Frame, count: int, seed: int | None = None
) -> Float[np.ndarray, "count dim"]:
    """Unit coordinates, float32, of ``count`` points inside a region, at random but the same for the same seed.

    Pictures give pixel centres and clouds their points: a choice without repeats where there are enough, else all of
    them followed by random repeats (Ferret, You et al., ICLR 2024, section 3.2: points are sampled inside the region).
    Sounds give even instants, each moved at random within its share of the span. Without ``seed``, the seed is a
    digest of the region, so that the same question has the same answer. Raises ValueError where the region holds
    nothing of the signal or lies outside the window of the frame.
    """
    if seed is None:
        seed = int.from_bytes(region_digest(region)[:8], "little")
    rng = np.random.default_rng(seed)
    if extent.size_hw is not None:
        file = _pixel_centres(region, extent.size_hw, count, rng)
    elif extent.duration_s is not None:
        file = _instants(region, extent, frame, count, rng)
    else:
        inside = np.flatnonzero(point_mask(region, extent.points_xyz))
        file = extent.points_xyz[inside[_pick(len(inside), count, rng)]]
    return frame.to_unit(file).astype(np.float32)


def _pick(available: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) indices below ``available``: without repeats if it is enough, else all, then random repeats."""
    if available == 0:
        raise ValueError("the region is empty: nothing of the signal lies inside it")
    if available >= count:
        return rng.choice(available, count, replace=False)
    return np.concatenate([np.arange(available), rng.integers(0, available, count - available)])


def _pixel_centres(region: Region, size_hw: tuple[int, int], count: int, rng: np.random.Generator) -> np.ndarray:
    if isinstance(region, Box):  # all of its pixels, so no need to list them
        top, left, rows, columns = box_pixels(region, size_hw)
        inside = _pick(rows * columns, count, rng)
    else:
        top, left, patch = pixel_patch(region, size_hw)
        columns = patch.shape[1]
        flat = np.flatnonzero(patch)
        inside = flat[_pick(len(flat), count, rng)]
    y, x = np.divmod(inside, columns)
    return np.stack([x + (left + 0.5), y + (top + 0.5)], axis=1)


def _instants(region: Region, extent: Extent, frame: Frame, count: int, rng: np.random.Generator) -> np.ndarray:
    match region:
        case Span(start_s=start_s, end_s=end_s):
            pass
        case Point(coords=(time_s,)):
            start_s, end_s = time_s - INSTANT_S, time_s + INSTANT_S
        case _:
            raise ValueError(f"a {type(region).__name__} has no instants of a sound: use Span or Point(time_s)")
    window_start_s, window_end_s = frame.origin[0], frame.origin[0] + frame.extent[0]
    low_s, high_s = max(start_s, 0.0, window_start_s), min(end_s, extent.duration_s, window_end_s)
    if low_s >= high_s:
        raise ValueError(
            f"the span {start_s:g} to {end_s:g} s lies outside what the model hears: "
            f"{max(window_start_s, 0.0):g} to {min(window_end_s, extent.duration_s):g} s"
        )
    shares = (np.arange(count) + rng.random(count)) / count
    return (low_s + shares * (high_s - low_s))[:, None]


def bounding_box(region: Region, extent: Extent) -> Float[np.ndarray, "lows_and_highs"]:
    """(2d,) lows, then highs, in file units: x1, y1, x2, y2 | start_s, end_s | x1, y1, z1, x2, y2, z2.

    A ``Point`` gives its place twice. Raises ValueError for an empty region.
    """
    match region:
        case Point(coords=coords):
            return np.array(coords * 2)
        case Box():
            return np.array([region.x1, region.y1, region.x2, region.y2])
        case Span():
            return np.array([region.start_s, region.end_s])
        case Box3D():
            return np.array([region.x1, region.y1, region.z1, region.x2, region.y2, region.z2])
        case Scribble(points=corners) | Polygon(points=corners):
            pass
        case Mask(array=array):
            rows, columns = np.flatnonzero(array.any(axis=1)), np.flatnonzero(array.any(axis=0))
            if len(rows) == 0:
                raise ValueError("the Mask is empty: none of its pixels is set")
            return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
        case PointSet():
            corners = extent.points_xyz[point_mask(region, extent.points_xyz)].astype(np.float64)
    if len(corners) == 0:
        raise ValueError(f"the {type(region).__name__} is empty: it has no points")
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])
