"""Scores of constant answers on the world: the most frequent word, and the best box, span or region of the train split.

A constant answer ignores the signal. Words and captions are the best choice among the evaluated samples' own answers,
an upper bound for every constant; regions are fitted on samples of the train split, in coordinates normalised to
[0, 1] of the image, the audio clip or the cloud's cube.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from deixis.evaluation.benchmarks.world.world_metrics import (
    EVENT_MODALITIES,
    answered_medium,
    expected_regions,
    expected_word,
    is_near,
    labels_in,
    parcels_in,
    tube_bounds,
    union_mask,
)
from deixis.evaluation.metrics.aggregation import majority_share, weighted_mean
from deixis.evaluation.metrics.f1 import multiset_f1
from deixis.evaluation.metrics.iou import IOU_THRESHOLD, mask_iou
from deixis.geometry import box_iou, cloud_frame
from deixis.samples.sample import MediaReference, Sample
from deixis.world.fmri_facts import voxel_places

BINS = {1: 64, 2: 32, 3: 10}
"""Bins per axis of the occupancy histogram, by number of axes."""
AUDIO_INSTANTS = 400
THRESHOLDS = np.linspace(0, 1, 26)


def most_frequent_word(samples: Sequence[Sample]) -> float:
    """The accuracy of the most frequent expected word, chosen separately for questions with different choices."""
    return majority_share([expected_word(s) for s in samples], [s.turns[-1].choices for s in samples])


def presence_majority(samples: Sequence[Sample]) -> float:
    """The accuracy of always answering "present", or always "absent", whichever is higher."""
    return majority_share([bool(sample.regions) for sample in samples])


def best_number(samples: Sequence[Sample], tolerance: float) -> float:
    """The share of samples to whose number the best constant, among their own, is near enough."""
    numbers = [float(expected_word(sample)) for sample in samples]
    return max(float(np.mean([is_near(one, own, tolerance) for own in numbers])) for one in set(numbers))


def best_caption(samples: Sequence[Sample]) -> float:
    """The mean F1 of the one caption, among all samples' captions, that scores highest."""
    captions = [labels_in(sample.turns[-1].assistant) for sample in samples]
    distinct = {tuple(sorted(map(str, labels))): labels for labels in captions}
    return max(float(np.mean([multiset_f1(one, other) for other in captions])) for one in distinct.values())


def constant_bounds(train: Sequence[Sample], samples: Sequence[Sample], times_alone: bool = False) -> float:
    """The accuracy at the IoU threshold, on `samples`, of the box, span or tube of `train` that is best on `train`.

    times_alone: of tubes, only their times are compared.
    """
    fitted, evaluated = (np.array([_unit_bounds(sample, times_alone) for sample in some]) for some in (train, samples))
    best = int((box_iou(fitted, fitted) >= IOU_THRESHOLD).sum(1).argmax())
    return float((box_iou(fitted[best : best + 1], evaluated) >= IOU_THRESHOLD).mean())


def constant_region(train: Sequence[Sample], samples: Sequence[Sample], by_union: bool = False) -> float:
    """The gIoU (cIoU with `by_union`), on `samples`, of the bins that targets of `train` cover most often.

    The bins are those with an occupancy above a threshold, chosen for the best gIoU on `train`; threshold 0, the whole
    signal, is among the candidates.
    """
    fitted = [_cells(sample) for sample in train]
    axes = fitted[0][0].shape[1]
    covered, seen = np.zeros((2, *(BINS[axes],) * axes))
    for unit, inside in fitted:
        np.add.at(seen, _bins(unit), 1)
        np.add.at(covered, _bins(unit), inside)
    occupancy = covered / np.maximum(seen, 1)

    def ious(some: list, threshold: float) -> list[tuple[float, float]]:
        return [mask_iou(occupancy[_bins(unit)] >= threshold, inside) for unit, inside in some]

    best = max(THRESHOLDS * occupancy.max(), key=lambda t: np.mean([iou for iou, _ in ious(fitted, t)]))
    values, weights = zip(*ious([_cells(sample) for sample in samples], best), strict=True)
    return weighted_mean(values, weights if by_union else [1.0] * len(values))


def constant_parcels(train: Sequence[Sample], samples: Sequence[Sample]) -> float:
    """The mean F1, on `samples`, of the parcels that answers of `train` hold most often, as many as are best there."""
    fitted, evaluated = ([parcels_in(sample, expected_regions(sample)) for sample in some] for some in (train, samples))
    often = np.bincount(np.concatenate(fitted).astype(int))

    def score(some: list[list[int]], count: int) -> float:
        return float(np.mean([multiset_f1(np.argsort(-often, kind="stable")[:count].tolist(), own) for own in some]))

    return score(evaluated, max(range(1, len(often) + 1), key=lambda count: score(fitted, count)))


def _unit_bounds(sample: Sample, times_alone: bool) -> Float[np.ndarray, " bound"]:
    """The sample's first box, span or tube, normalised to [0, 1] of the image, the audio or the video clip."""
    medium, region = answered_medium(sample), expected_regions(sample)[0]
    if medium.modality in EVENT_MODALITIES or times_alone:
        return np.array(region.interval_s) / medium.duration_s
    height, width = _size_hw(medium)
    if (tube := tube_bounds(region)) is not None:
        return np.array(tube) / (width, height, medium.duration_s, width, height, medium.duration_s)
    return np.array(region.box) / (width, height, width, height)


def _cells(sample: Sample) -> tuple[Float[np.ndarray, "cell axis"], Bool[np.ndarray, " cell"]]:
    """Unit coordinates of a signal's pixels, points or instants, and which of them are in the sample's regions."""
    medium, expected = answered_medium(sample), expected_regions(sample)
    if medium.modality in EVENT_MODALITIES:
        at = (np.arange(AUDIO_INSTANTS) + 0.5) / AUDIO_INSTANTS
        spans = [np.array(record.span) / medium.duration_s for record in expected]
        return at[:, None], np.any([(at >= start) & (at < end) for start, end in spans], axis=0)
    inside = union_mask(sample, expected).ravel()
    if medium.modality == "point_cloud":
        xyz = np.asarray(medium.values)[:, :3].astype(np.float64)
        return cloud_frame(xyz).to_unit(xyz), inside
    if medium.modality == "fmri":
        return cloud_frame(voxel_places()).to_unit(voxel_places()), inside
    height, width = _size_hw(medium)
    rows, columns = np.mgrid[:height, :width]
    return np.stack([(columns.ravel() + 0.5) / width, (rows.ravel() + 0.5) / height], axis=1), inside


def _size_hw(medium: MediaReference) -> tuple[int, int]:
    if medium.size_hw is None:
        raise ValueError(f"{medium.id}: an image of the world has a size")
    return medium.size_hw


def _bins(unit: Float[np.ndarray, "cell axis"]) -> tuple[np.ndarray, ...]:
    count = BINS[unit.shape[1]]
    return tuple(np.clip((unit * count).astype(int), 0, count - 1).T)
