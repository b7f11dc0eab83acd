"""How masks are judged: the mask that is meant against the mask of an answer, with LISA's numbers and exact ones.

An answer may have no mask, which is scored as one that is empty, or several, which are taken together or of which the
first counts. Pixels that count neither way are in no sum. It knows no file and no question.

Source: dvlab-research/LISA@3cb2d430 train_ds.py validate; henghuiding/ReLA@3ca9551 gres_model/evaluation/
refer_evaluation.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool

from deixis.errors import InputError
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean
from deixis.geometry import rle_to_mask
from deixis.inference import Answer
from deixis.systems.lisa.scoring import (
    COUNT_EPSILON,
    IGNORED,
    IOU_EPSILON,
    UNION_EPSILON,
    intersection_and_union,
)

UNION, FIRST = "union", "first"
MASKS = {"masks": f"which masks of an answer count: {UNION}, all of them as one (the usual); {FIRST}, the first alone"}
"""The option of every benchmark with masks."""
RLE = Mapping[str, Any]
THRESHOLDS = (0.5, 0.7, 0.9)


@dataclass(frozen=True)
class MaskGroundTruth:
    """What is meant, in COCO's run lengths; none of it: an empty target.

    ignored: pixels that count neither way. masks: UNION or FIRST. empty_below_px: a mask of fewer pixels is none.
    """

    size_hw: tuple[int, int]
    meant: RLE | None = field(repr=False)
    ignored: RLE | None = field(default=None, repr=False)
    masks: str = UNION
    empty_below_px: int = 1

    def target(self) -> np.ndarray:
        """(h, w) of 0, 1 where it is meant, 255 where nothing counts."""
        target = np.zeros(self.size_hw, dtype=np.int64)
        if self.meant is not None:
            target[rle_to_mask(dict(self.meant))] = 1
        if self.ignored is not None:
            target[rle_to_mask(dict(self.ignored))] = IGNORED
        return target


def mask_of(answer: Answer, ground_truth: MaskGroundTruth) -> Bool[np.ndarray, "h w"]:
    """The mask of an answer; empty where it has none.

    Raises ValueError for a mask of another size than the picture that was labelled.
    """
    masks = answer.masks[:1] if ground_truth.masks == FIRST else answer.masks
    if wrong := [mask.shape for mask in masks if mask.shape != ground_truth.size_hw]:
        raise InputError(f"expected masks of the labelled picture's size {ground_truth.size_hw}, got {wrong[0]}")
    mask = np.logical_or.reduce(masks) if masks else np.zeros(ground_truth.size_hw, dtype=bool)
    return mask if mask.sum() >= ground_truth.empty_below_px else np.zeros(ground_truth.size_hw, dtype=bool)


def mask_metrics(answer: Answer, ground_truth: MaskGroundTruth) -> ExampleMetrics:
    """The marks of one answer; their sums are the metrics below.

    masks, pixels: how many masks, and pixels of the one that counts. shared, union: pixels of both what is marked and
    what is meant, and of either. overlap: their ratio as LISA has it, with a small number below the line. iou: exactly,
    1 where both are empty. iou_alone: the same, 0 unless the answer has one mask.
    over_50 ...: whether iou is at least that.
    """
    marked = mask_of(answer, ground_truth)
    shared, union, _ = intersection_and_union(marked.astype(np.int64), ground_truth.target())
    both, either = float(shared[1]), float(union[1])
    iou = both / either if either else 1.0
    count = len(answer.masks)
    return {
        "masks": count,
        "pixels": int(marked.sum()),
        "has_mask": count > 0,
        "intersection": both,
        "union": either,
        "overlap": both / (either + IOU_EPSILON) + (either == 0),
        "iou": iou,
        "iou_alone": iou if count == 1 else 0.0,
        **{f"over_{round(100 * least)}": iou >= least for least in THRESHOLDS},
    }


def _lisa_mean(overlap: Any, count: Any) -> Any:
    return overlap / (count + COUNT_EPSILON)


def _lisa_ratio(shared: Any, union: Any) -> Any:
    return shared / (union + UNION_EPSILON)


LISA_METRICS = (
    Metric(
        "gIoU",
        _lisa_mean,
        ("overlap", ""),
        "mean overlap of mask and target, by LISA's script: a perfect answer reads a little below 100, an empty answer "
        "to an empty target counts as right",
    ),
    Metric(
        "cIoU",
        _lisa_ratio,
        ("intersection", "union"),
        "pixels shared by all masks and targets over pixels of either: large things count more",
    ),
)
"""The two numbers that LISA reports, made as its script makes them."""
EXACT_METRICS = (
    mean("gIoU exact", "iou", "the same without small constants", official=False),
    mean(
        "gIoU one mask",
        "iou_alone",
        "the same where an answer with no mask or several masks counts as wrong",
        official=False,
    ),
    mean("with a mask", "has_mask", "share of answers that have a mask at all", official=False),
)
PRECISION_METRICS = tuple(
    mean(f"Pr@{least}", f"over_{round(100 * least)}", f"share of masks that overlap at least {least}", official=False)
    for least in THRESHOLDS
)
HOW_MASKS_COUNT = (
    "An answer without a mask is scored as an empty mask; of an answer with several, all count as one unless "
    "masks=first."
)
