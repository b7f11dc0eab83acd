"""Ferret's own readers of answers and its score for referring expressions, oddities included.

For comparing with published numbers, and for nothing else: `deixis.geometry.parse_answer` reads answers without
failing. Boxes are whole pixels, x1, y1, x2, y2, neither clipped nor sorted. It knows no file and no network.

What is odd, and kept: an answer whose bracket holds no whole numbers is scored as no box, but one with fewer than four
numbers stops the evaluation (IndexError); a predicted box counts whatever phrase is in front of it; predictions are
paired with annotations by their order once sorted by `image_id`, and scoring stops at the last of them.

Source: apple/ml-ferret@3c9e5c93, ferret/eval/{eval_refexp,eval_flickr_entities,model_refcoco,model_flickr,eval_lvis,
eval_pope}.py.
"""

import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from deixis.errors import DataError
from deixis.geometry import box_iou_xyxy

GRID_CELLS = 1000
THRESHOLD = 0.5
Found = tuple[list[str], list[list[int]]]  # phrases, boxes
Rank = int | str  # a number of first boxes, "mean" or "upper bound"
RANKS: tuple[Rank, ...] = (1, "mean", "upper bound")

_DELIMITER = re.compile(r"[.,;!?]")
_STRICT_BOX = re.compile(r"\[(\d+), (\d+), (\d+), (\d+)\]")
_NAMED_BOX = re.compile(r"([a-zA-Z\s]+)\s+\[([\d,\s]+)\]")


def box_in_pixels(box: Sequence[int], size_wh: tuple[int, int]) -> list[int]:
    """The first four numbers of a box on the grid as pixels, cut toward zero. IndexError if there are fewer.

    >>> box_in_pixels([10, 20, 30, 40], (640, 480))
    [6, 9, 19, 19]
    """
    scales = [size_wh[axis % 2] / GRID_CELLS for axis in range(4)]
    return [int(box[axis] * scales[axis]) for axis in range(4)]


def decode_boxes(text: str, size_wh: tuple[int, int]) -> Found:
    """Phrases and boxes as the evaluation reads them (`decode_bbox_from_caption`).

    A phrase is what stands between the delimiter after the last box and the bracket. Raises ValueError for a bracket
    without whole numbers, IndexError for one with fewer than four.

    >>> decode_boxes("a red car [10, 20, 30, 40] . a tree [500, 0, 999, 999] .", (640, 480))
    (['a red car', 'a tree'], [[6, 9, 19, 19], [320, 0, 639, 479]])
    """
    phrases, boxes = [], []
    start, phrase = 0, ""
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


def refcoco_boxes(text: str, size_wh: tuple[int, int]) -> Found:
    """Phrases and boxes by the strict pattern of the RefCOCO runner: each box once, phrases split at " . ".

    >>> refcoco_boxes("same [10, 20, 30, 40] . again [10, 20, 30, 40] .", (640, 480))
    (['same', 'again'], [[6, 9, 19, 19]])
    """
    grid = [tuple(map(int, numbers)) for numbers in _STRICT_BOX.findall(text)]
    boxes = list(dict.fromkeys(tuple(box_in_pixels(box, size_wh)) for box in grid))
    for box in list(dict.fromkeys(grid))[: len(boxes)]:  # as many as there are boxes in pixels, which may be fewer
        text = text.replace("[{}, {}, {}, {}]".format(*box), "")
    text = text.removesuffix(" .")
    return [phrase.strip() for phrase in text.split(" . ") if phrase.strip()], [list(box) for box in boxes]


def flickr_boxes(text: str, size_wh: tuple[int, int]) -> Found:
    """Phrases of letters and spaces and the boxes after them, by the pattern of the Flickr30k runner.

    Raises ValueError and IndexError as `decode_boxes` does.
    """
    found = [(phrase.strip(), numbers.split(",")) for phrase, numbers in _NAMED_BOX.findall(text)]
    boxes = [box_in_pixels([int(number) for number in numbers], size_wh) for _, numbers in found]
    return [phrase for phrase, _ in found], boxes


def similar_phrases(one: str, other: str) -> bool:
    """Whether two phrases are equal but for case, punctuation and spaces.

    >>> similar_phrases("a man 's hat", "A man's hat."), similar_phrases("it's", "its")
    (True, False)
    """

    def plain(phrase: str) -> list[str]:
        spaced = re.sub(r"\s*(['\",.;!?|:])\s*", r"\1 ", phrase.lower())
        return re.sub(r"[^\w\s]", "", spaced).split()

    return plain(one) == plain(other)


def names_object(text: str, name: str, synonyms: Sequence[str]) -> bool:
    """Whether an answer holds the name or a synonym anywhere, capitals told apart, once denials are cut (`eval_lvis`).

    >>> names_object("It is a cup, not a mug.", "mug", []), names_object("An armchair.", "chair", [])
    (False, True)
    >>> names_object("It has no nose, cup.", "cup", []), names_object("A Cup.", "cup", ["mug"])
    (True, False)
    """
    said = re.sub(r"\s+no[^,.]*[,.]", "", re.sub(r"\s+not[^,.]*[,.]", "", text))
    return any(word in said for word in (name, *synonyms))


def without_denials(text: str) -> str:
    """A text without what it says not to be there, up to the end of the clause; no word is cut that only begins so.

    >>> without_denials("It is a notebook, not a mug."), without_denials("No cup; a mug")
    ('It is a notebook, .', '; a mug')
    """
    return re.sub(r"\b(?:no|not|isn't|never)\b[^,.;]*", "", text, flags=re.IGNORECASE)


def says_yes(text: str) -> bool:
    """Whether an answer counts as yes: unless its first sentence has the word No, no or not (`eval_pope`).

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
    threshold: float = THRESHOLD,
) -> dict[str, dict[Rank, float]]:
    """Share of expressions whose box overlaps at least `threshold`, by data set and by rank (`summarize`).

    images: id, dataset_name, width, height, caption. annotations: image_id, bbox (x, y, w, h), in the same order.
    predictions: image_id, text. Rank 1: of the first box; "mean": of the mean of all boxes; "upper bound": of any. A
    data set without predictions scores 0. Raises ValueError where the two lists do not go together, IndexError for an
    answer with a box of fewer than four numbers.
    """
    ordered = sorted(predictions, key=itemgetter("image_id"))
    hits: dict[str, dict[Rank, float]] = {
        name: dict.fromkeys(ranks, 0.0) for name in ("refcoco", "refcoco+", "refcocog")
    }
    counts = dict.fromkeys(hits, 0)
    for image, annotation, prediction in zip(images, annotations, ordered, strict=False):
        if image["id"] != annotation["image_id"]:
            raise DataError(
                f"the annotations: expected one of image {image['id']} in its place, got one of image "
                f"{annotation['image_id']}"
            )
        x, y, width, height = annotation["bbox"]
        boxes = _boxes_or_nothing(prediction["text"], (image["width"], image["height"]))
        target = np.array([[x, y, width + x, height + y]], dtype=np.float32)
        overlaps = {"upper bound": box_iou_xyxy(boxes, target).max()}
        overlaps["mean"] = box_iou_xyxy(boxes.mean(axis=0, keepdims=True), target).max()
        own = image["dataset_name"]
        for rank in ranks:
            overlap = overlaps[rank] if rank in overlaps else box_iou_xyxy(boxes[:1], target).max()
            hits[own][rank] += float(overlap >= threshold)
        counts[own] += 1
    return {
        name: {rank: count / counts[name] if counts[name] else count for rank, count in own.items()}
        for name, own in hits.items()
    }


def reported_refexp(scores: Mapping[str, Mapping[Rank, float]]) -> dict[str, list[float]]:
    """Scores as the official script reports them: the numbers of each data set in rising order, without ranks."""
    return {name: sorted(own.values()) for name, own in scores.items()}


def _boxes_or_nothing(text: str, size_wh: tuple[int, int]) -> np.ndarray:
    """(n, 4) float32 boxes of an answer; one box without area where it has none that can be read."""
    try:
        boxes = decode_boxes(text, size_wh)[1]
    except ValueError:
        boxes = []
    return np.array(boxes or [[0, 0, 0, 0]], dtype=np.float32)
