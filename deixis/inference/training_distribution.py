"""Whether a signal looks like those that a model was trained on, by the encoder's features of it.

A model that was trained on one narrow kind of data answers about anything, and is wrong about what it never saw. Where
the statistics of its training signals lie beside its weights (`training_distribution.safetensors`), an answer warns of
signals that are far from them. Without the file nothing is said; models that were trained further have none.

Features are the mean and the deviation, over places, of both levels of the field. Their distance from the training
signals is Mahalanobis's, as Lee et al. (NeurIPS 2018, arXiv 1807.03888) detect samples of other distributions, here
with one Gaussian per modality: its first principal directions, and one variance for all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from deixis.errors import CheckpointError
from deixis.files.whole import whole_file
from deixis.model.encoder.field import Field
from deixis.signals import MODALITIES

FILE = "training_distribution.safetensors"
TRAINED_ON = "trained_on"
"""Metadata of the file: what the model was trained on, with its article."""
PARTS = ("mean", "directions", "variances", "rest", "threshold")
SHRINKAGE = 0.05
"""Of the mean variance added to every direction: directions that hardly vary in training must not decide alone."""


def field_features(field: Field) -> Float[np.ndarray, "signal feature"]:
    """Mean and deviation over places of the tokens, then of the fine level where there is one; a row per signal."""
    levels = [level.float() for level in (field.tokens, field.fine) if level is not None]
    parts = [part for level in levels for part in (level.mean(1), level.std(1, correction=0))]
    return torch.cat(parts, -1).cpu().numpy()


@dataclass(frozen=True)
class FeatureGaussian:
    """The features of training signals of one modality. threshold: the distance from which on a signal is outside."""

    mean: Float[np.ndarray, " feature"]
    directions: Float[np.ndarray, "direction feature"]
    variances: Float[np.ndarray, " direction"]
    rest: float
    threshold: float = np.inf

    def distance(self, features: Float[np.ndarray, "signal feature"]) -> Float[np.ndarray, " signal"]:
        """The squared Mahalanobis distance per feature: about 1 for a training signal."""
        centred = features - self.mean
        along = centred @ self.directions.T
        beside = (centred**2).sum(-1) - (along**2).sum(-1)
        return ((along**2 / self.variances).sum(-1) + beside / self.rest) / centred.shape[-1]


def fit_gaussian(features: Float[np.ndarray, "signal feature"], directions: int = 128) -> FeatureGaussian:
    """The Gaussian of training features, in that many principal directions, without a threshold."""
    mean = features.mean(0)
    _, values, axes = np.linalg.svd((features - mean) / np.sqrt(len(features)), full_matrices=False)
    variances = values**2
    floor = SHRINKAGE * float(variances.sum()) / features.shape[1]
    count = min(directions, len(variances), features.shape[1] - 1)
    rest = float(variances[count:].sum()) / (features.shape[1] - count)
    return FeatureGaussian(mean, axes[:count], variances[:count] + floor, rest + floor)


@dataclass(frozen=True)
class TrainingDistribution:
    """The Gaussians of a model by modality, and what it was trained on, in words."""

    gaussians: Mapping[str, FeatureGaussian]
    trained_on: str

    def warning(self, name: str, modality: str, field: Field) -> str | None:
        """A sentence about the signal `name` where its features are outside; None where they are not, or unknown."""
        gaussian = self.gaussians.get(modality)
        if gaussian is None or gaussian.distance(field_features(field))[0] <= gaussian.threshold:
            return None
        noun = MODALITIES[modality].noun.partition(" ")[2] or MODALITIES[modality].noun
        return (
            f"{name} does not look like any {noun} that this model was trained on, which was {self.trained_on}: the "
            "answer is likely wrong"
        )

    def save(self, folder: Path) -> Path:
        """Writes the file into a model's folder, whole or not at all; in half precision, 170 kB per modality."""
        from safetensors.numpy import save

        tensors = {
            f"{modality}.{part}": np.asarray(getattr(gaussian, part), np.float32 if part in PARTS[2:] else np.float16)
            for modality, gaussian in self.gaussians.items()
            for part in PARTS
        }
        with whole_file(folder / FILE) as part:
            part.write_bytes(save(tensors, {TRAINED_ON: self.trained_on}))
        return folder / FILE


def read_distribution(folder: Path) -> TrainingDistribution | None:
    """The statistics beside a model's weights; None where there are none. Raises CheckpointError for another file."""
    path = folder / FILE
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            values = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            trained_on = (file.metadata() or {})[TRAINED_ON]
        modalities = dict.fromkeys(name.rpartition(".")[0] for name in values)
        gaussians = {m: _gaussian(*(values[f"{m}.{part}"] for part in PARTS)) for m in modalities}
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{FILE}: expected the statistics that {__name__} writes, got a file that lacks or adds something "
            f"({str(error)[:80]}); without the file the model opens, and warns of nothing"
        ) from None
    return TrainingDistribution(gaussians, trained_on)


def _gaussian(mean, directions, variances, rest, threshold) -> FeatureGaussian:
    """Raises ValueError for shapes that do not belong together, or variances that are not above 0."""
    if mean.ndim != 1 or directions.shape != (len(variances), len(mean)) or min(variances.min(), rest) <= 0:
        raise ValueError(f"shapes {mean.shape}, {directions.shape}, {variances.shape}")
    return FeatureGaussian(mean, directions, variances, float(rest), float(threshold))
