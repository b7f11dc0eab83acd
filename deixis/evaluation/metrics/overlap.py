"""Metrics as pure functions of predictions and truth. They know nothing of models, samples or files.

Every example gets a value and a weight, and a score is the weighted mean of the values. With weight 1 that is
accuracy, mean F1 or gIoU (the mean of the examples' IoU); with the IoU weighted by its union it is cIoU (all shared
cells over all joined cells), as segmentation papers define the two.

Rule for empty targets, here and for both IoUs: nothing asked for and nothing marked is 1, anything marked is 0. An
empty target has no union when nothing is marked, so it counts in gIoU and drops out of cIoU.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from jaxtyping import Bool

from deixis.geometry import box3d_iou, box_iou_xyxy, span_iou

HIT_IOU = 0.5  # from which a box, a span or a region counts as found
NUMBER_WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ZERO_WORDS = ("no", "zero", "nothing")
_IOU = {2: span_iou, 4: box_iou_xyxy, 6: box3d_iou}


def bounds_iou(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two spans (start, end) or boxes (lows, then highs) of 2 or 3 axes.

    >>> bounds_iou((0, 2), (1, 2))
    0.5
    """
    rows = [np.asarray(bounds, dtype=np.float64)[None] for bounds in (first, second)]
    return float(_IOU[len(first)](*rows)[0, 0])


def is_hit(predicted: Sequence[float] | None, true: Sequence[float], threshold: float = HIT_IOU) -> float:
    """1 where a span or box was given and overlaps the true one with an IoU of at least `threshold`, else 0."""
    return float(predicted is not None and bounds_iou(predicted, true) >= threshold)


def mask_overlap(predicted: Bool[np.ndarray, "*cells"], true: Bool[np.ndarray, "*cells"]) -> tuple[float, float]:
    """(IoU, union) of two masks of pixels or points, the union counted in cells; (1, 0) where both are empty.

    >>> mask_overlap(np.array([True, True, False]), np.array([False, True, True]))
    (0.3333333333333333, 3.0)
    """
    shared, union = (float(np.count_nonzero(cells)) for cells in (predicted & true, predicted | true))
    return (shared / union if union else 1.0), union


def spans_overlap(predicted: Sequence[tuple[float, float]], true: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(IoU, union) of two sets of spans in seconds, each taken as the time it covers; (1, 0) where both are empty.

    >>> spans_overlap([(0.0, 1.0), (0.5, 2.0)], [(1.0, 4.0)])
    (0.25, 4.0)
    """
    edges = np.unique([edge for span in (*predicted, *true) for edge in span])
    middles, lengths_s = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    inside = [
        np.any([(middles > start) & (middles < end) for start, end in spans], axis=0)
        if len(spans)
        else np.zeros(len(middles), dtype=bool)
        for spans in (predicted, true)
    ]
    union_s = float(lengths_s[inside[0] | inside[1]].sum())
    return (float(lengths_s[inside[0] & inside[1]].sum()) / union_s if union_s else 1.0), union_s


def names_in(text: str, vocabulary: Iterable[str]) -> list[str]:
    """The words of `vocabulary` that stand in a text as whole words, in order of the text, repeats kept.

    >>> names_in("A Red mug, not a redder carpet.", ["red", "mug", "car"])
    ['red', 'mug']
    """
    words = "|".join(sorted(map(re.escape, vocabulary), key=len, reverse=True))
    return re.findall(rf"\b(?:{words})\b", text.lower()) if words else []


def name_match(text: str, name: str, vocabulary: Iterable[str]) -> float:
    """1 where `name` stands in the text as a whole word and no other name of the vocabulary does, else 0.

    So a list of all names is no right answer. Words outside the vocabulary (a colour beside a kind) do not matter.

    >>> name_match("A red mug.", "mug", ["mug", "car"]), name_match("A mug or a car.", "mug", ["mug", "car"])
    (1.0, 0.0)
    """
    return float(set(names_in(text, {name, *vocabulary})) == {name})


def yes_no(text: str) -> str | None:
    """ "yes" or "no", whichever of them a text holds as a whole word; None where it holds neither or both."""
    found = set(names_in(text, ("yes", "no")))
    return found.pop() if len(found) == 1 else None


def count_in(text: str) -> int | None:
    """The one number a text names, in digits or in words up to ten; None where there is none, or more than one.

    >>> count_in("Two."), count_in("There are 12 mugs."), count_in("None."), count_in("One or two.")
    (2, 12, 0, None)
    """
    words = {word: number for number, word in enumerate(NUMBER_WORDS)} | dict.fromkeys(ZERO_WORDS, 0)
    found = {words[word] for word in names_in(text, words)} | set(map(int, re.findall(r"\b[0-9]{1,6}\b", text)))
    return found.pop() if len(found) == 1 else None


def multiset_f1(predicted: Iterable[Hashable], true: Iterable[Hashable]) -> float:
    """F1 of two collections without order, repeats counted; 1 where both are empty.

    >>> multiset_f1(["mug", "mug"], ["mug", "car"])
    0.5
    """
    first, second = Counter(predicted), Counter(true)
    return f1((first & second).total(), first.total(), second.total())


def matched_f1(fits: Bool[np.ndarray, "predicted true"]) -> float:
    """F1 of predictions and truths paired one to one as well as can be; `fits` says which pairs would be right.

    >>> matched_f1(np.array([[True, True], [True, False], [False, False]]))
    0.8
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(fits, maximize=True)
    return f1(int(fits[rows, columns].sum()), *fits.shape)


def f1(right: int, predicted: int, true: int) -> float:
    """Harmonic mean of precision and recall from counts; 1 where nothing was to be found and nothing was given."""
    return 2 * right / (predicted + true) if predicted + true else 1.0


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """The score of examples; 0 for none, 1 where no example has any weight (cIoU of empty targets left empty)."""
    if not len(values):
        return 0.0
    total = float(np.sum(weights))
    return float(np.dot(values, weights)) / total if total else 1.0


def majority_share(answers: Sequence[Hashable], groups: Sequence[Hashable] | None = None) -> float:
    """What the most frequent answer would score: its share, the most frequent chosen group by group (all are one).

    >>> majority_share(["yes", "yes", "no"]), majority_share(["small", "matte"], ["size", "material"])
    (0.6666666666666666, 1.0)
    """
    of_group: dict[Hashable, Counter] = {}
    for answer, group in zip(answers, groups or [None] * len(answers), strict=True):
        of_group.setdefault(group, Counter())[answer] += 1
    return sum(max(counter.values()) for counter in of_group.values()) / len(answers) if answers else 0.0
