"""How per-example metrics become one number: as a function of their sums over the examples.

    mean("accuracy", "correct", ...)                            macro average: sum of "correct" / number of examples
    mean("cIoU", "intersection", ..., weight="union")           micro average: sum of "intersection" / sum of "union"
    Metric("F1", f1_of_sums, ("tp", "fp", "fn"), ...)           any other function of the sums

A metric of sums can be computed for each bootstrap sample from the sums of its groups (`bootstrap`).
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ExampleMetrics = Mapping[str, Any]
"""Per-example metrics by name: plain JSON values; None where a metric is undefined for the example."""


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


def mean(name: str, key: str, meaning: str, weight: str = "", **options: Any) -> Metric:
    """The metric sum(key) / sum(weight): without a weight the mean over examples (macro average), with one the ratio of
    the sums (micro average). 1 if all weights are zero (cIoU of empty targets that were all left empty).
    """

    def of(total: Any, weights: Any) -> Any:
        return np.divide(total, weights, out=np.ones_like(total, dtype=float), where=np.asarray(weights) > 0)

    return Metric(name, of, (key, weight), meaning, **options)


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
