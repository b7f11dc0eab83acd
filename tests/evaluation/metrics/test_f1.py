"""F1 of multisets and of matched pairs."""

import numpy as np
import pytest

from deixis.evaluation.metrics.f1 import matched_f1, multiset_f1


@pytest.mark.parametrize(
    ("predicted", "true", "score"),
    [
        pytest.param([], [], 1.0, id="both_empty"),
        pytest.param([], ["mug"], 0.0, id="empty"),
        pytest.param(["mug", "car"], ["car", "mug"], 1.0, id="in_another_order"),
        pytest.param(["mug"] * 3, ["mug"], 0.5, id="repeated"),
        pytest.param(["pan"], ["mug"], 0.0, id="wrong"),
    ],
)
def test_f1_of_collections(predicted, true, score):
    assert multiset_f1(predicted, true) == score


@pytest.mark.parametrize(
    ("fits", "score"),
    [
        pytest.param(np.zeros((0, 0), bool), 1.0, id="nothing_to_find"),
        pytest.param(np.zeros((0, 3), bool), 0.0, id="nothing_given"),
        pytest.param(np.ones((3, 3), bool), 1.0, id="perfect"),
        pytest.param(np.ones((9, 1), bool), 0.2, id="one_thing_found_nine_times"),
        pytest.param(np.array([[True, True], [True, False]]), 1.0, id="paired_with_foresight"),
    ],
)
def test_f1_of_pairs(fits, score):
    assert matched_f1(fits) == pytest.approx(score)
