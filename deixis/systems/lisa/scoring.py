"""LISA's official scores, gIoU and cIoU, with their small constants.

For comparison with published scores: a single perfect answer scores 0.99999. It knows no file and no network.

Source: dvlab-research/LISA@3cb2d430, train_ds.py validate and utils/utils.py (AverageMeter, intersectionAndUnionGPU).
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Integer

IGNORED = 255
IOU_EPSILON, COUNT_EPSILON, UNION_EPSILON = 1e-5, 1e-5, 1e-10


def intersection_and_union(
    predicted: Integer[np.ndarray, "*place"], target: Integer[np.ndarray, "*place"], classes: int = 2
) -> tuple[Float[np.ndarray, " class"], Float[np.ndarray, " class"], Float[np.ndarray, " class"]]:
    """(intersection, union, target) pixels per class, excluding pixels whose target is 255."""
    kept = target != IGNORED
    predicted, target = predicted[kept], target[kept]
    counts = [
        np.bincount(values[values < classes].ravel().astype(np.int64), minlength=classes).astype(np.float64)
        for values in (predicted[predicted == target], predicted, target)
    ]
    intersection, marked, meant = counts
    return intersection, marked + meant - intersection, meant


def foreground_iou(intersection: Any, union: Any) -> Any:
    """IoU of a class in one mask, just below 1 for a perfect answer; 1 where the class is absent from both."""
    return intersection / (union + IOU_EPSILON) + (union == 0)


def macro_iou(iou_sum: Any, count: Any) -> Any:
    """gIoU: mean IoU over masks, 0 to just below 1."""
    return iou_sum / (count + COUNT_EPSILON)


def micro_iou(intersection: Any, union: Any) -> Any:
    """cIoU: sum of intersections over sum of unions, 0 to 1."""
    return intersection / (union + UNION_EPSILON)
