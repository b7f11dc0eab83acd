"""IoU of regions of every form: a predicted region with an expected one, and all of an answer, matched one to one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from deixis.evaluation.metrics.f1 import matched_f1
from deixis.evaluation.metrics.iou import IOU_THRESHOLD, bounds_iou, mask_iou
from deixis.geometry import Region, mask_to_box_xyxy


def pair_iou(predicted: Region, expected: Region) -> float:
    """IoU, 0 to 1, in the predicted form; a box and a mask are compared as boxes, and what has no common form is 0."""
    if predicted.signal != expected.signal:
        return 0.0
    if predicted.mask is not None and expected.mask is not None:
        first, second = predicted.mask_array, expected.mask_array
        return mask_iou(first, second)[0] if first.shape == second.shape else 0.0
    if predicted.points is not None and expected.points is not None:
        shared = len(np.intersect1d(predicted.points, expected.points, assume_unique=True))
        union = len(predicted.points) + len(expected.points) - shared
        return shared / union if union else 1.0
    for form in ("box", "box3d", "span"):
        first, second = _bounds(predicted, form), _bounds(expected, form)
        if first is not None and second is not None:
            return bounds_iou(first, second)
    return 0.0


def matched_iou(predicted: Sequence[Region], expected: Sequence[Region]) -> tuple[float, float]:
    """(mean IoU after the best one-to-one matching, F1 at the IoU threshold); a region without a partner counts as 0.

    (1, 1) where none is expected and none predicted.
    """
    from scipy.optimize import linear_sum_assignment

    if not predicted or not expected:
        return (1.0, 1.0) if not predicted and not expected else (0.0, 0.0)
    # masks are decoded once, not for every pair
    ours, others = ([region.decoded() for region in regions] for regions in (predicted, expected))
    pairs = [[pair_iou(own, other) for other in others] for own in ours]
    table: Float[np.ndarray, "predicted expected"] = np.array(pairs)
    rows, columns = linear_sum_assignment(table, maximize=True)
    mean = float(table[rows, columns].sum()) / max(table.shape)
    return mean, matched_f1(table >= IOU_THRESHOLD)


def _bounds(region: Region, form: str) -> Sequence[float] | None:
    given = getattr(region, form)
    if given is None and form == "box" and region.mask is not None:
        box = mask_to_box_xyxy(region.mask_array)
        return None if box is None else box.tolist()
    return given
