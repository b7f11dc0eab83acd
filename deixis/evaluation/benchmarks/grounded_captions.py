"""Grounded captioning on Flickr30k: a caption with boxes, scored by caption metrics and by grounding F1."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from deixis.errors import DataError, DeixisError
from deixis.evaluation.benchmark import BenchmarkInfo, Example, ExampleResult, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.answer_boxes import first_box
from deixis.evaluation.benchmarks.flickr_entities import (
    ENTITIES,
    HOME,
    PHOTOS,
    AnnotatedImage,
    annotated_image,
    enclosing,
    entities_folder,
    photo,
    photo_folders,
)
from deixis.evaluation.benchmarks.official_files import IMAGES, find_files
from deixis.evaluation.metrics.aggregation import ExampleMetrics
from deixis.evaluation.metrics.caption_metrics import caption_metrics, per_caption_metrics
from deixis.evaluation.metrics.grounding_f1 import (
    Reference,
    f1_metrics,
    precision_matches,
    precision_recall_shares,
    recall_matches,
)
from deixis.files.json_text import read_json, read_text
from deixis.inference import Answer
from deixis.language.english import PRONOUNS, head_noun, plural, words_of
from deixis.samples.sample import Skipped

SPLITS = ("val", "test")
KINDS = ("precision", "recall")
QUESTION = "Describe the image with boxes."
GVD_FILE = "flickr30k_cleaned_class.json"
GVD = RequiredFile(
    GVD_FILE, "nouns of the captions with classes and boxes, as read by the official script (optional)",
    "https://github.com/facebookresearch/grounded-video-description", "see there",
)  # fmt: skip
REVIEWS = "two reviews of Ferret (You et al., ICLR 2024)"
INFO = BenchmarkInfo(
    name="flickr30k_grounded_captions",
    title="Grounded captioning on Flickr30k: captions with boxes",
    required_files=(replace(ENTITIES, what=f"{ENTITIES.what}, with val.txt and test.txt"), GVD, PHOTOS),
    metrics=(*caption_metrics(), *f1_metrics()),
    notes=(
        "One generated caption per image, scored against five reference captions, and F1 of its nouns by their boxes; "
        "a mask counts as its bounding box.",
        "F1_all and F1_loc are macro averages over noun classes, so that rare classes weigh as much as frequent ones; "
        "they depend on the set of classes. With flickr30k_cleaned_class.json these are the official ones; without it "
        "they are the head nouns of all boxed phrases of the split, and scores are comparable only with one another.",
        "How Ferret's captions were matched to the classes is not published; here a phrase has the class of its head "
        "noun, and only grounded phrases count.",
        "Confidence intervals of F1 take the counts of each class as fixed.",
    ),
    published=(PublishedScore("Ferret-13B", "test", {"CIDEr": 76.1, "F1_all": 15.12, "F1_loc": 38.03}, REVIEWS),),
    options=IMAGES,
    answer_form="box",
)  # fmt: skip


class GroundedCaptions:
    """Captions with boxes."""

    info = INFO

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        folder = entities_folder(data)
        lists = {split: folder / f"{split}.txt" for split in SPLITS} if folder else {}
        lists = {split: path for split, path in lists.items() if path.is_file()}
        if folder is None or not lists:
            raise DataError(f"{data}: expected {ENTITIES.path} and val.txt or test.txt, got none; they are from {HOME}")
        folders = photo_folders(data, options)
        official = [_official_classes(path, path.stat().st_mtime_ns) for path in find_files(data, GVD_FILE)]
        for split, path in lists.items():
            images: dict[str, AnnotatedImage] = {}
            for number in read_text(path).split():
                try:
                    images[number] = annotated_image(folder, number)
                except DeixisError as error:
                    yield Skipped(f"{path.name}: {number}", str(error))
            references = official[0] if official else {n: _references(image) for n, image in images.items()}
            classes = {name for number in images for one in references.get(number, ()) for name, _ in one.nouns}
            for number, image in images.items():
                yield _example(split, number, image, references.get(number, ()), classes, folders)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        given = [
            (name, first_box(phrase.regions))
            for phrase in answer.phrases
            if (name := class_of(phrase.text, example.ground_truth["classes"])) is not None
        ]
        references: Sequence[Reference] = example.ground_truth["references"]
        return {
            "caption": " ".join(answer.text.split()),
            "captions": list(example.ground_truth["captions"]),
            "precision": [hit for one in references for hit in precision_matches(given, one)],
            "recall": [hit for one in references for hit in recall_matches(given, one)],
        }

    def corpus_metrics(self, rows: Sequence[ExampleResult]) -> Sequence[ExampleResult]:
        done: dict[str, ExampleResult] = {}
        for part in dict.fromkeys(row.part for row in rows):
            mine = [row for row in rows if row.part == part]
            hits = [{kind: [(name, hit) for name, hit in row.metrics[kind]] for kind in KINDS} for row in mine]
            classes = {name for row in hits for name, _ in row["recall"]}
            captions, references = ([row.metrics[key] for row in mine] for key in ("caption", "captions"))
            words = per_caption_metrics(captions, references)
            for row, own, places in zip(mine, words, precision_recall_shares(hits, classes), strict=True):
                done[row.id] = replace(row, metrics={**row.metrics, **own, **places})
        return [done[row.id] for row in rows]


def class_of(phrase: str, classes: set[str]) -> str | None:
    """The class of a phrase: its head noun, singular or plural, else the last of its words that is a class.

    >>> class_of("Two young women", {"women", "man"}), class_of("a dog in a hat", {"dog", "hat"})
    ('women', 'dog')
    >>> class_of("dogs", {"dog"}), class_of("a beach", {"dog"})
    ('dog', None)
    """
    own = {plural(name): name for name in sorted(classes)} | {name: name for name in classes}
    for word in (head_noun(phrase), *reversed(words_of(phrase))):
        if name := own.get(word) or own.get(plural(word)):
            return name
    return None


def _references(image: AnnotatedImage) -> tuple[Reference, ...]:
    """The captions of an image with the head nouns of their boxed phrases."""
    references = []
    for number, caption in enumerate(image.captions):
        boxed = image.boxed(number)
        nouns = [(head_noun(phrase.text), enclosing(image.boxes[phrase.entity])) for phrase in boxed]
        nouns = [(plural(name), box) for name, box in nouns if name and name not in PRONOUNS]
        named = {name for name, _ in nouns}
        references.append(Reference(tuple(nouns), frozenset(map(plural, words_of(caption))) - named))
    return tuple(references)


@lru_cache(maxsize=1)
def _official_classes(path: Path, _: int) -> dict[str, tuple[Reference, ...]]:
    """The references of each image in the file of the official script."""
    try:
        annotations = read_json(path)["annotations"]
        return {str(one["image_id"]): tuple(map(_official_reference, one["captions"])) for one in annotations}
    except (KeyError, TypeError) as error:
        why = f"{path}: expected annotations with process_clss and process_bnd_box, got others: {error}"
        raise DataError(why) from None


def _official_reference(caption: Mapping[str, Any]) -> Reference:
    order = sorted(range(len(caption["process_idx"])), key=lambda n: caption["process_idx"][n])
    nouns = tuple((caption["process_clss"][n], tuple(caption["process_bnd_box"][n])) for n in order)
    boxed = set(caption["process_idx"])
    unboxed = (token for number, token in enumerate(caption["tokens"]) if number not in boxed and token)
    return Reference(nouns, frozenset(plural(token.lower()) for token in unboxed))


def _example(
    split: str,
    number: str,
    image: AnnotatedImage,
    references: Sequence[Reference],
    classes: set[str],
    folders: Sequence[Path],
) -> Example:
    medium = photo(folders, number, f"{number}.jpg", image.size_hw)
    ground_truth = {"captions": image.captions, "references": tuple(references), "classes": classes}
    asked = (f"flickr30k/{split}/{number}", split, medium.id, QUESTION, (medium,))
    return Example(*asked, ground_truth, answer_form="box")
