"""F1_all and F1_loc against a plain loop over captions and classes that follows the official script's description."""

import numpy as np
import pytest

from deixis.evaluation.metrics.aggregation import bootstrap_score
from deixis.evaluation.metrics.grounding_f1 import (
    Reference,
    f1_metrics,
    precision_matches,
    precision_recall_shares,
    recall_matches,
)
from deixis.evaluation.metrics.iou import bounds_iou

CLASSES = ("man", "dog", "ball", "tree")
HERE, THERE = (0, 0, 10, 10), (50, 50, 60, 60)


def f1(images: list[tuple[list, list[Reference]]]) -> dict[str, float]:
    """pictures: the phrases of the caption, and its references."""
    rows = [
        {
            "precision": [correct for one in references for correct in precision_matches(given, one)],
            "recall": [correct for one in references for correct in recall_matches(given, one)],
        }
        for given, references in images
    ]
    classes = {name for _, references in images for one in references for name, _ in one.nouns}
    metrics = precision_recall_shares(rows, classes)
    return {
        metric.name: bootstrap_score(metric, [(str(n), row) for n, row in enumerate(metrics)]).value
        for metric in f1_metrics()
    }


def plain_loop(images: list[tuple[list, list[Reference]]], mode: str) -> float:
    precision, recall, vocabulary = {}, {}, set()
    for given, references in images:
        for reference in references:
            names = [name for name, _ in reference.nouns]
            vocabulary |= set(names)
            for name, box in given:
                if name in names:
                    true = reference.nouns[names.index(name)][1]
                    precision.setdefault(name, []).append(bounds_iou(box, true) > 0.5)
                elif f"{name}s" in reference.unboxed or (name == "man" and "men" in reference.unboxed):
                    continue
                elif mode == "all":
                    precision.setdefault(name, []).append(False)
            named = [name for name, _ in given]
            for name, true in reference.nouns:
                if name in named:
                    recall.setdefault(name, []).append(bounds_iou(given[named.index(name)][1], true) > 0.5)
                elif mode == "all":
                    recall.setdefault(name, []).append(False)
    p, r = (sum(sum(hits) / len(hits) for hits in of.values()) / len(vocabulary) for of in (precision, recall))
    return 2 * p * r / (p + r) if p + r else 0.0


def test_equals_a_plain_loop():
    rng = np.random.default_rng(0)

    def some(count: int) -> list:
        return [(CLASSES[rng.integers(len(CLASSES))], (HERE, THERE)[rng.integers(2)]) for _ in range(count)]

    for _ in range(20):
        unboxed = [frozenset({"trees"}), frozenset({"men"}), frozenset()]
        images = [
            (
                some(rng.integers(4)),
                [Reference(tuple(some(rng.integers(4))), unboxed[rng.integers(3)]) for _ in range(5)],
            )
            for _ in range(6)
        ]
        found = f1(images)
        for mode in ("all", "loc"):
            assert found[f"F1_{mode}"] == pytest.approx(plain_loop(images, mode)), mode


@pytest.mark.parametrize(
    ("given", "f1_all", "f1_loc"),
    [
        pytest.param([("man", HERE), ("dog", THERE)], 1, 1, id="right"),
        pytest.param([], 0, 0, id="empty"),
        pytest.param([("man", HERE)], 0.5, 0.5, id="one_of_two"),
        pytest.param([("man", THERE), ("dog", HERE)], 0, 0, id="swapped"),
        pytest.param([("man", HERE), ("dog", THERE), ("ball", HERE)], 1, 1, id="a_class_of_no_reference_costs_nothing"),
        pytest.param([("man", HERE), ("dog", THERE), ("tree", HERE)], 1, 1, id="named_without_a_box"),
        pytest.param([("man", None), ("dog", THERE)], 0.5, 0.5, id="without_a_box"),
        pytest.param([("man", HERE), ("man", THERE), ("dog", THERE)], 2 * 0.75 / 1.75, 2 * 0.75 / 1.75,
                     id="a_second_mention_costs_precision_and_is_no_recall"),
    ],
)  # fmt: skip
def test_one_caption(given, f1_all, f1_loc):
    reference = Reference((("man", HERE), ("dog", THERE)), frozenset({"trees"}))
    found = f1([(given, [reference])])
    assert (found["F1_all"], found["F1_loc"]) == pytest.approx((f1_all, f1_loc))


def test_missing_noun_counts_in_f1_all_only():
    references = [Reference((("man", HERE),)), Reference((("man", HERE), ("dog", THERE)))]
    found = f1([([("man", HERE)], references), ([("man", HERE), ("dog", THERE)], references)])
    assert found["F1_loc"] == 1
    # of dog: found in one of two, and named once where the reference has none
    assert found["F1_all"] == pytest.approx((1 + 0.5) / 2)
