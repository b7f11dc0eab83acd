"""Regions of masks: of one mask, of run lengths, and of every value in a map of numbers at once.

Run lengths are COCO's, {"size": [height, width], "counts": text}. It knows no class and no file.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Integer

from deixis.data.sample import RegionRecord
from deixis.geometry import mask_to_box_xyxy, mask_to_rle


def region_of_mask(mask_hw: Bool[np.ndarray, "h w"], field: str = "mask") -> RegionRecord:
    """A mask and the smallest box around it. Raises ValueError for a mask without a pixel."""
    box_xyxy = mask_to_box_xyxy(mask_hw)
    if box_xyxy is None:
        raise ValueError(f"{field}: expected at least one pixel set, got none")
    return RegionRecord(box=tuple(box_xyxy.tolist()), mask=mask_to_rle(mask_hw))


def box_of_rle(rle: dict[str, Any]) -> tuple[float, float, float, float]:
    """Edges x1, y1, x2, y2 of the smallest box around a mask that has a pixel.

    >>> box_of_rle({"size": [2, 2], "counts": "22"})
    (1.0, 0.0, 2.0, 2.0)
    """
    from pycocotools import mask as coco

    left, top, width, height = coco.toBbox({**rle, "counts": rle["counts"].encode("ascii")}).tolist()
    return left, top, left + width, top + height


def regions_of_values(values_hw: Integer[np.ndarray, "h w"]) -> list[tuple[int, RegionRecord]]:
    """(value, region) of each value in a map of whole numbers, in the order of the values.

    Each mask is compared within its own box only, so that many small things cost no more than few large ones.

    >>> [(value, region.box) for value, region in regions_of_values(np.array([[7, 7], [7, 2]]))]
    [(2, (1.0, 1.0, 2.0, 2.0)), (7, (0.0, 0.0, 2.0, 2.0))]
    """
    from scipy.ndimage import find_objects

    found, places = np.unique(values_hw, return_inverse=True)
    places = places.reshape(values_hw.shape)
    regions = []
    for number, (rows, columns) in enumerate(find_objects(places + 1, max_label=len(found))):
        mask = np.zeros(
            values_hw.shape, dtype=np.uint8, order="F"
        )  # as the encoder wants it, so that it copies nothing
        mask[rows, columns] = places[rows, columns] == number
        box = (float(columns.start), float(rows.start), float(columns.stop), float(rows.stop))
        regions.append((int(found[number]), RegionRecord(box=box, mask=mask_to_rle(mask.view(bool)))))
    return regions
