"""Intersection over union (IoU) of boxes, spans and masks: pure functions of predictions and ground truth.

Empty targets, here and in both segmentation scores: an empty prediction for an empty target has IoU 1, any other
prediction for it IoU 0. Where both are empty there is no union, so the example counts in gIoU (the mean of the
examples' IoU) and drops out of cIoU (the IoU weighted by its union: all intersections over all unions).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from deixis.geometry import box_iou

IOU_THRESHOLD = 0.5
"""The IoU from which a predicted box, span or region counts as correct."""


def bounds_iou(first: Sequence[float], second: Sequence[float]) -> float:
    """IoU, 0 to 1, of two spans (start, end) or two boxes (lower corner, then upper corner) of 2 or 3 axes.

    >>> bounds_iou((0, 2), (1, 2))
    0.5
    """
    rows = [np.asarray(bounds, dtype=np.float64)[None] for bounds in (first, second)]
    return float(box_iou(*rows)[0, 0])


def is_correct(predicted: Sequence[float] | None, target: Sequence[float] | None) -> float:
    """1 if both a span or box is predicted and its IoU with the target is at least the IoU threshold, else 0."""
    return float(predicted is not None and target is not None and bounds_iou(predicted, target) >= IOU_THRESHOLD)


def mask_iou(predicted: Bool[np.ndarray, "*cells"], target: Bool[np.ndarray, "*cells"]) -> tuple[float, float]:
    """(IoU, union) of two masks of pixels or points, the union in cells; (1, 0) if both are empty.

    >>> mask_iou(np.array([True, True, False]), np.array([False, True, True]))
    (0.3333333333333333, 3.0)
    """
    intersection, union = (float(np.count_nonzero(cells)) for cells in (predicted & target, predicted | target))
    return (intersection / union if union else 1.0), union


def span_set_iou(
    predicted: Sequence[tuple[float, float]], target: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """(IoU, union in seconds) of the times that two sets of (start, end) spans cover; (1, 0) if both are empty.

    >>> span_set_iou([(0.0, 1.0), (0.5, 2.0)], [(1.0, 4.0)])
    (0.25, 4.0)
    """
    # Between two neighbouring edges nothing changes: each piece of time is inside or outside as its middle is.
    edges = np.unique([edge for span in (*predicted, *target) for edge in span])
    middles, lengths_s = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    inside = [
        np.any([(middles > start) & (middles < end) for start, end in spans], axis=0)
        if len(spans)
        else np.zeros(len(middles), dtype=bool)
        for spans in (predicted, target)
    ]
    union_s = float(lengths_s[inside[0] | inside[1]].sum())
    return (float(lengths_s[inside[0] & inside[1]].sum()) / union_s if union_s else 1.0), union_s
