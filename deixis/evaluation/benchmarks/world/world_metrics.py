"""Verdicts of the world: functions of a sample, which holds the truth, and an answer, giving a value and a weight.

Words are looked for in what a person reads; places in the regions the answer points at, in the file's units.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Bool

from deixis.evaluation.metrics import overlap as metrics
from deixis.geometry import Reference, mask_to_box_xyxy, parse_markup, rle_to_mask
from deixis.inference import Answer, Marked
from deixis.samples.sample import RegionRecord, Sample
from deixis.world.objects import COLOUR_NAMES, KIND_NAMES, MATERIALS, PART_NAMES, SIZES
from deixis.world.sounds import EVENT_NAMES
from deixis.world.wording import NUMBER_WORDS

Verdict = tuple[float, float]
"""Value, 0 to 1, and its weight in the mean."""

NOTHING = "nothing"
THINGS = (*KIND_NAMES, NOTHING)
SOUNDS = (*EVENT_NAMES, NOTHING)
PARTS = PART_NAMES
ATTRIBUTES = (*SIZES, *MATERIALS)
COLOURS = COLOUR_NAMES
Label = tuple[str | None, str]  # colour (None for a sound) and kind
Cells = Bool[np.ndarray, "*cells"]


def wanted(sample: Sample) -> str:
    """The word the answer must hold: the sample's reference."""
    return sample.turns[-1].references[0]


def word(vocabulary: Iterable[str]) -> Callable[[Sample, Answer], Verdict]:
    """Right where the answer names the wanted word and no other of the vocabulary."""
    words = tuple(vocabulary)
    return lambda sample, answer: (metrics.name_match(answer.text, wanted(sample), words), 1.0)


def yes_no(sample: Sample, answer: Answer) -> Verdict:
    """Right where the answer says yes, or no, as wanted."""
    return float(metrics.yes_no(answer.text) == wanted(sample)), 1.0


def count(sample: Sample, answer: Answer) -> Verdict:
    """Right where the answer names the wanted number and no other."""
    number = [text.lower() for text in NUMBER_WORDS].index(wanted(sample))
    return float(metrics.count_in(answer.text) == number), 1.0


def written_box(sample: Sample, answer: Answer) -> Verdict:
    """Right where the first box written as coordinates hits the thing's box."""
    return metrics.is_hit(next(iter(answer.boxes), None), sample.regions[0].box), 1.0


def box_of_mask(sample: Sample, answer: Answer) -> Verdict:
    """Right where the box around everything the answer marks hits the thing's box."""
    around = mask_to_box_xyxy(marked_cells(sample, answer.regions))
    return metrics.is_hit(None if around is None else around.tolist(), sample.regions[0].box), 1.0


def first_span(sample: Sample, answer: Answer) -> Verdict:
    """Right where the first span hits the event."""
    return metrics.is_hit(next(iter(answer.spans), None), sample.regions[0].span), 1.0


def marked_iou(sample: Sample, answer: Answer) -> Verdict:
    """IoU of all that the answer marks with all regions of the sample; its mean is gIoU."""
    return _overlap(sample, answer)[0], 1.0


def marked_total_iou(sample: Sample, answer: Answer) -> Verdict:
    """The same IoU weighted by the union; its mean is cIoU."""
    return _overlap(sample, answer)


def points_at_something(sample: Sample, answer: Answer) -> Verdict:
    """Right where the answer points at something if the thing is there, and at nothing if it is not."""
    pointed = any(not is_empty(region) for region in answer.regions)
    return float(pointed == bool(sample.regions)), 1.0


def caption(sample: Sample, answer: Answer) -> Verdict:
    """F1 of the things (colour and kind) or sounds that the answer names."""
    return metrics.multiset_f1(labels_in(answer.text), labels_in(sample.turns[-1].assistant)), 1.0


def grounded_caption(sample: Sample, answer: Answer) -> Verdict:
    """F1 of phrases with their regions: the label right and the region's IoU at least 0.5, paired one to one."""
    given = [(label_of(phrase.text), region) for phrase in answer.phrases for region in phrase.regions]
    true = labelled_regions(sample)
    fits = np.zeros((len(given), len(true)), dtype=bool)
    for row, (label, region) in enumerate(given):
        for column, (wanted_label, record) in enumerate(true):
            same = label is not None and label == wanted_label
            fits[row, column] = same and region_iou(sample, region, record) >= metrics.HIT_IOU
    return metrics.matched_f1(fits), 1.0


def labels_in(text: str) -> list[Label]:
    """The things and sounds a text names, each kind with the colour right before it.

    >>> labels_in("A red mug, a dog and an orange ball.")
    [('red', 'mug'), (None, 'dog'), ('orange', 'ball')]
    """
    words = text.lower().replace(".", " ").replace(",", " ").split()
    pairs = zip(["", *words], words, strict=False)
    kinds = {*KIND_NAMES, *EVENT_NAMES}
    return [(before if before in COLOUR_NAMES else None, kind) for before, kind in pairs if kind in kinds]


def label_of(text: str) -> Label | None:
    """The one thing or sound that a phrase names; None where it names none or several."""
    found = labels_in(text)
    return found[0] if len(found) == 1 else None


def labelled_regions(sample: Sample) -> list[tuple[Label | None, RegionRecord]]:
    """Every region that the sample's answer mentions, with what its phrase names."""
    references = [p for p in parse_markup(sample.turns[-1].assistant) if isinstance(p, Reference)]
    return [(label_of(r.phrase or ""), sample.regions[index]) for r in references for index in r.indices]


def region_iou(sample: Sample, marked: Marked, record: RegionRecord) -> float:
    """IoU of a marked region with a record of the sample, in the form it was marked in; 0 for another form."""
    if marked.kind in ("mask", "points"):
        if sample.signals[0].modality == "audio":
            return 0.0
        return metrics.mask_overlap(marked_cells(sample, [marked]), true_cells(sample, [record]))[0]
    bounds = {"box": record.box or record.box3d, "span": record.span}.get(marked.kind)
    return metrics.bounds_iou(marked.value, bounds) if bounds and len(bounds) == len(marked.value) else 0.0


def is_empty(marked: Marked) -> bool:
    """Whether a mask or point set holds nothing."""
    return (marked.kind == "mask" and not marked.value.any()) or (marked.kind == "points" and not len(marked.value))


def true_cells(sample: Sample, records: Sequence[RegionRecord]) -> Cells:
    """Which pixels (h, w) of the sample's picture, or points (n,) of its cloud, are in any of the records."""
    inside = _no_cells(sample)
    for record in records:
        if record.mask is not None:
            inside |= record.mask if isinstance(record.mask, np.ndarray) else rle_to_mask(record.mask)
        else:
            inside[np.asarray(record.points)] = True
    return inside


def marked_cells(sample: Sample, regions: Sequence[Marked]) -> Cells:
    """Which pixels or points of the sample's signal are in any of the answer's masks or point sets."""
    inside = _no_cells(sample)
    for region in regions:
        if region.kind == "mask":
            inside |= region.value
        elif region.kind == "points":
            inside[region.value] = True
    return inside


def _no_cells(sample: Sample) -> Cells:
    medium = sample.signals[0]
    return np.zeros(medium.size_hw or (medium.point_count or 0,), dtype=bool)


def _overlap(sample: Sample, answer: Answer) -> Verdict:
    """(IoU, union) of what the answer marks and the sample's regions: pixels, points or seconds."""
    if sample.signals[0].modality == "audio":
        return metrics.spans_overlap(answer.spans, [record.span for record in sample.regions])
    return metrics.mask_overlap(marked_cells(sample, answer.regions), true_cells(sample, sample.regions))
