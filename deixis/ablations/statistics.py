"""Means over trainings and questions with 95 % intervals, and whether a difference is what a paper found.

All variants answer the same questions, so a difference is taken question by question (paired). The bootstrap draws
trainings and scenes, each with replacement: the interval holds the chance of both. A few trainings bound the chance of
training only roughly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from deixis.evaluation.metrics.aggregation import BOOTSTRAP_SAMPLES, CI95_QUANTILES

Verdict = Literal["held", "did not hold", "inconclusive"]


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval, and the numbers of trainings and questions that it is of."""

    value: float
    low: float
    high: float
    seeds: int
    questions: int

    @property
    def verdict(self) -> Verdict:
        """Of a difference that a paper found above 0: inconclusive where the interval holds 0, or nothing was asked."""
        if self.questions and self.low > 0:
            return "held"
        return "did not hold" if self.questions and self.high < 0 else "inconclusive"


def estimate(values: Float[np.ndarray, "seed question"], scenes: Sequence[str]) -> Estimate:
    """The mean of the values of every training and question; deterministic. scenes: of each question."""
    seeds, questions = values.shape
    if not values.size:
        return Estimate(0.0, 0.0, 0.0, seeds, questions)
    names, scene = np.unique(np.asarray(scenes), return_inverse=True)
    # sums per training and scene, so that a draw is two vectors of counts
    sums = np.stack([np.bincount(scene, row, len(names)) for row in values])
    rng, draws = np.random.default_rng(0), BOOTSTRAP_SAMPLES
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws)
    of_scenes = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    total = np.einsum("ds,sg,dg->d", of_seeds, sums, of_scenes)
    means = total / (seeds * (of_scenes @ np.bincount(scene, minlength=len(names))))
    low, high = np.quantile(means, CI95_QUANTILES)
    return Estimate(float(values.mean()), float(low), float(high), seeds, questions)
