"""Fits what the bundled model was trained on, and measures how well it tells other data from it.

    python examples/training_distribution.py --real FOLDER [--write]

FOLDER has a subfolder for each set of real files (photos, recordings, clouds, ...). Every other one, in the order of
their names, helps to choose the threshold of its modality; the others, and scenes of the test split, are reported.
Without --real, the threshold is a quantile of the generated world alone. --write puts the statistics beside the weights
of the model (`deixis.inference.training_distribution`).
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import deixis
from deixis.checkpoints import bundled_folder
from deixis.errors import DeixisError
from deixis.inference import Model
from deixis.inference.training_distribution import (
    FeatureGaussian,
    TrainingDistribution,
    field_features,
    fit_gaussian,
)
from deixis.signals import MODALITIES, Signal, open_signal
from deixis.training.dense import signal_of
from deixis.world.generate import WORLD_MODALITIES, world_facts

TRAINED_ON = "a generated world"
FIT_SEED = 1_000_000  # scenes of the train split from here on
QUANTILES = (1.0, 0.999, 0.995, 0.99)  # of the distances of validation scenes, which a threshold may be
OUTSIDE = 0.98  # of the real files that help to choose, at least so many must be, for a quantile above the last
MAX_FILES = 60  # of a set


def features(model: Model, signal: Signal) -> np.ndarray:
    """(1, feature) of one signal."""
    encoder = model.engine.encoder
    prepared = encoder.prepare(signal)
    encoder.encode([prepared])
    assert prepared.encoded is not None
    return field_features(prepared.encoded.fields[signal.modality])


def world_features(model: Model, modality: str, split: str, first: int, count: int) -> np.ndarray:
    """(count, feature) of scenes, every third of them antialiased, as in training."""
    facts = (world_facts(split, seed, modality, 2 if seed % 3 == 0 else 1) for seed in range(first, first + count))
    return np.concatenate([features(model, signal_of(own.media[0])) for own in facts])


def real_features(model: Model, modality: str, folder: Path) -> dict[str, np.ndarray]:
    """Set -> (file, feature) of the files of a modality that it has, at most `MAX_FILES` each."""
    found = {}
    for source in sorted(path for path in folder.iterdir() if path.is_dir()):
        rows = [features(model, signal) for signal in _signals(source, modality)]
        if rows:
            found[source.name] = np.concatenate(rows)
    return found


def _signals(source: Path, modality: str) -> Iterator[Signal]:
    paths = [path for path in sorted(source.rglob("*")) if path.suffix.lower() in MODALITIES[modality].suffixes]
    for path in paths[:MAX_FILES]:
        try:
            yield open_signal(path, modality)
        except DeixisError:  # sets hold masks, damaged files and others that are no signals
            continue


def with_threshold(gaussian: FeatureGaussian, val: np.ndarray, real: list[np.ndarray]) -> FeatureGaussian:
    """The highest of `QUANTILES` of the world's distances beyond which enough of the real files lie, else the last."""
    distances = gaussian.distance(np.concatenate(real)) if real else np.zeros(0)
    limits = [float(limit) for limit in np.quantile(gaussian.distance(val), QUANTILES)]
    found = (
        next((limit for limit in limits if (distances > limit).mean() >= OUTSIDE), limits[-1]) if real else limits[0]
    )
    return replace(gaussian, threshold=found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", type=Path, help="folder with a subfolder for each set of real files")
    parser.add_argument("--scenes", type=int, default=2000, help="scenes that are fitted; a fifth to choose and test")
    parser.add_argument("--write", action="store_true", help="put the statistics beside the bundled model")
    options = parser.parse_args()
    model, gaussians = deixis.load(), {}
    print("| modality | files | set | outside |\n|:---|---:|:---|---:|")
    for modality in (name for name in WORLD_MODALITIES if name in model.network.config.modalities):
        fitted = fit_gaussian(world_features(model, modality, "train", FIT_SEED, options.scenes))
        val, test = (world_features(model, modality, split, 0, options.scenes // 5) for split in ("val", "test"))
        real = real_features(model, modality, options.real) if options.real else {}
        chosen = with_threshold(fitted, val, list(real.values())[::2])
        gaussians[modality] = chosen
        rows = {"generated, test split": test, **dict(list(real.items())[1::2])}
        rows |= {f"{name} (helped to choose)": own for name, own in list(real.items())[::2]}
        for name, own in rows.items():
            print(f"| {modality} | {len(own)} | {name} | {(chosen.distance(own) > chosen.threshold).mean():.3f} |")
    if options.write:
        print(f"written: {TrainingDistribution(gaussians, TRAINED_ON).save(bundled_folder())}")


if __name__ == "__main__":
    main()
