"""Whether a region fits the signal it points into: the one place where regions given by users are refused.

All other code takes regions as checked. It does not know how many signals there are.
"""

import numpy as np

from deixis.errors import InputError
from deixis.geometry.extent import Extent
from deixis.geometry.raster import point_mask
from deixis.geometry.regions import Region

SLACK_PX = 1.0  # annotations of public data sets overshoot by parts of a pixel
SLACK_S = 0.05
SLACK_CLOUD_SHARE = 0.05

_AXES = dict.fromkeys(("box", "scribble", "polygon", "mask"), "xy") | {"span": "t", "box3d": "xyz", "points": "xyz"}
_POINT_AXES = ("t", "xy", "xyt xyz")  # of a Point with one, two, three coordinates
_TAKES = {"xy": ("xy",), "t": ("t",), "xyt": ("xyt", "xy", "t"), "xyz": ("xyz",)}
"""Axes of a signal -> axes of the regions it takes: in a video, a Box holds for all times, a Span for all pixels."""
_PLACES = {"t": "audio", "xy": "an image", "xyz": "a point cloud", "xyt": "a video", "xyt xyz": "a point cloud"}
_USE = {
    "t": "use Span, or Point with one instant",
    "xy": "use Box, Polygon, Scribble, Mask, or Point with x and y",
    "xyt": "use Tube, Box, Span, or Point with x, y and a time",
    "xyz": "use Box3D, PointSet, or Point with x, y and z",
    "": "its values have no positions, so that no region can lie in it",
}


def check_region(region: Region, extent: Extent) -> None:
    """Raises InputError, in one sentence, unless the region lies on a signal of this extent and holds some of it.

    >>> from deixis.geometry import Box
    >>> check_region(Box(0, 0, 9, 9, signal=1), Extent("audio", duration_s=2.0))
    Traceback (most recent call last):
    ...
    deixis.errors.InputError: a Box points into an image, but signal 1 is audio: use Span, or Point with one instant
    """
    if not isinstance(region, Region):
        raise InputError(
            f"a region must be one of Point, Box, Scribble, Polygon, Mask, Span, Tube, Box3D, PointSet, "
            f"got {type(region).__name__}"
        )
    count = len(region.point) if region.form == "point" else 0
    home = _POINT_AXES[count - 1] if count else _AXES[region.form]
    if home == "xy" and region.time_s is not None:
        home = "xyt"
    takes = (extent.axes,) if count else _TAKES.get(extent.axes, ())
    if not any(axes and axes in takes for axes in home.split()):
        name = f"Point with {count} coordinate{'s' * (count > 1)}" if count else region.constructor
        raise InputError(
            f"a {name} points into {_PLACES[home]}, but signal {region.signal} is {extent.noun}: {_USE[extent.axes]}"
        )
    if extent.axes == "xyz":
        _check_in_cloud(region, extent)
        return
    if region.form != "span" and count != 1:
        _check_in_image(region, extent)
    if region.interval_s is not None:
        _check_in_time(region, extent)


def _check_finite(region: Region, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise InputError(f"{region.constructor} needs finite coordinates, got NaN or infinity")


def _check_order(region: Region, low: float, high: float, axis: str) -> None:
    if low > high:
        raise InputError(f"{region.constructor} is reversed in {axis}: it goes from {low:g} to {high:g}; swap them")
    if low == high:
        raise InputError(f"{region.constructor} is empty: it begins and ends at {axis} = {low:g}")


def _word(extent: Extent) -> str:
    """The noun without its article: "lies outside its audio"."""
    return extent.noun.removeprefix("an ").removeprefix("a ").removeprefix("point ")


def _check_in_image(region: Region, extent: Extent) -> None:
    height, width = extent.size_hw
    if region.form == "mask":
        mask = region.mask_array
        if mask.shape != (height, width):
            raise InputError(
                f"Mask must have the size of its image, {width} x {height} pixels, "
                f"got {mask.shape[1]} x {mask.shape[0]}"
            )
        if not mask.any():
            raise InputError("Mask is empty: none of its pixels is set")
        return
    if region.form == "point":
        corners = np.array([region.point[:2]])
    else:
        corners = np.reshape(getattr(region, region.form), (-1, 2))
    needed = 3 if region.form == "polygon" else 1
    if len(corners) < needed:
        raise InputError(f"{region.constructor} needs at least {needed} point{'s' * (needed > 1)}, got {len(corners)}")
    _check_finite(region, corners)
    if region.form == "box":
        for axis, low, high in zip("xy", *corners, strict=True):
            _check_order(region, low, high, axis)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    if left < -SLACK_PX or top < -SLACK_PX or right > width + SLACK_PX or bottom > height + SLACK_PX:
        raise InputError(
            f"{region.constructor} lies outside its {_word(extent)}: it covers x {left:g} to {right:g}, y {top:g} "
            f"to {bottom:g}, and signal {region.signal} is {width} x {height} pixels"
        )
    if right < 0 or bottom < 0 or left > width or top > height:
        raise InputError(f"{region.constructor} lies on no pixel of signal {region.signal}, {width} x {height}")


def _check_in_time(region: Region, extent: Extent) -> None:
    duration_s = float(extent.duration_s or 0)
    low_s, high_s = region.interval_s
    is_instant = region.form == "point" and len(region.point) != 2
    _check_finite(region, np.array([low_s, high_s]))
    if not is_instant:
        _check_order(region, low_s, high_s, "time")
    overlaps = is_instant or (high_s > 0 and low_s < duration_s)
    if low_s < -SLACK_S or high_s > duration_s + SLACK_S or not overlaps:
        raise InputError(
            f"{region.constructor} lies outside its {_word(extent)}: it covers {low_s:g} to {high_s:g} s, "
            f"and signal {region.signal} is {duration_s:g} s long"
        )


def _check_in_cloud(region: Region, extent: Extent) -> None:
    points_xyz = extent.points_xyz
    if region.form == "points":
        if not point_mask(region, points_xyz).any():
            raise InputError("PointSet is empty: it has no indices")
        return
    if region.form == "box3d":
        lows, highs = region.box3d[:3], region.box3d[3:]
        _check_finite(region, np.array([lows, highs]))
        for axis, low, high in zip("xyz", lows, highs, strict=True):
            _check_order(region, low, high, axis)
        if not point_mask(region, points_xyz).any():
            raise InputError(
                f"Box3D is empty: no point of signal {region.signal} lies inside it ({_bounds(points_xyz)})"
            )
        return
    place = np.array(region.point)
    _check_finite(region, place)
    lows, highs = points_xyz.min(axis=0), points_xyz.max(axis=0)
    slack = SLACK_CLOUD_SHARE * float((highs - lows).max()) or float(np.abs(lows).max()) * 1e-6 + 1e-9
    if (place < lows - slack).any() or (place > highs + slack).any():
        raise InputError(
            f"Point lies outside its {_word(extent)}: {region.point}, and signal {region.signal} covers "
            f"{_bounds(points_xyz)}"
        )


def _bounds(points_xyz: np.ndarray) -> str:
    lows, highs = points_xyz.min(axis=0), points_xyz.max(axis=0)
    return ", ".join(f"{axis} {low:g} to {high:g}" for axis, low, high in zip("xyz", lows, highs, strict=True))
