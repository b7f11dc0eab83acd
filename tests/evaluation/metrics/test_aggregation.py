"""Aggregated metrics: sums, weights, undefined examples, intervals that resample whole groups, and constant answers."""

import numpy as np
import pytest

from deixis.evaluation.metrics.aggregation import Metric, bootstrap_score, majority_share, mean, weighted_mean
from deixis.evaluation.metrics.iou import mask_iou

ACCURACY = mean("accuracy", "correct", "share of correct answers")
CIOU = mean("cIoU", "intersection", "all intersections over all unions", weight="union")
F1 = Metric("F1", lambda tp, fp, fn: 2 * tp / np.maximum(2 * tp + fp + fn, 1), ("tp", "fp", "fn"), "of yes")


@pytest.mark.parametrize(
    ("metric", "metrics", "expected"),
    [
        pytest.param(ACCURACY, [], 0.0, id="no_rows"),
        pytest.param(ACCURACY, [{"correct": None}], 0.0, id="no_row_of_this_metric"),
        pytest.param(ACCURACY, [{"correct": 1}, {"correct": 0}, {"correct": True}], 2 / 3, id="mean"),
        pytest.param(ACCURACY, [{"correct": 1}, {"other": 5}], 1.0, id="examples_without_the_metric_are_excluded"),
        pytest.param(CIOU, [{"intersection": 1, "union": 4}, {"intersection": 8, "union": 8}], 9 / 12, id="weighted"),
        pytest.param(CIOU, [{"intersection": 0, "union": 0}], 1.0, id="all_weights_zero"),
        pytest.param(F1, [{"tp": 1, "fp": 0, "fn": 0}, {"tp": 0, "fp": 1, "fn": 1}], 0.5, id="function_of_sums"),
    ],
)
def test_metric_of_sums(metric, metrics, expected):
    got = bootstrap_score(metric, [(str(number), one) for number, one in enumerate(metrics)])
    assert got.value == pytest.approx(expected)
    assert 0 <= got.ci95[0] <= got.value <= got.ci95[1] <= 1


def test_examples_of_a_group_are_resampled_together():
    rng = np.random.default_rng(0)
    of_group = rng.random(40) < 0.5
    alone = [(str(n), {"correct": bool(of_group[n])}) for n in range(40)]
    repeated = [(group, metrics) for group, metrics in alone for _ in range(25)]
    assert bootstrap_score(ACCURACY, repeated).ci95 == bootstrap_score(ACCURACY, alone).ci95
    apart = [(f"{group}/{n}", metrics) for n, (group, metrics) in enumerate(repeated)]
    narrow, wide = bootstrap_score(ACCURACY, apart).ci95, bootstrap_score(ACCURACY, alone).ci95
    assert narrow[1] - narrow[0] < 0.3 * (wide[1] - wide[0])


def test_confidence_interval_equals_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(1)
    rows = [
        (str(n), {"intersection": float(a), "union": float(a + b)})
        for n, (a, b) in enumerate(rng.integers(1, 9, (60, 2)))
    ]
    got = bootstrap_score(CIOU, rows)
    table = np.array([[metrics["intersection"], metrics["union"]] for _, metrics in rows])
    plain = []
    for _ in range(4_000):
        drawn = table[rng.integers(0, 60, 60)]
        plain.append(drawn[:, 0].sum() / drawn[:, 1].sum())
    assert got.ci95 == pytest.approx(np.quantile(plain, (0.025, 0.975)), abs=0.01)
    assert bootstrap_score(CIOU, rows) == got, "the same rows give the same interval"


def mask(*cells):
    return np.isin(np.arange(6), cells).reshape(2, 3)


def test_giou_and_ciou_with_empty_targets():
    pairs = [mask_iou(a, b) for a, b in [(mask(), mask()), (mask(0), mask(0, 1, 2, 3))]]
    values, unions = zip(*pairs, strict=True)
    assert weighted_mean(values, [1.0, 1.0]) == pytest.approx((1 + 0.25) / 2)  # gIoU
    assert weighted_mean(values, unions) == pytest.approx(0.25)  # cIoU: intersection 1, union 4
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
def test_accuracy_of_the_most_frequent_answer(answers, groups, share):
    assert majority_share(answers, groups) == share
