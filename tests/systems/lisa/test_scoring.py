"""LISA's scores by hand on masks of a few pixels, with its small constants."""

import numpy as np
import pytest

from deixis.systems.lisa.scoring import intersection_and_union, score_masks
from deixis.systems.lisa.wording import validation_question

HALF = np.array([[1, 1, 0, 0]])
FULL, NONE = np.ones((1, 4), dtype=int), np.zeros((1, 4), dtype=int)
UNSURE = np.array([[1, 1, 255, 0]])


def logits(mask: np.ndarray) -> np.ndarray:
    return np.where(mask > 0, 2.0, -2.0)


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


@pytest.mark.parametrize(
    ("samples", "giou", "ciou"),
    [
        pytest.param([[(HALF, HALF)]], 2 / 2.00001 / 1.00001, 1.0, id="perfect_is_not_quite_one"),
        pytest.param([[(NONE, NONE)]], 1 / 1.00001, 0.0, id="nothing_asked_nothing_marked"),
        pytest.param([[(HALF, NONE)]], 0.0, 0.0, id="nothing_asked"),
        pytest.param([[(FULL, HALF), (HALF, HALF)], [(NONE, HALF)]], (0.5 + 1) / 3, 4 / 8, id="three_masks"),
    ],
)
def test_scores(samples, giou, ciou):
    stacked = [(np.stack([logits(p) for p, _ in sample]), np.stack([t for _, t in sample])) for sample in samples]
    assert score_masks(stacked) == pytest.approx((giou, ciou), abs=1e-5)
    if len(samples) == 1:
        assert score_masks(stacked) == pytest.approx((giou, ciou), abs=1e-9)


def test_questions():
    assert validation_question("a lamp ", is_sentence=True) == " a lamp Please output segmentation mask."
    assert validation_question("a lamp ", is_sentence=False).startswith(" What is a lamp in this image? ")
