"""F1_all and F1_loc: how well a written caption names the things of a picture and says where they are.

A caption is scored against each reference caption of its picture, class by class of noun: precision over the nouns that
it names, recall over those that the reference names with a box; a noun is right with an IoU above 0.5. F1_all counts a
noun that the reference lacks, or that the caption lacks, as wrong; F1_loc leaves it out. Both are means over classes.

What is odd, and kept: of several things of a class, and of several mentions, the first alone is looked at; a noun that
the reference has without a box costs nothing; and a class that is never named counts with precision 0.

Source: Zhou et al., "Grounded Video Description", CVPR 2019, section 4 and appendix; its
facebookresearch/grounded-video-description@037b7b1 eval_grd_flickr30k_entities.py, grd_eval.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deixis.evaluation.metrics.overlap import bounds_iou
from deixis.evaluation.metrics.scores import Metric
from deixis.language.english import plural

THRESHOLD = 0.5
BoxXYXY = Sequence[float]
ALL, LOC = "all", "loc"
MODES = (ALL, LOC)


@dataclass(frozen=True)
class Reference:
    """One reference caption. nouns: class and box of each thing that it names, in order. unboxed: its other
    words, each as `plural` bends it, for the official script compares lemmas."""

    nouns: tuple[tuple[str, BoxXYXY], ...]
    unboxed: frozenset[str] = field(default=frozenset())


Hits = list[tuple[str, int | None]]
"""A class and whether it is right; None where only `all` counts it, as wrong."""


def precision_hits(given: Sequence[tuple[str, BoxXYXY | None]], reference: Reference) -> Hits:
    """The nouns of a caption, each right or wrong; those that cost nothing are left out.

    given: class and box of each noun that the caption names, in order; no box is a wrong one.
    """
    first = dict(reversed(reference.nouns))
    hits: Hits = []
    for name, box in given:
        if name in first:
            hits.append((name, _fits(box, first[name])))
        elif plural(name) not in reference.unboxed:
            hits.append((name, None))
    return hits


def recall_hits(given: Sequence[tuple[str, BoxXYXY | None]], reference: Reference) -> Hits:
    """The nouns of a reference caption, each found or not."""
    first = dict(reversed(given))
    return [(name, _fits(first[name], box) if name in first else None) for name, box in reference.nouns]


def _fits(box: BoxXYXY | None, true: BoxXYXY) -> int:
    return int(box is not None and bounds_iou(box, true) > THRESHOLD)


def shares_of_f1(rows: Sequence[Mapping[str, Hits]], classes: Iterable[str]) -> list[dict[str, float]]:
    """What each row adds to precision and recall, of all and loc; over all rows they sum up to the official numbers.

    rows: `precision` and `recall`, the hits of all of its references. classes: those that the references name. A class
    counts by its share of right ones among all rows, which is why one row's part is known only with all of them.
    """
    count = len(set(classes))
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in rows:
        for kind, hits in row.items():
            for name, hit in hits:
                totals[kind, ALL, name] += 1
                totals[kind, LOC, name] += hit is not None
    return [
        {
            f"{kind}_{mode}": sum(1 / (totals[kind, mode, name] * count) for name, hit in hits if hit)
            for kind, hits in row.items()
            for mode in MODES
        }
        for row in rows
    ]


def f1_metrics() -> tuple[Metric, ...]:
    """The metrics over the marks `precision_all`, `recall_all`, `precision_loc`, `recall_loc` of `shares_of_f1`."""

    def f1(precision: Any, recall: Any) -> Any:
        precision, recall = np.asarray(precision, dtype=float), np.asarray(recall, dtype=float)
        both = precision + recall
        return np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)

    meanings = {
        ALL: "things named in the right place, over all things named or to be named, mean over classes of nouns",
        LOC: "the same over the things that both the caption and the reference name",
    }
    return tuple(Metric(f"F1_{mode}", f1, (f"precision_{mode}", f"recall_{mode}"), meanings[mode]) for mode in MODES)
