"""Classification of images, audio, video, point clouds, depth and IMU recordings, by the class names in an answer.

A language model's answer must name one class and no other; a classifier (PointMLP) lists its most probable classes, and
the first counts.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deixis.datasets.classification.class_folders import QUESTIONS
from deixis.datasets.plain_questions import plain_text
from deixis.evaluation.benchmark import BenchmarkInfo, Example, ExampleResult, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks import class_files as files
from deixis.evaluation.benchmarks.official_files import Item, choice_option, converted
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.evaluation.metrics.answer_text import find_names
from deixis.inference import Answer
from deixis.samples.sample import Sample, Skipped, Turn

ONELLM = "OneLLM-7B (Han et al., CVPR 2024), table 6"
POINTMLP = "PointMLP (Ma et al., ICLR 2022), its repository's README, repaired code"
LISTED, OPEN = "listed", "open"
SCENE_QUESTION = "What kind of scene is this?"
_RANKED = re.compile(r"(?P<first>.+?) \(\d\.\d\d\)(?:, .+? \(\d\.\d\d\))*")

METRICS = (
    mean("accuracy", "correct", "the answer contains a name of the class, and of no other class"),
    mean("mean class accuracy", "class_correct", "macro average of the accuracy over classes", weight="class_weight"),
    mean("loose accuracy", "loose", "a name of the class occurs anywhere in the answer, also beside others"),
    mean("named", "named", "share of answers that name any class", official=False),
)  # fmt: skip
NOTES = (
    "An answer is correct if it names its class and no other, in whole words; the loose accuracy, of papers that "
    "search an answer for the class, also counts an answer that lists all classes.",
    "The most probable class of a PointMLP is its answer.",
)
OPTIONS = {"choices": f"{LISTED} (default): the question lists all classes; {OPEN}: it does not"}


def _example(item: Item, names: Sequence[tuple[str, ...]], question: str) -> Example:
    """The question about an item; what is drawn of it expects the names of its class."""
    example = replace(item, ground_truth=(item.ground_truth, names)).example(question)
    name, *others = map(plain_text, names[item.ground_truth])
    turn = Turn(question, name, references=tuple(others))
    return replace(example, sample=Sample(item.id, "", "question", item.part, (turn,), item.media))


@dataclass(frozen=True)
class Classification:
    """The class of each signal of a set: the reader of its files, and its question (default: that of the modality)."""

    read: Callable[[Path, Mapping[str, str], Sequence[RequiredFile]], files.Classes]
    question: str | None
    info: BenchmarkInfo

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        listed = choice_option(options, "choices", LISTED, OPEN) == LISTED
        classes = self.read(data, options, self.info.required_files)
        question = options.get("question") or self.question or QUESTIONS[classes.modality]
        if listed:
            question = f"{question} Choose one: {_or(classes.names)}."
        return converted(classes.items, lambda item: _example(item, classes.names, question))

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
        """The results with weights by which every class of a part counts equally (macro average over classes)."""
        sizes = Counter((row.part, row.metrics["class"]) for row in rows)
        weights = [1 / sizes[row.part, row.metrics["class"]] for row in rows]
        metrics = [
            {**row.metrics, "class_correct": row.metrics["correct"] * weight, "class_weight": weight}
            for row, weight in zip(rows, weights, strict=True)
        ]
        return [replace(row, metrics=of_row) for row, of_row in zip(rows, metrics, strict=True)]


def named_classes(text: str, names: Sequence[Sequence[str]]) -> set[int]:
    """The classes that a lower-case text names in whole words; of overlapping names the longest counts.

    >>> sorted(named_classes("a home office", [["office"], ["home office"]]))
    [1]
    """
    label_of = {name: label for label, of_class in enumerate(names) for name in of_class}
    return {label_of[name] for name in find_names(text, label_of)}


def first_class(text: str, names: Sequence[Sequence[str]]) -> str:
    """The most probable class in a classifier's list, found by its number if it has no name; any other text unchanged.

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
    *others, last = (plain_text(of_class[0]) for of_class in names)
    return f"{', '.join(others)} or {last}" if others else last


def _scenes(depth: float, normal: float, clip: tuple[str, float]) -> tuple[PublishedScore, ...]:
    source = f"{ONELLM}; its matching rule is not published"
    return (
        PublishedScore("OneLLM-7B, depth", "test", {"accuracy": depth}, source),
        PublishedScore("OneLLM-7B, normals", "test", {"accuracy": normal}, source),
        PublishedScore(clip[0], "test", {"accuracy": clip[1]}, f"table 6 of {ONELLM}"),
    )


def _pointmlp(name: str, part: str, accuracy: float, by_class: float) -> PublishedScore:
    values = {"accuracy": accuracy, "mean class accuracy": by_class}
    return PublishedScore(name, part, values, f"{POINTMLP}, without voting")


def _set(
    name: str,
    title: str,
    read: Callable[[Path, Mapping[str, str], Sequence[RequiredFile]], files.Classes],
    required_files: tuple[RequiredFile, ...],
    notes: tuple[str, ...] = (),
    published: tuple[PublishedScore, ...] = (),
    options: Mapping[str, str] | None = None,
    question: str | None = None,
) -> Classification:
    options = OPTIONS | dict(options or {})
    info = BenchmarkInfo(name, title, required_files, METRICS, (*NOTES, *notes), published, options=options)
    return Classification(read, question, info)


VIEW = {
    "view": "depth (default), normal (NORMALS.npy or .png in a folder normal), or image",
    "image": "with (default): the image precedes the map, as in OneLLM; without: the map alone",
}
PAIRED = "A depth map or normal map is given with its image, as in OneLLM, unless image=without."
CLOUD = {"points": "number of first points of a cloud (default 1024)"}
CLASSIFICATION: tuple[Classification, ...] = (
    _set(
        "class_folders", "Your own images, audio, video, point clouds or IMU recordings in one folder per class",
        files.class_folders,
        (RequiredFile("CLASS/FILE", "one folder per class, or labels.csv (file, label)", "your own", "your own"),),
        options={
            "kind": "modality of the files, if their suffixes do not determine it",
            "label": "column of labels.csv with the class",
            "split": "train, val or test, if folders have these names: only this split",
            "synonyms": "JSON file {class: [other correct names]}",
            "question": "the question",
            "source": "name of the set in ids",
        },
    ),
    _set(
        "modelnet40", "ModelNet40: point clouds of 40 object classes", files.modelnet40,
        (RequiredFile("modelnet40_ply_hdf5_2048/ply_data_test*.h5", "the clouds (or modelnet40_normal_resampled/)",
                "https://modelnet.cs.princeton.edu", "research only"),),
        published=(
            _pointmlp("PointMLP", "test", 94.1, 91.5),
        ),
        options=CLOUD,
    ),
    _set(
        "scanobjectnn", "ScanObjectNN: scanned objects of 15 classes, PB_T50_RS", files.scanobjectnn,
        (RequiredFile("main_split/test_objectdataset_augmentedrot_scale75.h5", "the scans, with the train split beside",
                "https://hkust-vgd.github.io/scanobjectnn", "its terms of use"),),
        published=(
            _pointmlp("PointMLP", files.SCANOBJECTNN_HARDEST, 86.1, 84.4),
            _pointmlp("PointMLP-elite", files.SCANOBJECTNN_HARDEST, 84.1, 81.7),
        ),
        options=CLOUD | {"variant": f"suffix of the file names (default {files.SCANOBJECTNN_HARDEST})"},
    ),
    _set(
        "nyuv2_scenes", "NYUv2: scene classes from depth, normals or images", files.nyuv2,
        (RequiredFile("nyu_depth_v2_labeled.mat", "images, depth and scene classes",
                "https://cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html", "research only"),
         RequiredFile("splits.mat", "the test split", "https://cs.nyu.edu/~silberman/code/splits.mat",
                "research only")),
        (PAIRED, "Random guessing scores 10.0."), _scenes(50.9, 46.5, ("CLIP ViT-H, depth as grey image", 41.9)),
        VIEW, SCENE_QUESTION,
    ),
    _set(
        "sun_rgbd_scenes", "SUN RGB-D: scene classes from depth, normals or images", files.sun_rgbd,
        (RequiredFile("SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat", "the test split",
                "https://rgbd.cs.princeton.edu", "research only"),
         RequiredFile("SUNRGBD/", "images, depth and scene classes", "https://rgbd.cs.princeton.edu", "research only")),
        (PAIRED, "Random guessing scores 5.26.", "Images of other classes than the 19 are excluded."),
        _scenes(29.0, 21.2, ("CLIP ViT-H, depth as grey image", 25.4)), VIEW, SCENE_QUESTION,
    ),
    _set(
        "motion_classes", "IMU recordings with six axes in UEA archive files (BasicMotions)", files.imu,
        (RequiredFile("BasicMotions_TEST.ts", "windows with one class each (or another .ts with six dimensions)",
                "https://timeseriesclassification.com/description.php?Dataset=BasicMotions", "not stated"),),
        options={"rate_hz": "sampling rate (default 10, as of BasicMotions)"},
    ),
)  # fmt: skip
