"""Miniature sets of classified clouds, balls and sticks, in the layouts that sets are published in."""

from pathlib import Path

import numpy as np

from deixis.datasets.classification.cloud_files import in_unit_sphere

COUNTS = {"train": 4, "test": 2}  # clouds of each class


def ball(number: int, seed: int) -> np.ndarray:
    """Points on a sphere of some size and place."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(number, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return (points * rng.uniform(0.5, 2) + rng.uniform(-1, 1, 3)).astype(np.float32)


def stick(number: int, seed: int) -> np.ndarray:
    """Points along a thin upright stick."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(number, 3)) * [0.05, 0.05, 0] + np.outer(rng.uniform(-1, 1, number), [0, 0, 1])
    return (points * rng.uniform(0.5, 2) + rng.uniform(-1, 1, 3)).astype(np.float32)


SHAPES = {"ball": ball, "night_stand": stick}


def split(name: str, times: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Clouds (cloud, 40, 3) of a split, class after class, and their labels; `times` as many as in COUNTS."""
    offset, each = 1000 * (name == "test"), times * COUNTS[name]
    clouds = [make(40, offset + 100 * c + i) for c, make in enumerate(SHAPES.values()) for i in range(each)]
    return np.stack(clouds), np.repeat(np.arange(len(SHAPES)), each)


def modelnet_h5(folder: Path, times: int = 1) -> np.ndarray:
    """As modelnet40_ply_hdf5_2048, the training clouds in two files; those of the first."""
    import h5py

    folder.mkdir(exist_ok=True)
    (folder / "shape_names.txt").write_text("".join(f"{name}\n" for name in SHAPES))
    first = None
    for name in COUNTS:
        clouds, labels = split(name, times)
        clouds = np.stack([in_unit_sphere(cloud) for cloud in clouds])  # as the published files are
        for part in range(2 if name == "train" else 1):
            rows = slice(part, None, 2) if name == "train" else slice(None)
            first = clouds[rows] if first is None else first
            with h5py.File(folder / f"ply_data_{name}{part}.h5", "w") as file:
                file["data"], file["label"] = clouds[rows], labels[rows, None].astype(np.uint8)
    return first


def modelnet_text(folder: Path) -> None:
    """As modelnet40_normal_resampled: a file a cloud, places and normals between commas."""
    folder.mkdir(exist_ok=True)
    names = list(SHAPES)
    (folder / "modelnet40_shape_names.txt").write_text("".join(f"{name}\n" for name in names))
    for part in COUNTS:
        clouds, labels = split(part)
        lines = [f"{names[label]}_{i + 100 * (part == 'test'):04d}" for i, label in enumerate(labels)]
        (folder / f"modelnet40_{part}.txt").write_text("\n".join(lines) + "\n")
        for line, cloud, label in zip(lines, clouds, labels, strict=True):
            (folder / names[label]).mkdir(exist_ok=True)
            rows = np.concatenate([cloud, np.zeros_like(cloud)], 1)
            np.savetxt(folder / names[label] / f"{line}.txt", rows, delimiter=",", fmt="%.6f")


def scanobjectnn_h5(folder: Path) -> None:
    """As the hardest split of ScanObjectNN."""
    import h5py

    (folder / "main_split").mkdir(parents=True)
    for part, stem in (("train", "training"), ("test", "test")):
        clouds, labels = split(part)
        with h5py.File(folder / "main_split" / f"{stem}_objectdataset_augmentedrot_scale75.h5", "w") as file:
            file["data"], file["label"], file["mask"] = clouds, labels, np.zeros(clouds.shape[:2], np.int64)


def class_folders(folder: Path, split_above: bool = False) -> None:
    """CLASS/train/1.npy and so on, or train/CLASS/1.npy."""
    names = list(SHAPES)
    for part in COUNTS:
        for i, (cloud, label) in enumerate(zip(*split(part), strict=True)):
            place = folder / part / names[label] if split_above else folder / names[label] / part
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{i}.npy", cloud)
