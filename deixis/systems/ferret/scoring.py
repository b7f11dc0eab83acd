"""Ferret's official answer parsers and its score for referring expressions, with their peculiarities.

For comparison with published scores only: `deixis.geometry.parse_answer` parses answers robustly. Boxes are xyxy in
whole pixels, neither clipped nor sorted. It knows no file and no network.

Peculiarities, reproduced: an answer whose bracket has no integers is scored as having no box, but one with fewer than
four numbers ends the evaluation (IndexError); a predicted box counts with any phrase before it; predictions are paired
with annotations by their order after sorting by `image_id`, and scoring stops at the last prediction.

Source: apple/ml-ferret@3c9e5c93, ferret/eval/{eval_refexp,eval_flickr_entities,model_refcoco,model_flickr,eval_lvis,
eval_pope}.py.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from deixis.errors import DataError
from deixis.geometry import GRID_CELLS, box_iou
from deixis.geometry.notations import grid_numbers
from deixis.systems.ferret.notation import NOTATION

BoxXYXY = Sequence[float]
IOU_THRESHOLD = 0.5
PhrasesAndBoxes = tuple[list[str], list[list[int]]]
Rank = int | str
"""The number of first boxes that are compared, "mean" (of all boxes) or "upper bound" (any box)."""
RANKS: tuple[Rank, ...] = (1, "mean", "upper bound")

_DELIMITER = re.compile(r"[.,;!?]")


def box_in_pixels(box: Sequence[int], size_wh: tuple[int, int]) -> list[int]:
    """The first four numbers of a box on the 1000-cell grid in pixels, truncated; IndexError for fewer.

    >>> box_in_pixels([10, 20, 30, 40], (640, 480))
    [6, 9, 19, 19]
    """
    scales = [size_wh[axis % 2] / GRID_CELLS for axis in range(4)]
    return [int(box[axis] * scales[axis]) for axis in range(4)]


def decode_boxes(text: str, size_wh: tuple[int, int]) -> PhrasesAndBoxes:
    """(phrases, boxes) as the evaluation parses them (`decode_bbox_from_caption`).

    A phrase is the text between the delimiter after the previous box and the bracket.

    Raises:
        DataError: a bracket without integers.
        IndexError: a bracket with fewer than four numbers.

    >>> decode_boxes("a red car [10, 20, 30, 40] . a tree [500, 0, 999, 999] .", (640, 480))
    (['a red car', 'a tree'], [[6, 9, 19, 19], [320, 0, 639, 479]])
    """
    phrases, boxes = [], []
    start, phrase = 0, ""
    # The text is cut at every bracket: before "[" stands a phrase, before "]" the numbers of its box.
    for bracket in re.finditer(r"[\[\]]", text):
        piece = text[start : bracket.start()].strip()
        start = bracket.end()
        if bracket[0] == "[":
            phrase = piece
            continue
        boxes.append(box_in_pixels([int(number) for number in piece.split(",")], size_wh))
        phrases.append(phrase)
        delimiter = _DELIMITER.search(text, start)
        start = delimiter.end() if delimiter else len(text) + 1
    return phrases, boxes


def similar_phrases(one: str, other: str) -> bool:
    """Whether two phrases are equal apart from case, punctuation and spaces.

    >>> similar_phrases("a man 's hat", "A man's hat."), similar_phrases("it's", "its")
    (True, False)
    """

    def plain(phrase: str) -> list[str]:
        spaced = re.sub(r"\s*(['\",.;!?|:])\s*", r"\1 ", phrase.lower())
        return re.sub(r"[^\w\s]", "", spaced).split()

    return plain(one) == plain(other)


def names_object(text: str, name: str, synonyms: Sequence[str]) -> bool:
    """Whether an answer contains the name or a synonym, case-sensitive, after negated clauses are removed
    (`eval_lvis`).

    >>> names_object("It is a cup, not a mug.", "mug", []), names_object("An armchair.", "chair", [])
    (False, True)
    >>> names_object("It has no nose, cup.", "cup", []), names_object("A Cup.", "cup", ["mug"])
    (True, False)
    """
    affirmed = re.sub(r"\s+no[^,.]*[,.]", "", re.sub(r"\s+not[^,.]*[,.]", "", text))
    return any(word in affirmed for word in (name, *synonyms))


def without_negations(text: str) -> str:
    """A text without negated clauses, each from a whole negation word to the end of the clause.

    >>> without_negations("It is a notebook, not a mug."), without_negations("No cup; a mug")
    ('It is a notebook, .', '; a mug')
    """
    return re.sub(r"\b(?:no|not|isn't|never)\b[^,.;]*", "", text, flags=re.IGNORECASE)


def says_yes(text: str) -> bool:
    """Whether an answer counts as yes: its first sentence does not contain the word No, no or not (`eval_pope`).

    >>> says_yes("No, there is none."), says_yes("There is not."), says_yes("NO"), says_yes("I see nothing.")
    (False, False, True, True)
    """
    words = text.split(".")[0].replace(",", "").split(" ")
    return not {"No", "no", "not"} & set(words)


def score_refexp(
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    predictions: Sequence[Mapping[str, Any]],
    ranks: Sequence[Rank] = RANKS,
    threshold: float = IOU_THRESHOLD,
) -> dict[str, dict[Rank, float]]:
    """Accuracy at the IoU threshold, 0 to 1, by data set and by rank (`summarize`).

    images: id, dataset_name, width, height, caption. annotations: image_id, bbox (xywh), in the same order.
    predictions: image_id, text. Rank 1: the first box; "mean": the mean of all boxes; "upper bound": any box. A data
    set without predictions scores 0. Raises DataError: images and annotations are not in the same order; IndexError: a
    box of an answer has fewer than four numbers.
    """
    ordered = sorted(predictions, key=itemgetter("image_id"))
    correct: dict[str, dict[Rank, float]] = {
        name: dict.fromkeys(ranks, 0.0) for name in ("refcoco", "refcoco+", "refcocog")
    }
    counts = dict.fromkeys(correct, 0)
    for image, annotation, prediction in zip(images, annotations, ordered, strict=False):
        if image["id"] != annotation["image_id"]:
            raise DataError(
                f"the annotations: expected one of image {image['id']} at this position, got one of image "
                f"{annotation['image_id']}"
            )
        x, y, width, height = annotation["bbox"]
        boxes = _boxes_or_nothing(prediction["text"], (image["width"], image["height"]))
        target = np.array([[x, y, width + x, height + y]], dtype=np.float32)
        overlaps = {"upper bound": box_iou(boxes, target).max()}
        overlaps["mean"] = box_iou(boxes.mean(axis=0, keepdims=True), target).max()
        own = image["dataset_name"]
        for rank in ranks:
            overlap = overlaps[rank] if rank in overlaps else box_iou(boxes[:1], target).max()
            correct[own][rank] += float(overlap >= threshold)
        counts[own] += 1
    return {
        name: {rank: count / counts[name] if counts[name] else count for rank, count in own.items()}
        for name, own in correct.items()
    }


def script_input(
    raw: str, text: str, boxes: Sequence[tuple[int, Sequence[BoxXYXY]]], size_hw: tuple[int, int], notation: str
) -> str:
    """The text that the official parsers read: a Ferret's raw answer as it is; any other model's answer rewritten in
    Ferret's notation, with the boxes of each phrase on the 1000-cell grid.

    boxes: (end of a phrase in `text`, its boxes in pixels) in the order of the text. notation: of the model.
    """
    if notation == NOTATION.name:
        return raw or text
    # "ratio" is the rounding that the answers in Ferret's training data have (ferret/train/train.py:705-706).
    return insert_boxes(text, boxes, lambda box: str(grid_numbers(box, size_hw[::-1], "ratio").tolist()))


def insert_boxes(text: str, boxes: Sequence[tuple[int, Sequence[BoxXYXY]]], write: Callable[[BoxXYXY], str]) -> str:
    """The text with every box, written by `write`, inserted after its phrase.

    >>> insert_boxes("A cup here.", [(5, [(1.0, 2.0, 3.0, 4.0)])], str)
    'A cup (1.0, 2.0, 3.0, 4.0) here.'
    """
    pieces, at = [], 0
    for end, of_phrase in boxes:
        pieces.append(text[at:end])
        pieces += [f" {write(box)}" for box in of_phrase]
        at = end
    return "".join([*pieces, text[at:]])


def _boxes_or_nothing(text: str, size_wh: tuple[int, int]) -> np.ndarray:
    """(n, 4) float32 boxes of an answer; one empty box if none can be parsed."""
    try:
        boxes = decode_boxes(text, size_wh)[1]
    except ValueError:
        boxes = []
    return np.array(boxes or [[0, 0, 0, 0]], dtype=np.float32)
