"""POPE: is there such a thing in the picture? Questions about things that are there and, as many, that are not."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deixis.datasets.instruction.question_sets import POPE as READER
from deixis.evaluation.benchmark import BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.records import records
from deixis.evaluation.benchmarks.required_files import (
    IMAGES,
    choice_option,
    coco_images,
    find_files,
    place_for,
    require_files,
)
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean
from deixis.evaluation.metrics.answer_text import find_names, parse_yes_no
from deixis.inference import Answer
from deixis.samples.sample import Sample
from deixis.samples.skipped import Skipped
from deixis.systems.ferret.scoring import says_yes

PARTS = ("random", "popular", "adversarial")
SOURCES = ("coco", "aokvqa", "gqa")
OSPREY = "Osprey (Yuan et al., CVPR 2024), table 6, as Ferret-7B"
VALUES = {
    "random": (90.24, 97.72, 83.00, 89.76, 43.78),
    "popular": (84.90, 88.24, 80.53, 84.21, 45.63),
    "adversarial": (82.36, 83.60, 80.53, 82.00, 48.18),
}
"""Accuracy, precision, recall, F1 and the share of yes."""


def _share(part: Any, whole: Any) -> Any:
    """part / whole, 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=np.asarray(whole) > 0)


METRICS = (
    mean("accuracy", "correct", "the share of right answers"),
    Metric("precision", lambda tp, fp: _share(tp, tp + fp), ("tp", "fp"), "of the answers yes, so many are right"),
    Metric("recall", lambda tp, fn: _share(tp, tp + fn), ("tp", "fn"), "of what is there, so much is said to be"),
    Metric("F1", lambda tp, fp, fn: _share(2 * tp, 2 * tp + fp + fn), ("tp", "fp", "fn"), "of precision and recall"),
    mean("yes", "yes", "the share of answers that count as yes; half of them should be"),
    mean("strict accuracy", "strict", "the share of right answers that say yes or no in plain words", official=False),
    mean("unclear", "unclear", "the share of answers that say neither yes nor no, or both", official=False),
)
INFO = BenchmarkInfo(
    name="pope",
    title="POPE: is there such a thing in the picture?",
    required_files=(
        RequiredFile("coco_pope_random.json (popular, adversarial)", "the questions, one file or more of the three",
               READER.home, READER.licence),
        coco_images("val2014/"),
    ),
    metrics=METRICS,
    notes=(
        "Half of the questions are about things that are not there: any thing, things that are frequent in all "
        "pictures, or things that often come with those that are there.",
        "The official script takes the first sentence and counts it as no if one of its words is No, no or not, and "
        "everything else as yes, an empty answer too; the strict accuracy wants a yes or a no.",
    ),
    published=tuple(
        PublishedScore(
            "Ferret-7B", part, dict(zip(("accuracy", "precision", "recall", "F1", "yes"), values, strict=True)), OSPREY
        )
        for part, values in VALUES.items()
    ),
    options=IMAGES | {"source": "whose pictures, by the names of POPE's files: coco, aokvqa or gqa"},
)  # fmt: skip


class Pope:
    """Yes or no, about things that are there and things that are not."""

    info = INFO

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        source = choice_option(options, "source", *SOURCES)
        names = {part: f"{source}_pope_{part}.json" for part in PARTS}
        files = {part: path for part, name in names.items() for path in find_files(data, name)}
        if not files:
            require_files(data, self.info.required_files[0], *names.values())
        for part, path in files.items():
            for record in records(READER, place_for(path, options)):
                if isinstance(record, Sample):
                    yield _example(part, record)
                elif isinstance(record, Skipped):
                    yield record

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        there = example.ground_truth == "yes"
        yes, plain = says_yes(answer.raw or answer.text), said(answer.text)
        return {
            "correct": int(yes == there),
            "tp": int(yes and there),
            "fp": int(yes and not there),
            "fn": int(not yes and there),
            "yes": int(yes),
            "strict": int(plain == example.ground_truth),
            "unclear": int(plain is None),
        }


def said(text: str) -> str | None:
    """ "yes" or "no": with which an answer begins, or else the one of them that it holds; None where that is unclear.

    >>> said("No, but yes to a cat."), said("I see no dog."), said("A dog."), said("It may be yes or no.")
    ('no', 'no', None, None)
    """
    first = text.split(maxsplit=1)[:1]
    return next(iter(find_names("".join(first), ("yes", "no"))), None) or parse_yes_no(text)


def _example(part: str, sample: Sample) -> Example:
    (turn,) = sample.turns
    picture = sample.signals[0].id
    return Example(sample.id, part, picture, turn.user, sample.signals, ground_truth=turn.assistant, sample=sample)
