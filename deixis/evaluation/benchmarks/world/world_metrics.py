"""Per-example metrics of the world: functions (sample, answer) -> (value, weight); the sample holds the ground truth.

Names are searched in the answer's text; regions are compared in the units of the file (pixels, seconds, point indices).
"""

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Bool

from deixis.evaluation.metrics.answer_text import find_names, name_match, parse_count, parse_yes_no
from deixis.evaluation.metrics.f1 import matched_f1, multiset_f1
from deixis.evaluation.metrics.iou import IOU_THRESHOLD, bounds_iou, is_correct, mask_iou, span_set_iou
from deixis.geometry import Reference, Region, mask_to_box_xyxy, named_regions, parse_markup
from deixis.inference import Answer
from deixis.samples.sample import MediaReference, Sample
from deixis.world.audio import EVENT_NAMES
from deixis.world.dense_targets import EVENT_KINDS
from deixis.world.fmri import voxel_parcels
from deixis.world.motion import ACTIVITY_NAMES
from deixis.world.objects import COLOUR_NAMES, KIND_NAMES, MATERIALS, SIZES
from deixis.world.questions.several import REASONS
from deixis.world.questions.wording import NUMBER_WORDS

WeightedValue = tuple[float, float]
"""A value, 0 to 1, and its weight in the mean over examples."""
OBJECTS = (*KIND_NAMES, "nothing")
SOUNDS = (*EVENT_NAMES, "nothing")
ATTRIBUTES = (*SIZES, *MATERIALS)
ACTIVITIES = (*ACTIVITY_NAMES, "nothing")
EVENT_MODALITIES = tuple(EVENT_KINDS)
"""Those whose regions are spans."""
_NUMBER = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_LABEL = re.compile(
    rf"\b(?:({'|'.join(COLOUR_NAMES)}) )?({'|'.join((*KIND_NAMES, *EVENT_NAMES, *ACTIVITY_NAMES))})(?= |$)"
)
Label = tuple[str | None, str]
"""Colour (None for an event) and kind."""
Cells = Bool[np.ndarray, "*cells"]


def expected_word(sample: Sample) -> str:
    """The word that a correct answer contains: the sample's reference."""
    return sample.turns[-1].references[0]


def expected_regions(sample: Sample) -> tuple[Region, ...]:
    """The regions that the answer refers to; all of the sample where it refers to none."""
    numbers = named_regions(sample.turns[-1].assistant)
    return tuple(sample.regions[number] for number in numbers) or sample.regions


def answered_medium(sample: Sample) -> MediaReference:
    """The signal that the expected regions lie on; the first where there are none."""
    return sample.signals[next((region.signal for region in expected_regions(sample)), 0)]


def name_accuracy(vocabulary: Iterable[str]) -> Callable[[Sample, Answer], WeightedValue]:
    """A metric that is 1 if the answer contains the expected word and no other of the vocabulary."""
    names = tuple(vocabulary)
    return lambda sample, answer: (name_match(answer.text, expected_word(sample), names), 1.0)


def last_name_accuracy(vocabulary: Iterable[str]) -> Callable[[Sample, Answer], WeightedValue]:
    """A metric that is 1 if the expected word is the last name of the vocabulary in the answer, beside one other at
    most: "after a comes b"."""
    names = tuple(vocabulary)

    def value(sample: Sample, answer: Answer) -> WeightedValue:
        found = find_names(answer.text, names)
        return float(found[-1:] == [expected_word(sample)] and len(set(found)) <= 2), 1.0

    return value


def phrase_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the answer has the words that tell the object from all others, and no other size, colour or kind."""
    found = find_names(answer.text, (*SIZES, *COLOUR_NAMES, *KIND_NAMES))
    return float(set(found) == set(expected_word(sample).split())), 1.0


def reason_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """The IoU of the regions where the answer gives the object's reason, in the words of the world; else 0."""
    reasons = tuple(REASONS.values())
    return region_iou(sample, answer)[0] * name_match(answer.text, REASONS[expected_word(sample)], reasons), 1.0


def yes_no_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the answer states yes or no as expected."""
    return float(parse_yes_no(answer.text) == expected_word(sample)), 1.0


def count_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the answer states the expected number and no other."""
    number = [word.lower() for word in NUMBER_WORDS].index(expected_word(sample))
    return float(parse_count(answer.text) == number), 1.0


def number_accuracy(tolerance: float) -> Callable[[Sample, Answer], WeightedValue]:
    """A metric that is 1 if the only number in the answer is the expected one, give or take this share of it."""

    def accuracy(sample: Sample, answer: Answer) -> WeightedValue:
        numbers = _NUMBER.findall(answer.text)
        return float(len(numbers) == 1 and is_near(float(numbers[0]), float(expected_word(sample)), tolerance)), 1.0

    return accuracy


def is_near(number: float, expected: float, tolerance: float) -> bool:
    return abs(number - expected) <= tolerance * expected


def first_box_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the first box written as coordinates reaches the IoU threshold with the object's box."""
    return is_correct(next(iter(answer.boxes), None), expected_regions(sample)[0].box), 1.0


def mask_box_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the bounding box of all predicted masks reaches the IoU threshold with the object's box."""
    box = mask_to_box_xyxy(union_mask(sample, answer.regions))
    return is_correct(None if box is None else box.tolist(), expected_regions(sample)[0].box), 1.0


def first_span_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the first span reaches the IoU threshold with the event's span."""
    return is_correct(next(iter(answer.spans), None), expected_regions(sample)[0].span), 1.0


def first_tube_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the first box with a time reaches the IoU threshold, in x, y and time, with the sample's first."""
    return is_correct(
        next(filter(None, map(tube_bounds, answer.regions)), None), tube_bounds(expected_regions(sample)[0])
    ), 1.0


def first_time_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the time of the first region that has one reaches the IoU threshold with that of the sample's first."""
    times_s = (region.interval_s for region in answer.regions)
    return is_correct(next(filter(None, times_s), None), expected_regions(sample)[0].interval_s), 1.0


def tube_bounds(region: Region) -> tuple[float, ...] | None:
    """(x1, y1, start_s, x2, y2, end_s) of a box with a time; None of another region."""
    if region.box is None or region.time_s is None:
        return None
    (x1, y1, x2, y2), (start_s, end_s) = region.box, region.time_s
    return x1, y1, start_s, x2, y2, end_s


def region_iou(sample: Sample, answer: Answer) -> WeightedValue:
    """IoU of all predicted regions together with all regions of the sample; its mean is gIoU."""
    return region_iou_by_union(sample, answer)[0], 1.0


def region_iou_by_union(sample: Sample, answer: Answer) -> WeightedValue:
    """The same IoU weighted by its union (in pixels, points or seconds); its weighted mean is cIoU."""
    expected = expected_regions(sample)
    if answered_medium(sample).modality in EVENT_MODALITIES:
        return span_set_iou(answer.spans, [region.span for region in expected if region.span is not None])
    return mask_iou(union_mask(sample, answer.regions), union_mask(sample, expected))


def parcel_f1(sample: Sample, answer: Answer) -> WeightedValue:
    """F1 of the parcels of which the answer marks most voxels."""
    return multiset_f1(parcels_in(sample, answer.regions), parcels_in(sample, expected_regions(sample))), 1.0


def parcels_in(sample: Sample, regions: Sequence[Region]) -> list[int]:
    """The parcels of the simulated brain of which regions hold more than half of the voxels."""
    sizes = np.bincount(voxel_parcels())
    return np.flatnonzero(np.bincount(voxel_parcels(), union_mask(sample, regions)) > sizes / 2).tolist()


def presence_accuracy(sample: Sample, answer: Answer) -> WeightedValue:
    """1 if the answer has a region that is not empty exactly when the object is present."""
    predicted = any(not region.is_empty for region in answer.regions)
    return float(predicted == bool(sample.regions)), 1.0


def caption_f1(sample: Sample, answer: Answer) -> WeightedValue:
    """F1 of the objects (colour and kind) or events that the answer names."""
    return multiset_f1(labels_in(answer.text), labels_in(sample.turns[-1].assistant)), 1.0


def grounded_caption_f1(sample: Sample, answer: Answer) -> WeightedValue:
    """F1 of phrases with their regions, matched one to one: the same label, and the regions reach the IoU threshold."""
    predicted = [(label_of(phrase.text), region) for phrase in answer.phrases for region in phrase.regions]
    expected = labelled_regions(sample)
    matches = np.zeros((len(predicted), len(expected)), dtype=bool)
    for row, (label, region) in enumerate(predicted):
        for column, (expected_label, record) in enumerate(expected):
            same = label is not None and label == expected_label
            matches[row, column] = same and one_region_iou(sample, region, record) >= IOU_THRESHOLD
    return matched_f1(matches), 1.0


def labels_in(text: str) -> list[Label]:
    """The objects and events that a text names, each kind with the colour directly before it.

    >>> labels_in("A red mug, a dog and an orange ball.")
    [('red', 'mug'), (None, 'dog'), ('orange', 'ball')]
    """
    words = " ".join(text.lower().replace(".", " ").replace(",", " ").split())
    return [(match[1], match[2]) for match in _LABEL.finditer(words)]


def label_of(text: str) -> Label | None:
    """The only object or event that a phrase names; None if it names none or several."""
    found = labels_in(text)
    return found[0] if len(found) == 1 else None


def labelled_regions(sample: Sample) -> list[tuple[Label | None, Region]]:
    """Every region that the sample's answer refers to, with the label of its phrase."""
    references = [p for p in parse_markup(sample.turns[-1].assistant) if isinstance(p, Reference)]
    return [(label_of(r.phrase or ""), sample.regions[index]) for r in references for index in r.indices]


def one_region_iou(sample: Sample, region: Region, record: Region) -> float:
    """IoU of a predicted region with one of the sample, in the predicted form; 0 if the sample has no such form."""
    if region.form in ("mask", "points"):
        if answered_medium(sample).modality in EVENT_MODALITIES:
            return 0.0
        return mask_iou(union_mask(sample, [region]), union_mask(sample, [record]))[0]
    if (tube := tube_bounds(region)) is not None:
        own = tube_bounds(record)
        return bounds_iou(tube, own) if own else 0.0
    expected = getattr(record, region.form) if region.form in ("box", "box3d", "span") else None
    return bounds_iou(getattr(region, region.form), expected) if expected else 0.0


def union_mask(sample: Sample, regions: Sequence[Region]) -> Cells:
    """The union of masks and point sets on the signal of the expected regions: pixels (h, w), or points (n,)."""
    medium = answered_medium(sample)
    inside = np.zeros(medium.size_hw or (medium.point_count or 0,), dtype=bool)
    for region in regions:
        if sample.signals[region.signal] is not medium:
            continue
        if region.mask is not None:
            inside |= region.mask_array
        elif region.points is not None:
            inside[region.points] = True
    return inside
