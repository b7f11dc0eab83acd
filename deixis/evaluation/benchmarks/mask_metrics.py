"""Segmentation metrics: the mask of an answer against the target mask, by LISA's script and exactly.

An answer without a mask is scored as an empty mask; of several masks the union or the first counts. Ignored pixels are
excluded. It knows no file.

Source: dvlab-research/LISA@3cb2d430 train_ds.py validate; henghuiding/ReLA@3ca9551 gres_model/evaluation/
refer_evaluation.py.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from deixis.datasets.annotated import Annotated
from deixis.errors import InputError
from deixis.evaluation.benchmark import Example
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean
from deixis.geometry import Region
from deixis.inference import Answer
from deixis.samples.sample import Sample, Turn
from deixis.systems.lisa.scoring import IGNORED, foreground_iou, intersection_and_union, macro_iou, micro_iou

UNION, FIRST = "union", "first"
MASKS = {"masks": f"masks of an answer that count: {UNION}, all of them as one (default); {FIRST}, only the first"}
"""The option of every segmentation benchmark."""
IOU_THRESHOLDS = (0.5, 0.7, 0.9)


@dataclass(frozen=True)
class TargetMask:
    """The target region, a mask; None: an empty target.

    ignored: excluded pixels. masks: UNION or FIRST. empty_below_px: predicted masks with fewer pixels count as empty.
    """

    size_hw: tuple[int, int]
    region: Region | None = field(repr=False)
    ignored: Region | None = field(default=None, repr=False)
    masks: str = UNION
    empty_below_px: int = 1

    def target(self) -> np.ndarray:
        """(h, w) int64: 1 in the target, 255 where ignored, else 0."""
        target = np.zeros(self.size_hw, dtype=np.int64)
        if self.region is not None:
            target[self.region.mask_array] = 1
        if self.ignored is not None:
            target[self.ignored.mask_array] = IGNORED
        return target


def masked_example(
    record: Annotated,
    number: int,
    part: str,
    ground_truth: TargetMask,
    task: str,
    question: str,
    answer: str,
    regions: tuple[Region, ...],
    forced_answer: str | None,
) -> Example:
    """The example of an expression of an image, by its number. answer: the expected one in markup, about `regions`."""
    name, media, turns = f"{record.id}/{number}", record.signals, (Turn(question, answer),)
    sample = Sample(name, record.source, task, record.split, turns, media, regions)
    asked = (name, part, media[0].id, question, media)
    return Example(*asked, ground_truth, answer_form="mask", forced_answer=forced_answer, sample=sample)


def predicted_mask(answer: Answer, target: TargetMask) -> Bool[np.ndarray, "h w"]:
    """The mask of an answer, empty if it has none; InputError for one of another size than the labelled image."""
    masks = answer.masks[:1] if target.masks == FIRST else answer.masks
    if wrong := [mask.shape for mask in masks if mask.shape != target.size_hw]:
        raise InputError(f"expected masks of the labelled image's size {target.size_hw}, got {wrong[0]}")
    mask = np.logical_or.reduce(masks) if masks else np.zeros(target.size_hw, dtype=bool)
    return mask if mask.sum() >= target.empty_below_px else np.zeros(target.size_hw, dtype=bool)


def mask_metrics(answer: Answer, target: TargetMask) -> ExampleMetrics:
    """The per-example metrics of one answer, which the metrics below aggregate.

    masks: number of masks. pixels: size of the mask that counts. intersection, union: in pixels. lisa_iou: their ratio
    with LISA's constants. iou: exact, 1 if both are empty. iou_one_mask: iou, 0 unless the answer has exactly one mask.
    over_50 ...: whether iou reaches the IoU threshold 0.5 ....
    """
    predicted = predicted_mask(answer, target)
    intersections, unions, _ = intersection_and_union(predicted.astype(np.int64), target.target())
    # Index 1 is the foreground class.
    intersection, union = float(intersections[1]), float(unions[1])
    iou = intersection / union if union else 1.0
    count = len(answer.masks)
    return {
        "masks": count,
        "pixels": int(predicted.sum()),
        "has_mask": count > 0,
        "intersection": intersection,
        "union": union,
        "lisa_iou": foreground_iou(intersection, union),
        "iou": iou,
        "iou_one_mask": iou if count == 1 else 0.0,
        **{f"over_{round(100 * threshold)}": iou >= threshold for threshold in IOU_THRESHOLDS},
    }


LISA_METRICS = (
    Metric("gIoU", macro_iou, ("lisa_iou", ""), "mean IoU over examples (macro average), by LISA's script: a perfect "
           "answer scores slightly below 100, an empty answer to an empty target is correct"),
    Metric("cIoU", micro_iou, ("intersection", "union"), "sum of intersections over sum of unions (micro average): "
           "large objects weigh more"),
)  # fmt: skip
"""The two metrics of LISA, computed as by its script."""
EXACT_METRICS = (
    mean("gIoU exact", "iou", "gIoU without small constants", official=False),
    mean("gIoU one mask", "iou_one_mask", "the same; answers without or with several masks are wrong", official=False),
    mean("with a mask", "has_mask", "share of answers that have a mask", official=False),
)
PRECISION_METRICS = tuple(
    mean(f"Pr@{t}", f"over_{round(100 * t)}", f"share of masks with an IoU of at least {t}", official=False)
    for t in IOU_THRESHOLDS
)
HOW_MASKS_COUNT = (
    "An answer without a mask is scored as an empty mask; several masks of an answer count as one unless masks=first."
)
