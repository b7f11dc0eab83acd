"""LVIS-ROC, referring object classification: which of two names an object at a point, box or scribble has (Ferret)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deixis.datasets.grounding.ferret_lvis import FERRET_LVIS
from deixis.evaluation.benchmark import BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.lvis_objects import ANY, THERE, Draw, lvis_objects
from deixis.evaluation.benchmarks.official_files import (
    IMAGES,
    choice_option,
    coco_images,
    find_files,
    integer_option,
    place_for,
    records,
    require_files,
    unescaped,
)
from deixis.evaluation.benchmarks.wording import notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.evaluation.metrics.answer_text import find_names
from deixis.inference import Answer
from deixis.samples.sample import Sample, Skipped
from deixis.systems.ferret.scoring import names_object, without_negations

PARTS = {"point": "point", "box": "box", "free_shape": "free_form"}
"""Ferret's names of the region forms -> parts of the table."""
OBJECTS = 2_667
FERRET_V2 = "Ferret-v2 (Zhang et al., 2024), table 1"
LVIS = RequiredFile(
    "lvis_v1_val.json", "LVIS's validation set, from which the objects are sampled",
    "https://www.lvisdataset.org/dataset", "CC-BY-4.0",
)  # fmt: skip
REQUIRED_FILES = (
    RequiredFile("lvis*.jsonl", "questions in the format of Ferret's LVIS-ROC (optional)", FERRET_LVIS.home,
           FERRET_LVIS.licence),
    LVIS,
    coco_images("val2017/"),
)  # fmt: skip


def _published(system: str, *values: float | None) -> Iterator[PublishedScore]:
    for part, value in zip(PARTS.values(), values, strict=True):
        if value is not None:
            yield PublishedScore(system, part, {"accuracy": value}, FERRET_V2)


INFO = BenchmarkInfo(
    name="lvis_roc",
    title="LVIS referring object classification, by point, box and free-form shape",
    required_files=REQUIRED_FILES,
    metrics=(
        mean("accuracy", "correct", "the answer contains the correct name or a synonym, by the official matching"),
        mean("strict accuracy", "strict", "the answer names the correct object in whole words, and not the other one",
             official=False),
    ),
    notes=(
        "Two names are offered, so that random guessing scores 50; their order alternates between objects.",
        "The official script searches the answer for the name or a synonym as a substring, after removing clauses that "
        "begin with 'not' or 'no' (also words such as 'nose'): an answer that names both is correct, and 'Chair' for "
        "'chair' wrong; the strict accuracy does neither.",
        "Ferret's own 2667 objects were never published; from lvis_v1_val.json one object per image is sampled with "
        "the seed: scores are comparable with others of that seed, and only roughly with the papers'.",
    ),
    published=(
        *_published("Ferret-7B", 67.94, 79.42, 69.77),
        *_published("Ferret-13B", 68.35, 80.46, 70.98),
        *_published("Ferret-v2-7B", 74.55, 86.59, 76.13),
        *_published("Ferret-v2-13B", 75.09, 87.74, 76.35),
        *_published("Shikra-7B", 57.82, 67.71, None),
        *_published("Kosmos-2", None, 60.25, None),
        *_published("GPT4RoI", None, 61.76, None),
    ),
    options=IMAGES | {
        "objects": f"number of objects sampled from LVIS (default {OBJECTS}, as Ferret's)",
        "seed": "seed of the sampling (default 0)",
        "negatives": f"negative name: {ANY} of LVIS (default), or, harder, of an object {THERE} in the image",
        "subset": "val2017 (default), on which few models are trained, or all of LVIS's validation set",
    },
)  # fmt: skip


@dataclass(frozen=True)
class Names:
    """The correct and the other name of one question, as plain text."""

    correct: str
    synonyms: tuple[str, ...]
    other: str


class RegionClassification:
    """Which of two names the object at a region has."""

    info = INFO

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        notation = notation_of(options)
        for record in self._samples(data, options):
            if isinstance(record, Skipped):
                yield record
                continue
            (turn,) = record.turns
            first, second = map(unescaped, turn.choices)
            correct = unescaped(turn.assistant)
            other = second if first == correct else first
            names = Names(correct, tuple(map(unescaped, turn.references)), other)
            text = question_for("which_of_two", notation, name=first, other=second)
            form = record.id.rpartition("/")[2]
            # Ferret writes the bounding box of the scribble's pixels, not the box that was recorded beside it
            regions = tuple(region.only("mask") if form == "free_shape" else region for region in record.regions)
            sample = replace(record, turns=(replace(turn, user=text),), regions=regions)
            asked = (record.id, PARTS[form], record.signals[0].id, text, record.signals)
            yield Example(*asked, names, regions, sample=sample)

    def _samples(self, data: Path, options: Mapping[str, str]) -> Iterable[Sample | Skipped]:
        draw = Draw(
            integer_option(options, "objects", OBJECTS, least=1),
            integer_option(options, "seed", 0),
            choice_option(options, "negatives", ANY, THERE),
            {"val2017": "val2017", "all": ""}[choice_option(options, "subset", "val2017", "all")],
        )
        if questions := find_files(data, REQUIRED_FILES[0].path):
            found = records(FERRET_LVIS, place_for(questions[0], options))
            return (record for record in found if isinstance(record, Sample | Skipped))
        (annotations, *_) = require_files(data, LVIS)
        return lvis_objects(annotations, place_for(annotations, options).images, draw)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        names: Names = example.ground_truth
        # The official script parses the raw text with its coordinates, whose commas end a clause.
        raw = answer.raw or answer.text
        correct = {name.lower() for name in (names.correct, *names.synonyms)}
        found = set(find_names(without_negations(answer.text), {*correct, names.other.lower()}))
        official = int(names_object(raw, names.correct, names.synonyms))
        return {"correct": official, "strict": int(bool(found) and found <= correct)}
