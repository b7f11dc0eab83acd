"""What is it? Signals of one class each, by the names that an answer says. One class, a table of sets.

A language model writes a sentence, in which one class and no other must be named; a classifier (a PointMLP) lists its
likeliest classes, and the first counts.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deixis.datasets.classification.class_folders import QUESTIONS
from deixis.datasets.plain_questions import plain_text
from deixis.evaluation.benchmark import BenchmarkInfo, Example, ExampleResult, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks import class_files as files
from deixis.evaluation.benchmarks.required_files import choice_option
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.evaluation.metrics.answer_text import find_names
from deixis.inference import Answer
from deixis.samples.skipped import Skipped

ONELLM = "OneLLM-7B (Han et al., CVPR 2024), table 6"
POINTMLP = "PointMLP (Ma et al., ICLR 2022), its repository's README, repaired code"
LISTED, OPEN = "listed", "open"
SCENE_QUESTION = "What kind of scene is this?"
_RANKED = re.compile(r"(?P<first>.+?) \(\d\.\d\d\)(?:, .+? \(\d\.\d\d\))*")

METRICS = (
    mean("accuracy", "correct", "the answer names the class, by one of its names, and no other class"),
    mean("mean class accuracy", "class_correct", "the mean of the classes' accuracies", weight="class_weight"),
    mean("loose accuracy", "loose", "a name of the class stands somewhere in the answer, whatever else it says"),
    mean("named", "named", "the share of answers that name any class at all", official=False),
)  # fmt: skip
NOTES = (
    "An answer is right where it names its class and no other, in whole words; the loose accuracy, which papers use "
    "that search an answer for the class, also counts an answer that lists all classes.",
    "A PointMLP's likeliest class is its answer.",
)
OPTIONS = {"choices": f"{LISTED} (the usual): the question lists all classes; {OPEN}: it does not"}


@dataclass(frozen=True)
class ClassifiedSet:
    """A set: how its files are read, and what is asked (else the usual question about signals of its kind)."""

    name: str
    title: str
    read: Callable[[Path, Mapping[str, str], Sequence[RequiredFile]], files.Classes]
    required_files: tuple[RequiredFile, ...]
    notes: tuple[str, ...] = ()
    published: tuple[PublishedScore, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    question: str | None = None


class Classification:
    """The class of each signal of a set."""

    def __init__(self, of: ClassifiedSet):
        self.of = of
        self.info = BenchmarkInfo(
            name=of.name,
            title=of.title,
            required_files=of.required_files,
            metrics=METRICS,
            notes=(*NOTES, *of.notes),
            published=of.published,
            options=OPTIONS | dict(of.options),
        )

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        listed = choice_option(options, "choices", LISTED, OPEN) == LISTED
        classes = self.of.read(data, options, self.of.required_files)
        question = options.get("question") or self.of.question or QUESTIONS[classes.kind]
        if listed:
            question = f"{question} Choose one: {_or(classes.names)}."
        for item in classes.items:
            if isinstance(item, Skipped):
                yield item
            else:
                ground_truth = (item.label, classes.names)
                yield Example(item.id, item.part, item.media[0].id, question, item.media, ground_truth=ground_truth)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        label, names = example.ground_truth
        text = first_class(answer.text, names).lower()
        named = named_classes(text, names)
        return {
            "class": names[label][0],
            "correct": int(named == {label}),
            "loose": int(any(name in text for name in names[label])),
            "named": int(bool(named)),
        }

    def corpus_metrics(self, rows: Sequence[ExampleResult]) -> Sequence[ExampleResult]:
        """The rows with weights by which every class of a part counts the same."""
        sizes = Counter((row.part, row.metrics["class"]) for row in rows)
        weights = [1 / sizes[row.part, row.metrics["class"]] for row in rows]
        return [
            replace(
                row, metrics={**row.metrics, "class_correct": row.metrics["correct"] * weight, "class_weight": weight}
            )
            for row, weight in zip(rows, weights, strict=True)
        ]


def named_classes(text: str, names: Sequence[Sequence[str]]) -> set[int]:
    """The classes that a text in small letters names in whole words; of names within names the longest counts.

    >>> sorted(named_classes("a home office", [["office"], ["home office"]]))
    [1]
    """
    label_of = {name: label for label, some in enumerate(names) for name in some}
    return {label_of[name] for name in find_names(text, label_of)}


def first_class(text: str, names: Sequence[Sequence[str]]) -> str:
    """Of a classifier's list the likeliest class, by its number if it has no name; any other text as it is.

    >>> first_class("night_stand (0.83), table (0.10)", [["night stand"]]), first_class("class 0 (1.00)", [["chair"]])
    ('night stand', 'chair')
    """
    ranked = _RANKED.fullmatch(text)
    if ranked is None:
        return text
    first = ranked["first"].replace("_", " ")
    word, _, number = first.rpartition(" ")
    return names[int(number)][0] if word == "class" and number.isdecimal() and int(number) < len(names) else first


def _or(names: Sequence[Sequence[str]]) -> str:
    """ "a, b or c", as markup."""
    *others, last = (plain_text(some[0]) for some in names)
    return f"{', '.join(others)} or {last}" if others else last


def _scenes(depth: float, normal: float, clip: tuple[str, float]) -> tuple[PublishedScore, ...]:
    return (
        PublishedScore("OneLLM-7B, depth", "test", {"accuracy": depth}, f"{ONELLM}; its rule is not published"),
        PublishedScore("OneLLM-7B, normals", "test", {"accuracy": normal}, f"{ONELLM}; its rule is not published"),
        PublishedScore(clip[0], "test", {"accuracy": clip[1]}, f"table 6 of {ONELLM}"),
    )


def _pointmlp(name: str, part: str, accuracy: float, by_class: float) -> PublishedScore:
    return PublishedScore(
        name, part, {"accuracy": accuracy, "mean class accuracy": by_class}, f"{POINTMLP}, without votes"
    )


VIEW = {
    "view": "depth (the usual), normal (NORMALS.npy or .png in a folder normal), or picture",
    "picture": "with (the usual): the picture goes before the map, as OneLLM has it; without: the map alone",
}
PAIRED = "A depth map or normals go with their picture, as in OneLLM, unless picture=without."
CLOUD = {"points": "of a cloud, the first so many; 1024"}
_SETS = (
    ClassifiedSet(
        "class_folders", "Your own: pictures, sounds, films, clouds or motion in a folder for each class",
        files.class_folders,
        (RequiredFile("CLASS/FILE", "a folder for each class, or labels.csv (file, label)", "your own", "your own"),),
        options={
            "kind": "what the files are, where their endings do not tell",
            "label": "the column of labels.csv with the class",
            "split": "train, val or test, where folders are called so: only these",
            "synonyms": "a JSON file {class: [other names that are as right]}",
            "question": "what is asked",
            "source": "what the set is called in ids",
        },
    ),
    ClassifiedSet(
        "modelnet40", "ModelNet40: clouds of 40 kinds of things", files.modelnet40,
        (RequiredFile("modelnet40_ply_hdf5_2048/ply_data_test*.h5", "the clouds (or modelnet40_normal_resampled/)",
                "https://modelnet.cs.princeton.edu", "research only"),),
        published=(
            _pointmlp("PointMLP", "test", 94.1, 91.5),
        ),
        options=CLOUD,
    ),
    ClassifiedSet(
        "scanobjectnn", "ScanObjectNN: scanned things of 15 kinds, PB_T50_RS", files.scanobjectnn,
        (RequiredFile("main_split/test_objectdataset_augmentedrot_scale75.h5", "the scans, with the train split beside",
                "https://hkust-vgd.github.io/scanobjectnn", "its terms of use"),),
        published=(
            _pointmlp("PointMLP", files.SCANOBJECTNN_HARDEST, 86.1, 84.4),
            _pointmlp("PointMLP-elite", files.SCANOBJECTNN_HARDEST, 84.1, 81.7),
        ),
        options=CLOUD | {"variant": f"the ending of the files; {files.SCANOBJECTNN_HARDEST}"},
    ),
    ClassifiedSet(
        "nyuv2_scenes", "NYUv2: the kind of room, of depth, normals or pictures", files.nyuv2,
        (RequiredFile("nyu_depth_v2_labeled.mat", "pictures, depth and kinds of rooms",
                "https://cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html", "research only"),
         RequiredFile("splits.mat", "which are for testing", "https://cs.nyu.edu/~silberman/code/splits.mat",
                "research only")),
        (PAIRED, "Chance is 10.0."), _scenes(50.9, 46.5, ("CLIP ViT-H, depth as grey", 41.9)), VIEW, SCENE_QUESTION,
    ),
    ClassifiedSet(
        "sun_rgbd_scenes", "SUN RGB-D: the kind of room, of depth, normals or pictures", files.sun_rgbd,
        (RequiredFile("SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat", "which are for testing",
                "https://rgbd.cs.princeton.edu", "research only"),
         RequiredFile("SUNRGBD/", "images, depth and room types", "https://rgbd.cs.princeton.edu", "research only")),
        (PAIRED, "Chance is 5.26.", "Pictures of other classes than the 19 are not asked about."),
        _scenes(29.0, 21.2, ("CLIP ViT-H, depth as grey", 25.4)), VIEW, SCENE_QUESTION,
    ),
    ClassifiedSet(
        "motion_classes", "Motion of six axes in the files of UEA's archive (BasicMotions)", files.motion,
        (RequiredFile("BasicMotions_TEST.ts", "windows with a class each (or another .ts of six dimensions)",
                "https://timeseriesclassification.com/description.php?Dataset=BasicMotions", "not stated"),),
        options={"rate_hz": "of the rows; 10, as BasicMotions has"},
    ),
)  # fmt: skip

CLASSIFICATION: tuple[Classification, ...] = tuple(map(Classification, _SETS))
