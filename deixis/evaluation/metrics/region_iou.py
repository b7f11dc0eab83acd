"""IoU of regions of every form: a predicted region with an expected one, and all of an answer, matched one to one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from deixis.evaluation.metrics.f1 import matched_f1
from deixis.evaluation.metrics.iou import IOU_THRESHOLD, bounds_iou, mask_iou
from deixis.geometry import Region, mask_to_box_xyxy
from deixis.samples.sample import MediaReference


def union_mask(medium: MediaReference, regions: Sequence[Region]) -> Bool[np.ndarray, "*cells"]:
    """The union of masks and point sets, as pixels (h, w) of an image or points (n,) of a cloud."""
    inside = np.zeros(medium.size_hw or (medium.point_count or 0,), dtype=bool)
    for region in regions:
        if region.mask is not None:
            inside |= region.mask_array
        elif region.points is not None:
            inside[region.points] = True
    return inside


def pair_iou(predicted: Region, expected: Region, media: Sequence[MediaReference]) -> float:
    """IoU, 0 to 1, in the predicted form; a box and a mask are compared as boxes, and what has no common form is 0."""
    if predicted.signal != expected.signal:
        return 0.0
    for form in ("mask", "points"):
        if getattr(predicted, form) is not None and getattr(expected, form) is not None:
            cells = (union_mask(media[expected.signal], [region.only(form)]) for region in (predicted, expected))
            return mask_iou(*cells)[0]
    for form in ("box", "box3d", "span"):
        first, second = _bounds(predicted, form), _bounds(expected, form)
        if first is not None and second is not None:
            return bounds_iou(first, second)
    return 0.0


def matched_iou(
    predicted: Sequence[Region], expected: Sequence[Region], media: Sequence[MediaReference]
) -> tuple[float, float]:
    """(mean IoU after the best one-to-one matching, F1 at the IoU threshold); a region without a partner counts as 0.

    (1, 1) where none is expected and none predicted.
    """
    from scipy.optimize import linear_sum_assignment

    if not predicted or not expected:
        return (1.0, 1.0) if not predicted and not expected else (0.0, 0.0)
    table: Float[np.ndarray, "predicted expected"] = np.array(
        [[pair_iou(own, other, media) for other in expected] for own in predicted]
    )
    rows, columns = linear_sum_assignment(table, maximize=True)
    mean = float(table[rows, columns].sum()) / max(table.shape)
    return mean, matched_f1(table >= IOU_THRESHOLD)


def _bounds(region: Region, form: str) -> Sequence[float] | None:
    given = getattr(region, form)
    if given is None and form == "box" and region.mask is not None:
        box = mask_to_box_xyxy(region.mask_array)
        return None if box is None else box.tolist()
    return given
