"""LISA's scores by hand on masks of a few pixels, with its small constants."""

import numpy as np
import pytest

from deixis.systems.lisa.scoring import foreground_iou, intersection_and_union, macro_iou, micro_iou
from deixis.systems.lisa.wording import validation_question

HALF = np.array([[1, 1, 0, 0]])
FULL, NONE = np.ones((1, 4), dtype=int), np.zeros((1, 4), dtype=int)
UNSURE = np.array([[1, 1, 255, 0]])


@pytest.mark.parametrize(
    ("predicted", "target", "shared", "union"),
    [
        pytest.param(HALF, HALF, [2, 2], [2, 2], id="equal"),
        pytest.param(FULL, HALF, [0, 2], [2, 4], id="too_much"),
        pytest.param(NONE, HALF, [2, 0], [4, 2], id="nothing_marked"),
        pytest.param(FULL, UNSURE, [0, 2], [1, 3], id="ignored_pixel"),
        pytest.param(HALF, np.full((1, 4), 255), [0, 0], [0, 0], id="all_ignored"),
    ],
)
def test_intersection_and_union(predicted, target, shared, union):
    got = intersection_and_union(predicted, target)
    assert [values.tolist() for values in got[:2]] == [shared, union]


def test_constants_of_the_scores():
    assert foreground_iou(2, 2) == 2 / 2.00001  # a perfect answer is not quite 1
    assert foreground_iou(0, 0) == 1  # nothing asked, nothing marked
    assert foreground_iou(0, 2) == 0
    assert macro_iou(1.5, 3) == pytest.approx(0.5, abs=1e-5)
    assert (micro_iou(4, 8), micro_iou(0, 0)) == pytest.approx((0.5, 0), abs=1e-9)


def test_questions():
    assert validation_question("a lamp ", is_sentence=True) == " a lamp Please output segmentation mask."
    assert validation_question("a lamp ", is_sentence=False).startswith(" What is a lamp in this image? ")
