"""LISA's official scores, gIoU and cIoU, with their small constants.

For comparison with published scores: a single perfect answer scores 0.99999. It knows no file and no network.

Source: dvlab-research/LISA@3cb2d430, train_ds.py validate and utils/utils.py (AverageMeter, intersectionAndUnionGPU).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, Num

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


@dataclass
class MaskScores:
    """Running sums over masks; logits above 0 are foreground."""

    intersection: np.ndarray = field(default_factory=lambda: np.zeros(2))
    union: np.ndarray = field(default_factory=lambda: np.zeros(2))
    iou: np.ndarray = field(default_factory=lambda: np.zeros(2))
    count: int = 0

    def add(self, logits: Float[np.ndarray, "mask h w"], targets: Num[np.ndarray, "mask h w"]) -> None:
        """Adds the masks of one image; a class that is absent from prediction and target has IoU 1."""
        for logit, target in zip(logits, targets, strict=True):
            intersection, union, _ = intersection_and_union((logit > 0).astype(np.int64), target.astype(np.int64))
            self.intersection, self.union = self.intersection + intersection, self.union + union
            self.iou = self.iou + foreground_iou(intersection, union)
            self.count += 1

    @property
    def giou(self) -> float:
        """Mean IoU over masks (macro average), 0 to just below 1."""
        return float(macro_iou(self.iou[1], self.count))

    @property
    def ciou(self) -> float:
        """Sum of intersections over sum of unions (micro average), 0 to 1."""
        return float(micro_iou(self.intersection[1], self.union[1]))


def score_masks(samples: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """(gIoU, cIoU) of samples of (logits, targets), each (mask, h, w)."""
    scores = MaskScores()
    for logits, targets in samples:
        scores.add(logits, targets)
    return scores.giou, scores.ciou
