"""Flickr30k phrase grounding: the boxes of a caption's phrases, by Ferret's and MDETR's evaluation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from deixis.datasets.files.boxes import box_from_xywh
from deixis.datasets.files.images import declared_size_hw
from deixis.datasets.files.json_stream import json_items
from deixis.datasets.plain_questions import plain_text
from deixis.errors import DataError, DeixisError
from deixis.evaluation.benchmark import BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.answer_boxes import first_box, phrase_boxes
from deixis.evaluation.benchmarks.flickr_entities import (
    ENTITIES,
    LICENCE,
    PHOTOS,
    AnnotatedImage,
    BoxXYXY,
    annotated_image,
    enclosing,
    entities_folder,
    photo,
    photo_folders,
)
from deixis.evaluation.benchmarks.official_files import IMAGES, converted, find_files, require_files
from deixis.evaluation.benchmarks.wording import notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.evaluation.metrics.iou import is_correct
from deixis.files.json_text import read_text
from deixis.geometry import Region
from deixis.inference import Answer
from deixis.samples.consistency import shown
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.systems.ferret.scoring import decode_boxes, script_input, similar_phrases

SPLITS = ("val", "test")
MERGED, SEPARATE = "final_flickr_mergedGT_{}.json", "final_flickr_separateGT_{}.json"
QUESTIONS = RequiredFile(
    "final_flickr_mergedGT_val.json (test; separateGT)", "MDETR's captions and phrases",
    "https://zenodo.org/record/4729015 (mdetr_annotations.tar.gz)", LICENCE,
)  # fmt: skip
SOURCE = "as printed in later papers (COMM, LLaVA-Grounding, SPR) and a review"
SCORES = {"Ferret-7B": (80.39, 82.21), "Ferret-13B": (81.13, 84.76)}


def _weighted(name: str, key: str, meaning: str, official: bool = True) -> Any:
    return mean(name, key, meaning, weight=f"{key} of", official=official)


METRICS = (
    _weighted("R@1 merged", "merged", "share of phrases whose first box has an IoU of at least 0.5 with the box that "
              "contains all boxes of the phrase"),
    _weighted("R@1 any", "any", "the same with any of the phrase's boxes"),
    _weighted("strict R@1 merged", "strict merged", "the same by our grammar, each phrase compared separately", False),
    _weighted("strict R@1 any", "strict any", "the same with any of the phrase's boxes", False),
)  # fmt: skip
INFO = BenchmarkInfo(
    name="flickr30k_grounding",
    title="Flickr30k grounding: the boxes of a caption's phrases",
    required_files=(QUESTIONS, ENTITIES, PHOTOS),
    metrics=METRICS,
    notes=(
        "All phrases of a caption are asked in one question; a phrase is correct if the first box after the same "
        "phrase in the answer reaches the IoU threshold. Papers on Ferret, Shikra and Kosmos-2 print R@1 merged, "
        "MDETR's both.",
        "The official script parses text: the phrase is what stands between a delimiter and a bracket, a bracket that "
        "it cannot parse makes the whole answer one without boxes, and two equal phrases of a caption are both "
        "compared with the first. The strict metrics use our grammar, and compare the second with the second. Answers "
        "of other models than Ferret are rewritten in its notation for the script.",
        "Without Flickr30k Entities, boxes are those of MDETR's file, and R@1 any needs its separateGT.",
    ),
    published=tuple(
        PublishedScore(system, split, {"R@1 merged": value}, SOURCE)
        for system, values in SCORES.items()
        for split, value in zip(SPLITS, values, strict=True)
    ),
    options=IMAGES,
    answer_form="box",
    max_new_tokens=512,
)


@dataclass(frozen=True)
class Target:
    """A phrase of a caption. boxes: its own; one if only the merged one is known. same: those of the first phrase of
    the caption with the same text, with which the official script compares.
    """

    phrase: str
    boxes: tuple[BoxXYXY, ...]
    same: tuple[BoxXYXY, ...]


@dataclass(frozen=True)
class GroundingTarget:
    """The phrases to ground. each: whether every single box is known, not only the merged ones."""

    targets: tuple[Target, ...]
    size_hw: tuple[int, int]
    each: bool
    notation: str


@dataclass(frozen=True)
class Caption:
    """One caption of the set."""

    id: str
    split: str
    image: str
    file_name: str
    ground_truth: GroundingTarget


class FlickrGrounding:
    """The boxes of the phrases of a caption."""

    info = INFO

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        notation = notation_of(options)
        folders = photo_folders(data, options)
        files = {split: find_files(data, MERGED.format(split), SEPARATE.format(split)) for split in SPLITS}
        entities = entities_folder(data)
        if not any(files.values()) and entities is None:
            require_files(data, QUESTIONS, MERGED.format("val"))
        for split in SPLITS:
            if files[split]:
                captions = _of_mdetr(split, files[split][0], entities, notation)
            else:
                captions = _of_entities(split, entities, notation)
            yield from converted(captions, lambda caption: _example(caption, folders))

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        ground_truth: GroundingTarget = example.ground_truth
        official, strict = _official(ground_truth, answer), _strict(ground_truth, answer)
        pairs = [(target.same, box) for target, box in zip(ground_truth.targets, official, strict=True)]
        own = [(target.boxes, box) for target, box in zip(ground_truth.targets, strict, strict=True)]
        metrics: dict[str, Any] = {}
        for name, found_boxes in (("", pairs), ("strict ", own)):
            merged = sum(is_correct(box, enclosing(boxes)) for boxes, box in found_boxes)
            any_of = sum(max(is_correct(box, true) for true in boxes) for boxes, box in found_boxes)
            metrics |= {f"{name}merged": int(merged), f"{name}merged of": len(ground_truth.targets)}
            metrics |= {f"{name}any": int(any_of) if ground_truth.each else None, f"{name}any of": len(found_boxes)}
        return metrics


def _official(ground_truth: GroundingTarget, answer: Answer) -> list[Sequence[float] | None]:
    """The first box of each phrase, as parsed by the official script."""
    height, width = ground_truth.size_hw
    raw, boxes_of = answer.raw, phrase_boxes(answer)
    text = script_input(raw, answer.text, boxes_of, ground_truth.size_hw, ground_truth.notation)
    try:
        phrases, boxes = decode_boxes(text, (width, height))
    except (ValueError, IndexError):  # an IndexError ends the official script
        phrases, boxes = [], []
    return [
        next((box for phrase, box in zip(phrases, boxes, strict=True) if similar_phrases(phrase, target.phrase)), None)
        for target in ground_truth.targets
    ]


def _strict(ground_truth: GroundingTarget, answer: Answer) -> list[tuple[float, ...] | None]:
    """The first box of each phrase by our grammar; the n-th of equal phrases for the n-th that is asked."""
    left = list(answer.phrases)
    given: list[tuple[float, ...] | None] = []
    for target in ground_truth.targets:
        phrase = next((phrase for phrase in left if similar_phrases(phrase.text, target.phrase)), None)
        if phrase is not None:
            left.remove(phrase)
        given.append(None if phrase is None else first_box(phrase.regions))
    return given


def _example(caption: Caption, folders: Sequence[Path]) -> Example:
    ground_truth = caption.ground_truth
    medium = photo(folders, caption.image, caption.file_name, ground_truth.size_hw)
    phrases = ", ".join(target.phrase.replace(",", "") for target in ground_truth.targets)
    text = question_for("ground_phrases", ground_truth.notation, text=phrases)
    regions = tuple(Region(box=enclosing(target.boxes)) for target in ground_truth.targets)
    marked = ", ".join(f"[{plain_text(target.phrase)}]{{{n}}}" for n, target in enumerate(ground_truth.targets))
    turns = (Turn(text, f"{marked}."),)
    sample = Sample(caption.id, "flickr30k", "ground", caption.split, turns, (medium,), regions, licence=LICENCE)
    asked = (caption.id, caption.split, medium.id, text, (medium,))
    return Example(*asked, ground_truth, answer_form="box", sample=sample)


def _of_entities(split: str, folder: Path | None, notation: str) -> Iterator[Caption | Skipped]:
    """The captions of a split, from Flickr30k Entities alone."""
    if folder is None or not (folder / f"{split}.txt").is_file():
        return
    for number in read_text(folder / f"{split}.txt").split():
        try:
            image = annotated_image(folder, number)
        except DeixisError as error:
            yield Skipped(f"{split}.txt: {number}", str(error))
            continue
        for sentence in range(len(image.captions)):
            targets = _targets([(phrase.text, image.boxes[phrase.entity]) for phrase in image.boxed(sentence)])
            if targets:
                ground_truth = GroundingTarget(targets, image.size_hw, True, notation)
                yield Caption(f"flickr30k/{split}/{number}/{sentence}", split, number, f"{number}.jpg", ground_truth)


def _of_mdetr(split: str, path: Path, entities: Path | None, notation: str) -> Iterator[Caption | Skipped]:
    """The captions of MDETR's file, with the boxes of Flickr30k Entities if present, else its own."""
    annotations: dict[Any, list[Mapping[str, Any]]] = {}
    for _, record in json_items(path, "annotations"):
        annotations.setdefault(record.get("image_id"), []).append(record)
    # A caption is an entry of its own: the captions of an image follow each other and share its annotations.
    annotated = lru_cache(maxsize=1)(annotated_image)
    for where, image in json_items(path, "images"):
        try:
            number, size_hw, spans = _mdetr_fields(image)
            if entities is None:
                phrases = [(image["caption"][a:b], _own(annotations.get(image["id"], []), a, b)) for a, b in spans]
            else:
                entry = annotated(entities, str(image.get("original_img_id", number)))
                phrases = list(_of_sentence(entry, image, spans))
            targets = _targets(phrases)
        except DeixisError as error:
            yield Skipped(where, str(error))
            continue
        if targets:
            each = entities is not None or "separateGT" in path.name
            ground_truth = GroundingTarget(targets, size_hw, each, notation)
            yield Caption(f"flickr30k/{split}/{number}/{image['id']}", split, number, image["file_name"], ground_truth)


def _mdetr_fields(image: Mapping[str, Any]) -> tuple[str, tuple[int, int], list[tuple[int, int]]]:
    """(number of the image, its size, spans of the caption). Raises DataError for an entry without them."""
    try:
        number = PurePosixPath(image["file_name"]).stem
        image["id"], image["caption"][:0], int(image.get("sentence_id", 0))
        spans = [(int(span[0][0]), int(span[0][1])) for span in image["tokens_positive_eval"]]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise DataError(f"expected the field {error}") from None
    size_hw = declared_size_hw(image)
    if size_hw is None:
        raise DataError(f"height, width: expected the size of the image, got {shown(image.get('height'))}")
    return number, size_hw, spans


def _own(annotations: Sequence[Mapping[str, Any]], start: int, end: int) -> tuple[BoxXYXY, ...]:
    """The boxes of the annotations that belong to a span of the caption."""
    mine = [a for a in annotations if any(s < end and e > start for s, e in a["tokens_positive"])]
    if not mine:
        raise DataError(f"tokens_positive: expected a box for the characters {start} to {end} of the caption, got none")
    return tuple(box_from_xywh(annotation["bbox"], None) for annotation in mine)


def _of_sentence(
    annotated: AnnotatedImage, image: Mapping[str, Any], spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, tuple[BoxXYXY, ...]]]:
    """The phrases of an entry of MDETR's file with their boxes in Flickr30k Entities, in order."""
    left = list(annotated.boxed(int(image["sentence_id"])))
    for start, end in spans:
        text = image["caption"][start:end]
        phrase = next((phrase for phrase in left if phrase.text == text), None)
        if phrase is None:
            raise DataError(f"tokens_positive_eval: expected a phrase with a box in Flickr30k Entities, got {text!r}")
        left.remove(phrase)
        yield text, annotated.boxes[phrase.entity]


def _targets(phrases: Sequence[tuple[str, tuple[BoxXYXY, ...]]]) -> tuple[Target, ...]:
    first = dict(reversed(phrases))
    return tuple(Target(text, boxes, first[text]) for text, boxes in phrases)
