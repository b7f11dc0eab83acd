"""Regions as JSON: the one codec of the sample format (`samples/schema.json`) and of answers; and regions in the other
forms in which a question may name them: four numbers, a mask.
"""

from collections.abc import Mapping
from dataclasses import fields
from itertools import islice
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.geometry.raster import rasterise
from deixis.geometry.regions import Region
from deixis.options import did_you_mean, length_of, shown

MAX_REGIONS = 1000
"""Of one question or answer: each takes tokens, of which a prompt has a few thousand."""
_FIELDS = tuple(field.name for field in fields(Region))
_COORDINATES = ("point", "box", "span", "box3d", "time_s")
_PLAIN = (*_COORDINATES, "ignore", "crowd")  # in the order in which they are written


def region_from_json(values: Mapping[str, Any]) -> Region:
    """The region of an object of the sample format, or of a further form or field of `Region`; null is absent.

    Raises InputError for an unknown field, and where a value is not of the shape of its form.

    >>> region_from_json({"signal": 1, "box": [1, 2, 3, 4]})
    Region(box=(1.0, 2.0, 3.0, 4.0), signal=1)
    """
    for name in values:
        if name not in _FIELDS:
            raise InputError(f"region: expected fields {', '.join(_FIELDS)}; got {name!r}{did_you_mean(name, _FIELDS)}")
    given = {name: value for name, value in values.items() if value is not None}
    return Region(**{name: _numbers(name, value) if name in _COORDINATES else value for name, value in given.items()})


def _numbers(name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str | Mapping) or not _are_several(values):
        raise InputError(f"region: expected a list of numbers as {name}, got {shown(values)}")
    return tuple(values.tolist() if hasattr(values, "tolist") else values)  # of an array, plain numbers


def _are_several(values: Any) -> bool:
    """Whether values come one after the other; an array without dimensions has what makes an Iterable, and none."""
    try:
        iter(values)
    except TypeError:
        return False
    return True


def as_regions(values: Any) -> tuple[Region, ...]:
    """The regions of a question: each a `Region`, its JSON, (x1, y1, x2, y2) in pixels, or a mask of booleans.

    Raises InputError, one sentence, for anything else.

    >>> as_regions([(1, 2, 3, 4), {"span": [0, 1]}])
    (Region(box=(1.0, 2.0, 3.0, 4.0)), Region(span=(0.0, 1.0)))
    """
    if values is None:
        raise InputError("regions: expected a list of regions, got None; leave it out where there are none")
    if isinstance(values, Region | Mapping | str) or not _are_several(values):
        raise InputError(f"regions: expected a list of regions, got one {type(values).__name__}; put it into a list")
    listed = list(islice(values, MAX_REGIONS + 1))
    check_region_count(length_of(values) or len(listed))
    return tuple(_as_region(value, number) for number, value in enumerate(listed))


def check_region_count(count: int) -> None:
    """Raises InputError for more regions than one question or answer may have."""
    if count > MAX_REGIONS:
        raise InputError(f"regions: expected at most {MAX_REGIONS} of one question, got {count}")


def _as_region(value: Any, number: int) -> Region:
    if isinstance(value, Region):
        return value
    if isinstance(value, Mapping):
        return region_from_json(value)
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except (TypeError, ValueError):  # nested lists of uneven length
        array = np.empty(0, dtype=object)
    if array.dtype == bool and array.ndim == 2:
        return Region(mask=array)
    if array.dtype.kind in "iuf" and array.shape == (4,):
        return Region(box=tuple(array.tolist()))
    is_numbers = array.dtype.kind in "biuf" and array.ndim
    got = f"{array.dtype} of shape {array.shape}" if is_numbers else type(value).__name__
    raise InputError(
        f"regions[{number}]: expected a region as Box(x1, y1, x2, y2), its JSON as {{'box': [x1, y1, x2, y2]}}, four "
        f"numbers x1, y1, x2, y2 in pixels or a mask (height, width) of booleans, got {got}"
    )


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
