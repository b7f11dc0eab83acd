"""POPE, object hallucination: whether an object is in the image, half of the questions about absent objects."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from deixis.datasets.instruction.question_sets import POPE as READER
from deixis.evaluation.benchmark import BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.official_files import (
    IMAGES,
    choice_option,
    coco_images,
    find_files,
    place_for,
    records,
    require_files,
    with_media,
)
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean, ratio
from deixis.evaluation.metrics.answer_text import find_names, parse_yes_no
from deixis.inference import Answer
from deixis.samples.sample import Sample, Skipped
from deixis.systems.ferret.scoring import says_yes

PARTS = ("random", "popular", "adversarial")
SOURCES = ("coco", "aokvqa", "gqa")
OSPREY = "Osprey (Yuan et al., CVPR 2024), table 6, as Ferret-7B"
COLUMNS = ("accuracy", "precision", "recall", "F1", "yes")
VALUES = {
    "random": (90.24, 97.72, 83.00, 89.76, 43.78),
    "popular": (84.90, 88.24, 80.53, 84.21, 45.63),
    "adversarial": (82.36, 83.60, 80.53, 82.00, 48.18),
}


METRICS = (
    mean("accuracy", "correct", "share of correct answers"),
    mean("precision", "tp", "share of the answers yes that are correct", weight="yes", undefined=0.0),
    mean("recall", "tp", "share of the present objects that are answered yes", weight="present", undefined=0.0),
    Metric("F1", lambda tp, yes, present: ratio(2 * tp, yes + present), ("tp", "yes", "present"),
           "harmonic mean of precision and recall"),
    mean("yes", "yes", "share of answers that count as yes; 50 is unbiased"),
    mean("strict accuracy", "strict", "share of correct answers that contain an explicit yes or no", official=False),
    mean("unclear", "unclear", "share of answers with neither yes nor no, or both", official=False),
)  # fmt: skip
INFO = BenchmarkInfo(
    name="pope",
    title="POPE: object hallucination, yes or no",
    required_files=(
        RequiredFile("coco_pope_random.json (popular, adversarial)", "the questions, one or more of the three files",
               READER.home, READER.licence),
        coco_images("val2014/"),
    ),
    metrics=METRICS,
    notes=(
        "Half of the questions are about absent objects: random ones, objects frequent in the data set (popular), or "
        "objects that often occur with those present (adversarial).",
        "The official script takes the first sentence and counts it as no if one of its words is No, no or not, and "
        "everything else as yes, also an empty answer; the strict accuracy requires an explicit yes or no.",
    ),
    published=tuple(PublishedScore("Ferret-7B", part, dict(zip(COLUMNS, values, strict=True)), OSPREY)
                    for part, values in VALUES.items()),
    options=IMAGES | {"source": "source of the images, as in the names of POPE's files: coco, aokvqa or gqa"},
)  # fmt: skip


class Pope:
    """Yes-or-no questions about present and absent objects."""

    info = INFO

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        source = choice_option(options, "source", *SOURCES)
        names = {part: f"{source}_pope_{part}.json" for part in PARTS}
        files = {part: path for part, name in names.items() for path in find_files(data, name)}
        if not files:
            require_files(data, self.info.required_files[0], *names.values())
        for part, path in files.items():
            for record in records(READER, with_media(place_for(path, options), "val2014")):
                if isinstance(record, Sample | Skipped):
                    yield record if isinstance(record, Skipped) else _example(part, record)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        present = example.ground_truth == "yes"
        yes, explicit = says_yes(answer.raw or answer.text), explicit_yes_no(answer.text)
        return {
            "correct": int(yes == present),
            "tp": int(yes and present),
            "present": int(present),
            "yes": int(yes),
            "strict": int(explicit == example.ground_truth),
            "unclear": int(explicit is None),
        }


def explicit_yes_no(text: str) -> str | None:
    """ "yes" or "no": the first word of an answer, or else the only one of the two in it; None if that is ambiguous.

    >>> [explicit_yes_no(text) for text in ("No, but yes to a cat.", "I see no dog.", "A dog.", "It may be yes or no.")]
    ['no', 'no', None, None]
    """
    first = text.split(maxsplit=1)[:1]
    return next(iter(find_names("".join(first), ("yes", "no"))), None) or parse_yes_no(text)


def _example(part: str, sample: Sample) -> Example:
    (turn,) = sample.turns
    asked = (sample.id, part, sample.signals[0].id, turn.user, sample.signals)
    return Example(*asked, ground_truth=turn.assistant, sample=sample)
