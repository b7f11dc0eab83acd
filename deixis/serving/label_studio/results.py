"""Regions to and from Label Studio's results: percent of the image, seconds, brush strokes as packed bytes."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import numpy as np

from deixis.geometry import Extent, Region, bounding_box, rasterise
from deixis.geometry.outlines import mask_outlines
from deixis.serving.errors import RequestError
from deixis.serving.label_studio.brush_rle import decode, encode
from deixis.serving.label_studio.config import Control

PERCENT = 100.0


def drawn_region(result: Mapping[str, Any], extent: Extent) -> Region | None:
    """The region that a person drew, in the units of the file; None for a result that is no region.

    Raises RequestError for values that are none of Label Studio's.
    """
    value, kind = result.get("value") or {}, str(result.get("type", ""))
    try:
        if "start" in value and extent.duration_s is not None:
            return Region(span=(float(value["start"]), min(float(value["end"]), extent.duration_s)))
        if extent.size_hw is None:
            return None
        height, width = extent.size_hw
        scale = np.array([width, height]) / PERCENT
        if "rle" in value:
            return Region(mask=decode(list(value["rle"]), height, width))
        if "points" in value:
            return Region(polygon=np.array(value["points"], float) * scale)
        if "x" not in value:
            return None
        corner = np.array([value["x"], value["y"]], float) * scale
        if kind.startswith("keypoint"):
            return Region(point=tuple(np.minimum(corner, [width - 0.5, height - 0.5]).tolist()))
        far = corner + np.array([value["width"], value["height"]], float) * scale
        return Region(box=(*corner.tolist(), *np.minimum(far, [width, height]).tolist()))
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(f"context.result: expected a region of Label Studio; got another value ({error})") from None


def region_results(region: Region, control: Control, label: str, extent: Extent) -> list[dict[str, Any]]:
    """A region of an answer as results of a control tag: one, or one an outline of a polygon; none where empty."""
    values = _values(region, control, extent)
    head: dict[str, Any] = {"from_name": control.name, "to_name": control.to_name, "type": control.type}
    if extent.size_hw is not None:
        head |= {"original_height": extent.size_hw[0], "original_width": extent.size_hw[1], "image_rotation": 0}
    score = {} if region.score is None else {"score": round(region.score, 4)}
    return [{"id": uuid4().hex[:10], **head, **score, "value": {**value, control.type: [label]}} for value in values]


def _values(region: Region, control: Control, extent: Extent) -> list[dict[str, Any]]:
    if region.is_empty:
        return []
    if control.type == "labels":
        interval = region.interval_s
        return [] if interval is None else [{"start": interval[0], "end": interval[1], "channel": 0}]
    assert extent.size_hw is not None, "other tags are for images"
    height, width = extent.size_hw
    scale = PERCENT / np.array([width, height])
    if control.type == "rectanglelabels":
        x1, y1, x2, y2 = bounding_box(region, extent).tolist()
        corner, size = np.array([x1, y1]) * scale, np.array([x2 - x1, y2 - y1]) * scale
        return [{"x": corner[0], "y": corner[1], "width": size[0], "height": size[1], "rotation": 0}]
    mask = rasterise(region, extent.size_hw)
    if control.type == "brushlabels":
        return [{"format": "rle", "rle": encode(mask)}]
    return [{"points": (np.asarray(outline) * scale).tolist(), "closed": True} for outline in mask_outlines(mask)]
