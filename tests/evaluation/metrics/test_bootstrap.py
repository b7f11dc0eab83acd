"""Aggregated metrics: sums, weights, rows without a metric, and intervals that resample whole groups."""

import numpy as np
import pytest

from deixis.evaluation.metrics.aggregation import Metric, mean
from deixis.evaluation.metrics.bootstrap import bootstrap_score

ACCURACY = mean("accuracy", "correct", "share of hits")
CIOU = mean("cIoU", "intersection", "all shared pixels over all joined ones", weight="union")
F1 = Metric("F1", lambda tp, fp, fn: 2 * tp / np.maximum(2 * tp + fp + fn, 1), ("tp", "fp", "fn"), "of yes")


@pytest.mark.parametrize(
    ("metric", "metrics", "expected"),
    [
        pytest.param(ACCURACY, [], 0.0, id="no_rows"),
        pytest.param(ACCURACY, [{"correct": None}], 0.0, id="no_row_of_this_metric"),
        pytest.param(ACCURACY, [{"correct": 1}, {"correct": 0}, {"correct": True}], 2 / 3, id="mean"),
        pytest.param(ACCURACY, [{"correct": 1}, {"other": 5}], 1.0, id="rows_without_the_mark_are_left_out"),
        pytest.param(CIOU, [{"intersection": 1, "union": 4}, {"intersection": 8, "union": 8}], 9 / 12, id="weighted"),
        pytest.param(CIOU, [{"intersection": 0, "union": 0}], 1.0, id="nothing_weighs_anything"),
        pytest.param(F1, [{"tp": 1, "fp": 0, "fn": 0}, {"tp": 0, "fp": 1, "fn": 1}], 0.5, id="function_of_sums"),
    ],
)
def test_a_metric_is_a_function_of_sums(metric, metrics, expected):
    got = bootstrap_score(metric, [(str(number), one) for number, one in enumerate(metrics)])
    assert got.value == pytest.approx(expected)
    assert 0 <= got.ci95[0] <= got.value <= got.ci95[1] <= 1


def test_rows_of_one_group_are_redrawn_together():
    rng = np.random.default_rng(0)
    of_group = rng.random(40) < 0.5
    alone = [(str(n), {"correct": bool(of_group[n])}) for n in range(40)]
    repeated = [(group, metrics) for group, metrics in alone for _ in range(25)]
    assert bootstrap_score(ACCURACY, repeated).ci95 == bootstrap_score(ACCURACY, alone).ci95
    apart = [(f"{group}/{n}", metrics) for n, (group, metrics) in enumerate(repeated)]
    narrow, wide = bootstrap_score(ACCURACY, apart).ci95, bootstrap_score(ACCURACY, alone).ci95
    assert narrow[1] - narrow[0] < 0.3 * (wide[1] - wide[0])


def test_the_interval_is_that_of_a_plain_bootstrap():
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
