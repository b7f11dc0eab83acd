"""Views of signals made of places: point clouds in colours, fMRI responses as voxels, numbers without places."""

from typing import Any

import numpy as np

from deixis.serving.studio.views import Part, array_part
from deixis.signals import Signal

MAX_POINTS = 300_000
"""More points of a cloud than that are thinned: a browser draws so many smoothly."""
MAX_VALUES = 200_000
LOW, HIGH = 2, 98
"""Percentiles of a response between which it is drawn."""


def places(signal: Signal) -> tuple[dict[str, Any], list[Part]]:
    """The points of a cloud, xyz and rgb, or the voxels of a response: xyz, value, and their cells in the file's grid.

    Of a thinned cloud "indices" say which of the file's points are shown.
    """
    values, xyz = signal.values, signal.extent.points_xyz
    assert xyz is not None, "places are points"
    step = -(-len(xyz) // MAX_POINTS)
    shown = np.arange(0, len(xyz), step)
    parts = [array_part("xyz", lambda: xyz[shown], (len(shown), 3))]
    if step > 1:
        parts.append(array_part("indices", lambda: shown, shown.shape, "<u4"))
    facts: dict[str, Any] = {"drawn_as": "points", "shown_count": len(shown), "place_unit": ""}
    if values.ndim == 2:
        parts.append(array_part("rgb", lambda: values[shown, 3:6], (len(shown), 3)))
        return facts, parts
    facts |= {"drawn_as": "voxels", "place_unit": "mm", **_scale(values)}
    cells = np.asarray(signal.info["cells"]).astype(np.int32)
    cells = cells - cells.min(axis=0)
    facts["grid"] = [int(side) for side in cells.max(axis=0) + 1]
    parts.append(array_part("values", lambda: values[shown], shown.shape))
    parts.append(array_part("cells", lambda: cells[shown], (len(shown), 3), "<i4"))
    return facts, parts


def numbers(signal: Signal) -> tuple[dict[str, Any], list[Part]]:
    """Values in the file's order, where nothing says where they lie."""
    values = signal.values[:MAX_VALUES]
    return {"drawn_as": "numbers", **_scale(values)}, [array_part("values", lambda: values, values.shape)]


def _scale(values: np.ndarray) -> dict[str, float]:
    """The values that the darkest and the brightest colour stand for."""
    low, high = np.percentile(values, (LOW, HIGH))
    return {"low": round(float(low), 4), "high": round(float(high), 4)}
