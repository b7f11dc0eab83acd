"""F1_all and F1_loc of grounded captioning: whether a caption names an image's objects and grounds them with boxes.

A caption is scored against each reference caption of its image, per noun class: precision over the nouns of the
caption, recall over the boxed nouns of the reference; a noun is correct with an IoU above 0.5. F1_all counts a noun
that only the caption or only the reference has as wrong; F1_loc excludes it. Both are macro averages over classes.

Peculiarities, reproduced: of several objects and several mentions of a class only the first is compared; a noun that
the reference has without a box is not counted; a class that is never predicted has precision 0.

Source: Zhou et al., "Grounded Video Description", CVPR 2019, section 4 and appendix; its
facebookresearch/grounded-video-description@037b7b1 eval_grd_flickr30k_entities.py, grd_eval.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deixis.evaluation.metrics.aggregation import Metric, ratio
from deixis.evaluation.metrics.iou import IOU_THRESHOLD, bounds_iou
from deixis.language.english import plural

BoxXYXY = Sequence[float]
ALL, LOC = "all", "loc"
MODES = (ALL, LOC)


@dataclass(frozen=True)
class Reference:
    """One reference caption. nouns: (class, box) of each boxed noun, in order. unboxed: its other words, normalised by
    `plural`, where the official script compares lemmas."""

    nouns: tuple[tuple[str, BoxXYXY], ...]
    unboxed: frozenset[str] = field(default=frozenset())


Matches = list[tuple[str, int | None]]
"""(class, 1 if correct else 0) per noun; None for a noun that the other caption lacks, wrong in F1_all only."""


def precision_matches(predicted: Sequence[tuple[str, BoxXYXY | None]], reference: Reference) -> Matches:
    """The nouns of a caption as correct or wrong, without those that are not counted.

    predicted: (class, box) of each noun of the caption, in order; a noun without a box is wrong.
    """
    first = dict(reversed(reference.nouns))
    matches: Matches = []
    for name, box in predicted:
        if name in first:
            matches.append((name, _is_correct(box, first[name])))
        elif plural(name) not in reference.unboxed:
            matches.append((name, None))
    return matches


def recall_matches(predicted: Sequence[tuple[str, BoxXYXY | None]], reference: Reference) -> Matches:
    """The nouns of a reference caption as found or missed."""
    first = dict(reversed(predicted))
    return [(name, _is_correct(first[name], box) if name in first else None) for name, box in reference.nouns]


def _is_correct(box: BoxXYXY | None, target: BoxXYXY) -> int:
    return int(box is not None and bounds_iou(box, target) > IOU_THRESHOLD)  # strictly above, as officially


def precision_recall_shares(rows: Sequence[Mapping[str, Matches]], classes: Iterable[str]) -> list[dict[str, float]]:
    """The contribution of each example to precision and recall in both modes; the sums are the official numbers.

    rows: "precision" and "recall", the matches of all references of an example. classes: those of the references. Each
    correct noun contributes 1 / (nouns of its class * classes): its part of a macro average, known only from all rows.
    """
    count = len(set(classes))
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in rows:
        for kind, matches in row.items():
            for name, correct in matches:
                totals[kind, ALL, name] += 1
                totals[kind, LOC, name] += correct is not None
    return [
        {
            f"{kind}_{mode}": sum(1 / (totals[kind, mode, name] * count) for name, correct in matches if correct)
            for kind, matches in row.items()
            for mode in MODES
        }
        for row in rows
    ]


def f1_metrics() -> tuple[Metric, ...]:
    """F1_all and F1_loc over the per-example metrics of `precision_recall_shares`."""

    def f1(precision: Any, recall: Any) -> Any:
        return ratio(2 * precision * recall, precision + recall)

    meanings = {
        ALL: "F1 of correctly boxed nouns over all nouns of caption and reference, mean over noun classes",
        LOC: "the same over the nouns that both the caption and the reference have",
    }
    return tuple(Metric(f"F1_{mode}", f1, (f"precision_{mode}", f"recall_{mode}"), meanings[mode]) for mode in MODES)
