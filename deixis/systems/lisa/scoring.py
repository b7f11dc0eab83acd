"""LISA's own questions for validation and its scores, gIoU and cIoU, with their small constants.

For comparing with published numbers: a perfect single answer reads 0.99999. It knows no file and no network.

Source: dvlab-research/LISA@3cb2d430, train_ds.py validate, utils/utils.py (AverageMeter, intersectionAndUnionGPU) and
utils/dataset.py (ValDataset).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Integer, Num

IGNORED = 255
IOU_EPSILON, COUNT_EPSILON, UNION_EPSILON = 1e-5, 1e-5, 1e-10


def validation_question(text: str, is_sentence: bool) -> str:
    """What is asked about a picture, with the space that stands before it.

    >>> validation_question("lamp", is_sentence=False)
    ' What is lamp in this image? Please output segmentation mask.'
    """
    asked = text.strip() if is_sentence else f"What is {text.strip()} in this image?"
    return f" {asked} Please output segmentation mask."


def intersection_and_union(
    predicted: Integer[np.ndarray, "*place"], target: Integer[np.ndarray, "*place"], classes: int = 2
) -> tuple[Float[np.ndarray, " class"], Float[np.ndarray, " class"], Float[np.ndarray, " class"]]:
    """(intersection, union, target) pixels of each class; pixels whose target is 255 count nowhere."""
    kept = target != IGNORED
    predicted, target = predicted[kept], target[kept]
    of_classes = [
        np.bincount(values[values < classes].ravel().astype(np.int64), minlength=classes).astype(np.float64)
        for values in (predicted[predicted == target], predicted, target)
    ]
    shared, marked, meant = of_classes
    return shared, marked + meant - shared, meant


@dataclass
class MaskScores:
    """Sums over samples; each sample is some masks of one picture, logits above 0 meaning "marked"."""

    shared: np.ndarray = field(default_factory=lambda: np.zeros(2))
    union: np.ndarray = field(default_factory=lambda: np.zeros(2))
    overlap: np.ndarray = field(default_factory=lambda: np.zeros(2))
    count: int = 0

    def add(self, logits: Float[np.ndarray, "mask h w"], targets: Num[np.ndarray, "mask h w"]) -> None:
        """Adds one sample; a class that is neither marked nor meant overlaps by 1."""
        for logit, target in zip(logits, targets, strict=True):
            shared, union, _ = intersection_and_union((logit > 0).astype(np.int64), target.astype(np.int64))
            self.shared, self.union = self.shared + shared, self.union + union
            self.overlap = self.overlap + shared / (union + IOU_EPSILON) + (union == 0)
            self.count += 1

    @property
    def giou(self) -> float:
        """Mean overlap of the masks, 0 to just below 1."""
        return float(self.overlap[1] / (self.count + COUNT_EPSILON))

    @property
    def ciou(self) -> float:
        """Overlap of all masks taken as one, 0 to 1: large masks count more."""
        return float(self.shared[1] / (self.union[1] + UNION_EPSILON))


def score_masks(samples: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """(gIoU, cIoU) of samples of (logits, targets), each (mask, h, w)."""
    scores = MaskScores()
    for logits, targets in samples:
        scores.add(logits, targets)
    return scores.giou, scores.ciou
