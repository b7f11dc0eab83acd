"""From the region records of samples to the regions that questions point with."""

import numpy as np

from deixis.errors import DataError
from deixis.geometry import Box, Box3D, Mask, Point, PointSet, Region, Span
from deixis.samples.sample import RegionRecord


def to_region(record: RegionRecord) -> Region:
    """The region that a record points at, by the first of its forms: mask, points, box, span, box3d, point.

    Raises ValueError for a record without any of them.
    """
    if record.mask is not None:
        mask = record.mask
        of = Mask if isinstance(mask, np.ndarray) else Mask.from_rle
        return of(mask, signal=record.signal)
    if record.points is not None:
        return PointSet(record.points, signal=record.signal)
    for value, kind in ((record.box, Box), (record.span, Span), (record.box3d, Box3D), (record.point, Point)):
        if value is not None:
            return kind(*value, signal=record.signal)
    raise DataError("region: expected a mask, points, box, span, box3d or point; got a record without any")
