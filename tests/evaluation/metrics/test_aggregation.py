"""Weighted means of per-example IoU, and the accuracy of the most frequent answer."""

import numpy as np
import pytest

from deixis.evaluation.metrics.aggregation import majority_share, weighted_mean
from deixis.evaluation.metrics.iou import mask_iou


def mask(*cells):
    return np.isin(np.arange(6), cells).reshape(2, 3)


def test_giou_and_ciou_treat_empty_targets_as_said():
    pairs = [mask_iou(a, b) for a, b in [(mask(), mask()), (mask(0), mask(0, 1, 2, 3))]]
    values, unions = zip(*pairs, strict=True)
    assert weighted_mean(values, [1.0, 1.0]) == pytest.approx((1 + 0.25) / 2)  # gIoU
    assert weighted_mean(values, unions) == pytest.approx(0.25)  # cIoU: one shared of four joined
    assert weighted_mean([1.0], [0.0]) == 1.0
    assert weighted_mean([], []) == 0.0


@pytest.mark.parametrize(
    ("answers", "groups", "share"),
    [
        pytest.param([], None, 0.0, id="none"),
        pytest.param(["yes", "no", "yes", "no"], None, 0.5, id="half_and_half"),
        pytest.param(["mug", "car", "mug", "pan"], None, 0.5, id="most_frequent"),
        pytest.param(["small", "small", "matte", "shiny"], ["s", "s", "m", "m"], 0.75, id="by_group"),
    ],
)
def test_majority(answers, groups, share):
    assert majority_share(answers, groups) == share
