"""Metrics over the marks of rows, with intervals: what is redrawn are groups, such as pictures, with all their rows.

Mean("accuracy", "hit")                     sum of marks["hit"] / number of rows
Mean("cIoU", "shared", "union")             sum of marks["shared"] / sum of marks["union"]
Count("F1", f1_of, ("tp", "fp", "fn"))      any function of the sums of some marks
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Marks = Mapping[str, Any]
DRAWS = 1_000
MIDDLE = (0.025, 0.975)


@dataclass(frozen=True)
class Metric:
    """A number made of the sums of marks.

    name: as a table heads it. of: a function of the sums, in the order of `keys`, vectorised over its arguments.
    keys: the marks that are summed; "" counts rows. meaning: one sentence. official: as the official script has it
    (else ours, the stricter one beside it). scale: 1 for shares, 100 where papers print per cent, as it is shown.
    Rows that lack one of the marks (None) are not of this metric.
    """

    name: str
    of: Callable[..., Any]
    keys: tuple[str, ...]
    meaning: str
    official: bool = True
    scale: float = 100.0


@dataclass(frozen=True)
class Score:
    """A metric of some rows: its value, the middle 95 % of redraws, and how many rows and groups it is of."""

    value: float
    ci95: tuple[float, float]
    rows: int
    groups: int


def mean(name: str, key: str, meaning: str, weight: str = "", **options: Any) -> Metric:
    """The metric sum of `key` over sum of `weight`: over the number of rows where no weight is named.

    0 where there are no rows, 1 where nothing weighs anything (cIoU of empty targets left empty).
    """

    def of(total: Any, weights: Any) -> Any:
        return np.divide(total, weights, out=np.ones_like(total, dtype=float), where=np.asarray(weights) > 0)

    return Metric(name, of, (key, weight), meaning, **options)


def score(metric: Metric, rows: Sequence[tuple[str, Marks]], seed: int = 0) -> Score:
    """The score of rows, each with its group; 0 for no row. The same for the same rows and seed."""
    kept = [(group, marks) for group, marks in rows if all(marks.get(key) is not None for key in metric.keys if key)]
    if not kept:
        return Score(0.0, (0.0, 0.0), 0, 0)
    names, group = np.unique(np.asarray([group for group, _ in kept]), return_inverse=True)
    columns = [
        np.asarray([1.0 if key == "" else float(marks[key]) for _, marks in kept], dtype=np.float64)
        for key in metric.keys
    ]
    value = float(metric.of(*[np.asarray([column.sum()]) for column in columns])[0])
    sums = [np.bincount(group, column, len(names)) for column in columns]
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)
    redrawn = np.asarray(metric.of(*[draws @ part for part in sums]), dtype=np.float64)
    low, high = np.quantile(redrawn, MIDDLE)
    return Score(value, (float(low), float(high)), len(kept), len(names))
