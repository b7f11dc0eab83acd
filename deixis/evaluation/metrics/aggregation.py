"""How per-example metrics become one number, as a function of their sums, and its 95 % confidence interval.

    mean("accuracy", "correct", ...)                            macro average: sum of "correct" / number of examples
    mean("cIoU", "intersection", ..., weight="union")           micro average: sum of "intersection" / sum of "union"
    Metric("F1", f1_of_sums, ("tp", "fp", "fn"), ...)           any other function of the sums

Examples of one group (such as all questions about one image) are not independent, so the bootstrap resamples whole
groups with replacement (cluster bootstrap), each with all of its examples.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64

ExampleMetrics = Mapping[str, Any]
"""Per-example metrics by name: plain JSON values; None where a metric is undefined for the example."""
BOOTSTRAP_SAMPLES = 1_000
CI95_QUANTILES = (0.025, 0.975)


@dataclass(frozen=True)
class Metric:
    """A score computed from sums of per-example metrics.

    name: column text of tables. of: the score from the sums, in the order of `keys`; vectorised. keys: the per-example
    metrics that are summed; "" counts examples. Examples that lack one of them (None) are excluded. meaning: one
    sentence. official: computed as the official script does; else ours, a stricter or additional one. scale: factor of
    printed values: 1 for fractions, 100 for per cent.
    """

    name: str
    of: Callable[..., Any]
    keys: tuple[str, ...]
    meaning: str
    official: bool = True
    scale: float = 100.0

    def is_defined(self, values: ExampleMetrics) -> bool:
        """Whether an example has every key of the metric."""
        return all(values.get(key) is not None for key in self.keys if key)

    def columns(self, examples: Sequence[ExampleMetrics]) -> list[Float64[np.ndarray, " example"]]:
        """The summands of each key."""
        return [np.array([1.0 if key == "" else float(values[key]) for values in examples]) for key in self.keys]


def ratio(part: Any, whole: Any, undefined: float = 0.0) -> Any:
    """part / whole, element by element; `undefined` where the whole is 0."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    return np.divide(part, whole, out=np.full_like(part, undefined), where=whole > 0)


def mean(name: str, key: str, meaning: str, weight: str = "", undefined: float = 1.0, **options: Any) -> Metric:
    """The metric sum(key) / sum(weight): without a weight the mean over examples (macro average), with one the ratio of
    the sums (micro average). `undefined` if all weights are zero: 1 for cIoU of empty targets that were all left empty.
    """
    return Metric(name, partial(ratio, undefined=undefined), (key, weight), meaning, **options)


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """The weighted mean of per-example values; 0 for no example, 1 if all weights are zero (as for `mean`)."""
    if not len(values):
        return 0.0
    total = float(np.sum(weights))
    return float(np.dot(values, weights)) / total if total else 1.0


def majority_share(answers: Sequence[Hashable], groups: Sequence[Hashable] | None = None) -> float:
    """The accuracy of always giving the most frequent answer, which is chosen per group (one group if None).

    >>> majority_share(["yes", "yes", "no"]), majority_share(["small", "matte"], ["size", "material"])
    (0.6666666666666666, 1.0)
    """
    of_group: dict[Hashable, Counter] = {}
    for answer, group in zip(answers, groups or [None] * len(answers), strict=True):
        of_group.setdefault(group, Counter())[answer] += 1
    return sum(max(counter.values()) for counter in of_group.values()) / len(answers) if answers else 0.0


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
    kept = [(group, values) for group, values in rows if metric.is_defined(values)]
    if not kept:
        return Score(0.0, (0.0, 0.0), 0, 0)
    names, group = np.unique(np.asarray([group for group, _ in kept]), return_inverse=True)
    columns = metric.columns([values for _, values in kept])
    value = float(metric.of(*[np.asarray([column.sum()]) for column in columns])[0])
    # A bootstrap sample is how often each group was drawn: its sums are those counts times the groups' own sums, so
    # that all samples are one matrix product and no example is copied.
    sums = [np.bincount(group, column, len(names)) for column in columns]
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), BOOTSTRAP_SAMPLES)
    resampled = np.asarray(metric.of(*[counts @ of_group for of_group in sums]), dtype=np.float64)
    low, high = np.quantile(resampled, CI95_QUANTILES)
    return Score(value, (float(low), float(high)), len(kept), len(names))
