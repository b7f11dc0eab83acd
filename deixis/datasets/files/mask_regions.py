"""Masks as run lengths and regions: of one mask, of COCO's ways to write one, of every value in a map at once.

Run lengths are COCO's, {"size": [height, width], "counts": text}. In annotations a mask comes as polygons, as run
lengths (compressed text or a list of numbers), or as a list of run lengths (as in refCLEF). Polygons are drawn by
pycocotools, by whose rule COCO's own masks are scored; it trusts its input, and a corner far away would take all
memory, so that everything is checked first. Independent of class and file.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64, Integer

from deixis.datasets.files.boxes import BoxXYXY
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region, mask_to_box_xyxy, mask_to_rle, rle_to_mask

MIN_CORNERS = 3


def mask_region(mask_hw: Bool[np.ndarray, "h w"], field: str = "mask") -> Region:
    """A mask and the smallest box around it. Raises DataError for a mask without a pixel."""
    box_xyxy = mask_to_box_xyxy(mask_hw)
    if box_xyxy is None:
        raise DataError(f"{field}: expected at least one pixel set, got none")
    return Region(box=tuple(box_xyxy.tolist()), mask=mask_to_rle(mask_hw))


def sound_region(box: Callable[[], BoxXYXY] | None, mask: Callable[[], dict[str, Any]] | None) -> tuple[Region, str]:
    """The region of an object's box and mask, or of the one that is sound; and why the other is not used, else "".

    box, mask: read the one and the other, or raise DataError; None: the object has none. A mask alone gives the box
    around it. Raises DataError, with the reason of each, where neither can be used.
    """
    found: list[Any] = []
    reasons: list[str] = []
    for read in (box, mask):
        try:
            found.append(read() if read else None)
        except DeixisError as error:
            found.append(None)
            reasons.append(str(error))
    box_xyxy, rle = found
    if box_xyxy is None and rle is None:
        raise DataError("; ".join(reasons) or "expected a bbox or a segmentation, got neither")
    used = "mask" if box_xyxy is None else "box"
    complaint = f"{reasons[0]}; the {used} is used alone" if reasons else ""
    return Region(box=box_xyxy or rle_box(rle), mask=rle), complaint


def rle_box(rle: dict[str, Any]) -> tuple[float, float, float, float]:
    """Edges x1, y1, x2, y2 of the smallest box around a mask that has a pixel.

    >>> rle_box({"size": [2, 2], "counts": "22"})
    (1.0, 0.0, 2.0, 2.0)
    """
    from pycocotools import mask as coco

    left, top, width, height = coco.toBbox({**rle, "counts": rle["counts"].encode("ascii")}).tolist()
    return left, top, left + width, top + height


def map_regions(values_hw: Integer[np.ndarray, "h w"]) -> list[tuple[int, Region]]:
    """(value, region) of each value in a map of whole numbers, in the order of the values.

    The map is gone through once, however many values it has: down the columns, as run lengths go, runs of one
    value are found, and those of a value are its mask.

    >>> [(value, region.box) for value, region in map_regions(np.array([[7, 7], [7, 2]]))]
    [(2, (1.0, 1.0, 2.0, 2.0)), (7, (0.0, 0.0, 2.0, 2.0))]
    """
    flat = values_hw.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts, ends = np.append(0, changes), np.append(changes, flat.size)
    order = np.argsort(flat[starts], kind="stable")
    found, firsts = np.unique(flat[starts][order], return_index=True)
    groups = np.split(order, firsts[1:])
    size_hw = values_hw.shape
    return [
        (value, _region_of_runs(starts[group], ends[group], size_hw))
        for value, group in zip(found.tolist(), groups, strict=True)
    ]


def _region_of_runs(
    starts: Int64[np.ndarray, " run"], ends: Int64[np.ndarray, " run"], size_hw: tuple[int, int]
) -> Region:
    """The mask that is set from each start to before its end, counted down the columns, and the box around it."""
    from pycocotools import mask as coco

    height, width = size_hw
    counts = np.empty(2 * len(starts) + 1, dtype=np.int64)
    counts[1::2] = ends - starts
    counts[0::2] = np.append(starts, height * width) - np.append(0, ends)
    rle = coco.frPyObjects(
        {"size": [height, width], "counts": counts[: -1 if counts[-1] == 0 else None].tolist()}, *size_hw
    )
    (first_column, first_row), (last_column, last_row) = np.divmod(starts, height), np.divmod(ends - 1, height)
    if (first_column != last_column).any():  # what goes on in the next column is at the bottom and at the top
        top, bottom = 0, height
    else:
        top, bottom = int(first_row.min()), int(last_row.max()) + 1
    box = (float(first_column[0]), float(top), float(last_column[-1] + 1), float(bottom))
    return Region(box=box, mask={"size": [height, width], "counts": rle["counts"].decode("ascii")})


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

    if not isinstance(rle, Mapping):
        raise DataError(f"segmentation: expected run lengths, as the first mask has, got {rle!r:.60}")
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
