"""Regions of masks: of one mask, of run lengths, and of every value in a map of numbers at once.

Run lengths are COCO's, {"size": [height, width], "counts": text}. Independent of class and file.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, Integer

from deixis.errors import DataError
from deixis.geometry import Region, mask_to_box_xyxy, mask_to_rle


def mask_region(mask_hw: Bool[np.ndarray, "h w"], field: str = "mask") -> Region:
    """A mask and the smallest box around it. Raises DataError for a mask without a pixel."""
    box_xyxy = mask_to_box_xyxy(mask_hw)
    if box_xyxy is None:
        raise DataError(f"{field}: expected at least one pixel set, got none")
    return Region(box=tuple(box_xyxy.tolist()), mask=mask_to_rle(mask_hw))


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
