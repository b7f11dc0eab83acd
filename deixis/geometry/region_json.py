"""Regions as JSON: the one codec of the sample format (`samples/schema.json`) and of answers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deixis.geometry.raster import rasterise
from deixis.geometry.regions import Region

_COORDINATES = ("point", "box", "span", "box3d", "time_s")
_PLAIN = (*_COORDINATES, "ignore", "crowd")  # in the order in which they are written


def region_from_json(values: Mapping[str, Any]) -> Region:
    """The region of an object of the sample format. Raises InputError where a value is not of the shape of its form.

    >>> region_from_json({"signal": 1, "box": [1, 2, 3, 4]})
    Region(box=(1.0, 2.0, 3.0, 4.0), signal=1)
    """
    return Region(**{name: tuple(value) if name in _COORDINATES else value for name, value in values.items()})


def region_to_json(region: Region, size_hw: tuple[int, int] | None = None) -> dict[str, Any]:
    """An object of the sample format: plain JSON values, masks as COCO run lengths, absent fields missing.

    The format has no scribbles and polygons: they are written as the mask of their pixels in an image of `size_hw`,
    or, where no size is given, as the box around them. Label, score and phrase are not part of the format.

    >>> region_to_json(Region(box=(1, 2, 3, 4), signal=1))
    {'signal': 1, 'box': [1.0, 2.0, 3.0, 4.0]}
    """
    values: dict[str, Any] = {"signal": region.signal}
    for name in _PLAIN:
        value = getattr(region, name)
        if value:
            values[name] = list(value) if isinstance(value, tuple) else value
    if region.mask is not None:
        values["mask"] = region.mask_rle
    elif region.form in ("polygon", "scribble"):
        if size_hw is not None:
            values["mask"] = Region(mask=rasterise(region, size_hw)).mask_rle
        elif region.box is None:
            corners = np.asarray(getattr(region, region.form))
            values["box"] = [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()]
    if region.points is not None:
        values["points"] = np.asarray(region.points).tolist()
    return values
