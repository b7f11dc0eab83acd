"""COCO's ways to write a mask, as one: run lengths {"size": [height, width], "counts": text}.

A mask comes as polygons, as run lengths (compressed text or a list of numbers), or as a list of run lengths (as in
refCLEF). Polygons are drawn by pycocotools, by whose rule COCO's own masks are scored; it trusts its input, and a
corner far away would take all memory, so that everything is checked first. Independent of annotation and file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from deixis.errors import DataError, DeixisError
from deixis.geometry import rle_to_mask

MIN_CORNERS = 3


def segmentation_rle(segmentation: Any, size_hw: tuple[int, int]) -> dict[str, Any]:
    """{"size": [height, width], "counts": text} of the field `segmentation` of a COCO annotation.

    segmentation: polygons [[x1, y1, x2, y2, ...], ...], run lengths {"size", "counts": text or numbers}, or a list of
    run lengths; several are joined. Polygons of fewer than three corners draw nothing and are skipped. size_hw: of the
    image, in pixels. Raises DataError for anything else, and for a mask without a pixel.

    >>> segmentation_rle([[0, 0, 2, 0, 2, 1, 0, 1]], (2, 3))
    {'size': [2, 3], 'counts': '01102'}
    """
    from pycocotools import mask as coco

    parts = [segmentation] if isinstance(segmentation, Mapping) else segmentation
    if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
        raise DataError(f"segmentation: expected polygons or run lengths, got {segmentation!r:.60}")
    if isinstance(parts[0], Mapping):
        codes = [_checked_rle(part, size_hw) for part in parts]
    else:
        polygons = [_checked_polygon(part, size_hw).tolist() for part in parts]
        # of four numbers pycocotools would make a box
        polygons = [polygon for polygon in polygons if len(polygon) >= 2 * MIN_CORNERS]
        codes = coco.frPyObjects(polygons, *size_hw) if polygons else []
    joined = coco.merge(codes) if len(codes) > 1 else codes[0] if codes else None
    if joined is None or not coco.area(joined):
        raise DataError("segmentation: expected at least one pixel of the image, got none")
    return {"size": list(size_hw), "counts": joined["counts"].decode("ascii")}


def _checked_polygon(polygon: Any, size_hw: tuple[int, int]) -> Float[np.ndarray, "number"]:
    """x1, y1, x2, y2, ... of a polygon that lies within an image's size of the image."""
    try:
        numbers = np.asarray(polygon)
    except ValueError:  # ragged
        numbers = np.zeros(0, dtype=object)
    if numbers.ndim != 1 or numbers.dtype.kind not in "if" or len(numbers) % 2:
        raise DataError(f"segmentation: expected a polygon x1, y1, x2, y2, ..., got {polygon!r:.60}")
    numbers = numbers.astype(np.float64)
    corners_xy, reach_xy = numbers.reshape(-1, 2), np.array(size_hw[::-1], dtype=np.float64)
    low, high = (bound(axis=0, initial=0.0) for bound in (corners_xy.min, corners_xy.max))
    if not ((low >= -reach_xy) & (high <= 2 * reach_xy)).all():  # false for NaN too
        raise DataError(
            f"segmentation: expected corners on the image of {size_hw[1]} x {size_hw[0]} pixels, "
            f"got one far off it among {polygon!r:.60}"
        )
    return numbers


def _checked_rle(rle: Any, size_hw: tuple[int, int]) -> dict[str, Any]:
    """Compressed run lengths as pycocotools takes them, of run lengths that fill the image."""
    from pycocotools import mask as coco

    try:
        mask = rle_to_mask(dict(rle))
    except (TypeError, DeixisError) as error:
        raise DataError(f"segmentation: {error}") from None
    if mask.shape != size_hw:
        raise DataError(f"segmentation: expected the image's size {list(size_hw)}, got {list(mask.shape)}")
    counts = rle["counts"]
    if isinstance(counts, str | bytes):
        return {"size": list(size_hw), "counts": counts.encode("ascii") if isinstance(counts, str) else counts}
    return coco.frPyObjects({"size": list(size_hw), "counts": [int(run) for run in counts]}, *size_hw)
