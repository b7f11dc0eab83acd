"""Where the region sampler reads: the points of a region, and the places in the field that their features come from.

`read_field` is the rule of the union: points sampled in the region, read where they lie. A system whose weights were
trained with another rule has its own; a processor names its rule by a key of `REGION_READERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from deixis.geometry import Frame, Region, region_points


@dataclass(frozen=True)
class SampledPoints:
    """(point, axis) unit coordinates of a region's points, and of where the field is read, if elsewhere."""

    points: Float32[np.ndarray, "point axis"]
    places: Float32[np.ndarray, "point axis"] | None = None


def read_field(region: Region, frame: Frame, count: int, axes: int, side: int) -> SampledPoints:
    """Points sampled in the region (`deixis.geometry.region_points`), absent axes zero; read where they lie."""
    points = region_points(region, frame, count)
    return SampledPoints(np.pad(points, ((0, 0), (0, axes - points.shape[1]))).astype(np.float32))


RegionReader = Callable[[Region, Frame, int, int, int], SampledPoints]
"""(region, frame of its signal, number of points, axes, cells per side of the field) -> where the sampler reads."""
REGION_READERS = {
    "field": "deixis.model.regions.sampled_points:read_field",
    "ferret": "deixis.systems.ferret.sampling:read_ferret",
}
"""Import path of each rule, loaded where it is used."""
