"""Scores with 95 % confidence intervals from a bootstrap over groups of examples.

Examples of one group (such as all questions about one image) are not independent, so whole groups are resampled with
replacement (cluster bootstrap), each with all of its examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric

BOOTSTRAP_SAMPLES = 1_000
CI95_QUANTILES = (0.025, 0.975)


@dataclass(frozen=True)
class Score:
    """A metric over examples: value, 95 % confidence interval (low, high), and the numbers of examples and groups."""

    value: float
    ci95: tuple[float, float]
    rows: int
    groups: int


def bootstrap_score(metric: Metric, rows: Sequence[tuple[str, ExampleMetrics]], seed: int = 0) -> Score:
    """The score of (group, per-example metrics) pairs with its 95 % confidence interval; deterministic for a seed.

    Examples that lack one of the metric's keys are excluded; 0 if none remains.
    """
    kept = [(group, values) for group, values in rows if all(values.get(key) is not None for key in metric.keys if key)]
    if not kept:
        return Score(0.0, (0.0, 0.0), 0, 0)
    names, group = np.unique(np.asarray([group for group, _ in kept]), return_inverse=True)
    columns = [
        np.asarray([1.0 if key == "" else float(values[key]) for _, values in kept], dtype=np.float64)
        for key in metric.keys
    ]
    value = float(metric.of(*[np.asarray([column.sum()]) for column in columns])[0])
    # A bootstrap sample is how often each group was drawn: its sums are those counts times the groups' own sums, so
    # that all samples are one matrix product and no example is copied.
    sums = [np.bincount(group, column, len(names)) for column in columns]
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), BOOTSTRAP_SAMPLES)
    resampled = np.asarray(metric.of(*[counts @ of_group for of_group in sums]), dtype=np.float64)
    low, high = np.quantile(resampled, CI95_QUANTILES)
    return Score(value, (float(low), float(high)), len(kept), len(names))
