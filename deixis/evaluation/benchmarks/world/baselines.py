"""What a constant answer scores on the world: the most frequent word, and the best box, span or region of `train`.

A constant answer is one that does not look at the signal. Words and captions are the best choice among the examples'
own answers, so no constant can beat them; places are fitted on samples of the train split, in coordinates that run
from 0 to 1 over the picture, the sound or the cloud's cube.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from deixis.evaluation.benchmarks.world.world_metrics import labels_in, true_cells, wanted
from deixis.evaluation.metrics import overlap as metrics
from deixis.geometry import box_iou_xyxy, cloud_frame, span_iou
from deixis.samples.sample import Sample

BINS = {1: 64, 2: 32, 3: 10}  # a side, of the map of places, by number of axes
INSTANTS = 400  # at which a sound is looked at
THRESHOLDS = np.linspace(0, 1, 26)


def most_frequent_word(samples: Sequence[Sample]) -> float:
    """The share of the most frequent wanted word, chosen apart for questions with different choices."""
    return metrics.majority_share([wanted(s) for s in samples], [s.turns[-1].choices for s in samples])


def best_caption(samples: Sequence[Sample]) -> float:
    """The mean F1 of the one caption, of all the samples', that fits them best."""
    captions = [labels_in(sample.turns[-1].assistant) for sample in samples]
    distinct = {tuple(sorted(map(str, labels))): labels for labels in captions}
    return max(float(np.mean([metrics.multiset_f1(one, true) for true in captions])) for one in distinct.values())


def constant_bounds(train: Sequence[Sample], samples: Sequence[Sample]) -> float:
    """The share of `samples` that one box or span hits: that of `train` that hits most of `train`."""
    known, asked = (np.array([_unit_bounds(sample) for sample in some]) for some in (train, samples))
    iou = box_iou_xyxy if known.shape[1] == 4 else span_iou
    best = int((iou(known, known) >= metrics.HIT_IOU).sum(1).argmax())
    return float((iou(known[best : best + 1], asked) >= metrics.HIT_IOU).mean())


def constant_region(train: Sequence[Sample], samples: Sequence[Sample], by_union: bool = False) -> float:
    """The gIoU (cIoU with `by_union`) of one region: the places that `train` marks often enough.

    How often is enough is chosen for the best gIoU on `train`; "everywhere" is among the choices.
    """
    known = [_cells(sample) for sample in train]
    dim = known[0][0].shape[1]
    marked, seen = np.zeros((2, *(BINS[dim],) * dim))
    for unit, inside in known:
        np.add.at(seen, _bins(unit), 1)
        np.add.at(marked, _bins(unit), inside)
    share = marked / np.maximum(seen, 1)

    def overlaps(some: list, least: float) -> list[tuple[float, float]]:
        return [metrics.mask_overlap(share[_bins(unit)] >= least, inside) for unit, inside in some]

    least = max(THRESHOLDS * share.max(), key=lambda t: np.mean([iou for iou, _ in overlaps(known, t)]))
    values, weights = zip(*overlaps([_cells(sample) for sample in samples], least), strict=True)
    return metrics.weighted_mean(values, weights if by_union else [1.0] * len(values))


def _unit_bounds(sample: Sample) -> Float[np.ndarray, " bound"]:
    """The sample's only box or span, as shares of the picture's or the sound's size."""
    medium, region = sample.signals[0], sample.regions[0]
    if medium.modality == "audio":
        return np.array(region.span) / medium.duration_s
    height, width = medium.size_hw
    return np.array(region.box) / (width, height, width, height)


def _cells(sample: Sample) -> tuple[Float[np.ndarray, "cell axis"], Bool[np.ndarray, " cell"]]:
    """Places (0..1) of a signal's pixels, points or instants, and which of them the sample's regions hold."""
    medium = sample.signals[0]
    if medium.modality == "audio":
        at = (np.arange(INSTANTS) + 0.5) / INSTANTS
        spans = [np.array(record.span) / medium.duration_s for record in sample.regions]
        return at[:, None], np.any([(at >= start) & (at < end) for start, end in spans], axis=0)
    inside = true_cells(sample, sample.regions).ravel()
    if medium.modality == "point_cloud":
        xyz = np.asarray(medium.values)[:, :3].astype(np.float64)
        return cloud_frame(xyz).to_unit(xyz), inside
    height, width = medium.size_hw
    rows, columns = np.mgrid[:height, :width]
    return np.stack([(columns.ravel() + 0.5) / width, (rows.ravel() + 0.5) / height], axis=1), inside


def _bins(unit: Float[np.ndarray, "cell axis"]) -> tuple[np.ndarray, ...]:
    count = BINS[unit.shape[1]]
    return tuple(np.clip((unit * count).astype(int), 0, count - 1).T)
