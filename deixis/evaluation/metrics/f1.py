"""F1 of predicted against expected items: as multisets, or matched one to one."""

from collections import Counter
from collections.abc import Hashable, Iterable

import numpy as np
from jaxtyping import Bool


def f1(true_positives: int, predicted: int, expected: int) -> float:
    """F1, the harmonic mean of precision and recall, from counts; 1 if nothing was expected and nothing predicted."""
    return 2 * true_positives / (predicted + expected) if predicted + expected else 1.0


def multiset_f1(predicted: Iterable[Hashable], expected: Iterable[Hashable]) -> float:
    """F1 of two collections without order, repeats counted; 1 if both are empty.

    >>> multiset_f1(["mug", "mug"], ["mug", "car"])
    0.5
    """
    first, second = Counter(predicted), Counter(expected)
    return f1((first & second).total(), first.total(), second.total())


def matched_f1(matches: Bool[np.ndarray, "predicted expected"]) -> float:
    """F1 after the best one-to-one (Hungarian) matching; `matches` holds which pairs would be correct.

    >>> matched_f1(np.array([[True, True], [True, False], [False, False]]))
    0.8
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(matches, maximize=True)
    return f1(int(matches[rows, columns].sum()), *matches.shape)
