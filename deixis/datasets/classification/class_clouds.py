"""Sets of point clouds with a class each, in the layouts they are published in.

    ModelNet40 as HDF5          ply_data_train0.h5 .., ply_data_test0.h5 .., shape_names.txt
    ModelNet as text            modelnet40_train.txt, modelnet40_test.txt, modelnet40_shape_names.txt, CLASS/NAME.txt
                                (modelnet40_normal_resampled; modelnet10 likewise)
    ScanObjectNN as HDF5        training_objectdataset*.h5 and test_objectdataset*.h5, in the folder or its main_split
    folders of meshes, clouds   CLASS/train/FILE, CLASS/test/FILE (ModelNet's own), train/CLASS/FILE, or CLASS/FILE

`read_class_clouds` tells the layout from what lies in the folder. Independent of networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from deixis.datasets.classification.cloud_files import SUFFIXES, in_unit_sphere, read_points
from deixis.errors import DataError, DeixisError
from deixis.files.budget import check_decoded
from deixis.files.json_text import read_text
from deixis.files.regular import check_regular, open_regular

SCANOBJECTNN_CLASSES = (
    *("bag", "bin", "box", "cabinet", "chair", "desk", "display", "door", "shelf", "table", "bed", "pillow"),
    *("sink", "sofa", "toilet"),
)
"""In the order of the labels in its files (hkust-vgd/scanobjectnn, training_data/shape_names_ext.txt)."""
SCANOBJECTNN_HARDEST = "objectdataset_augmentedrot_scale75"
"""The split PB_T50_RS, which PointMLP is measured on."""
SPLITS = ("train", "test")


@dataclass(frozen=True)
class ClassClouds:
    """Clouds of one size, (cloud, point, 3), and the class of each as an index."""

    points: Float32[np.ndarray, "cloud point 3"]
    labels: Int64[np.ndarray, " cloud"]


@dataclass(frozen=True)
class ClassSet:
    """The clouds to train on and to test on, and the names of the classes.

    unit_sphere: whether these clouds lie about the origin within a radius of 1, so that others must be brought there.
    """

    names: tuple[str, ...]
    train: ClassClouds
    test: ClassClouds | None
    unit_sphere: bool


def read_class_clouds(folder: str | Path, count: int, variant: str = SCANOBJECTNN_HARDEST) -> ClassSet:
    """The set in `folder`, `count` points a cloud: the first ones, as the published code takes them.

    A cloud of fewer points repeats them in turn. `variant` is the ending of ScanObjectNN's files. Text files and
    folders are brought into the unit sphere; HDF5 files are taken as they are.

    Raises DataError for a folder in no known layout, and for files that do not fit it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"data: expected a folder of classified clouds, got {folder}, which is none")
    if any(folder.glob("ply_data_train*.h5")):
        return _read_modelnet(folder, count)
    for number in (40, 10):
        if (folder / f"modelnet{number}_train.txt").is_file():
            return _read_modelnet_text(folder, count, number)
    for place in (folder, folder / "main_split"):
        if any(place.glob("training_objectdataset*.h5")):
            return _read_scanobjectnn(place, count, variant)
    return _read_folders(folder, count)


def _read_modelnet(folder: Path, count: int) -> ClassSet:
    names = _lines(folder / "shape_names.txt")
    splits: dict[str, ClassClouds] = {}
    for split in SPLITS:
        if parts := [_read_h5(path, count) for path in sorted(folder.glob(f"ply_data_{split}*.h5"))]:
            splits[split] = _joined(parts, len(names), f"{folder}: {split}")
    return ClassSet(names, splits["train"], splits.get("test"), unit_sphere=True)


def _read_modelnet_text(folder: Path, count: int, number: int) -> ClassSet:
    names = _lines(folder / f"modelnet{number}_shape_names.txt")
    splits = []
    for split in SPLITS:
        clouds, labels = [], []
        for line in _lines(folder / f"modelnet{number}_{split}.txt"):
            name = line.rsplit("_", 1)[0]  # airplane_0001, night_stand_0001
            if name not in names:
                raise DataError(f"modelnet{number}_{split}.txt: expected CLASS_NUMBER with a known class, got {line!r}")
            path = folder / name / f"{line}.txt"
            clouds.append(_sized(in_unit_sphere(_read_rows(path, count)), count))
            labels.append(names.index(name))
        splits.append(ClassClouds(np.stack(clouds), np.array(labels, dtype=np.int64)))
    return ClassSet(names, splits[0], splits[1], unit_sphere=True)


def _read_rows(path: Path, count: int) -> np.ndarray:
    """x, y, z of the first lines of a file of numbers between commas."""
    with open_regular(path) as stream:
        try:
            xyz = np.loadtxt(stream, delimiter=",", usecols=(0, 1, 2), max_rows=count, dtype=np.float32, ndmin=2)
        except ValueError as error:
            raise DataError(f"'{path.name}': expected lines x,y,z,... of numbers; {error}") from None
    if not len(xyz) or not np.isfinite(xyz).all():
        raise DataError(
            f"'{path.name}': expected finite coordinates of at least one point, got none or NaN or infinity"
        )
    return xyz


def _read_scanobjectnn(folder: Path, count: int, variant: str) -> ClassSet:
    splits = []
    for split in ("training", "test"):
        path = folder / f"{split}_{variant}.h5"
        if not path.is_file():
            there = ", ".join(sorted(p.name for p in folder.glob("*.h5")))
            raise DataError(f"data: expected {path.name} in {folder} for the variant {variant!r}, got {there}")
        splits.append(_joined([_read_h5(path, count)], len(SCANOBJECTNN_CLASSES), path.name))
    return ClassSet(SCANOBJECTNN_CLASSES, splits[0], splits[1], unit_sphere=False)


def _read_folders(folder: Path, count: int) -> ClassSet:
    """Class folders, in which or above which the splits lie; without splits all clouds are trained on."""
    split_above = all((folder / split).is_dir() for split in SPLITS)
    classes = _folders(folder / "train" if split_above else folder)
    if not classes:
        raise DataError(
            f"data: expected in {folder} ply_data_train*.h5, modelnet40_train.txt, training_objectdataset*.h5 or a "
            "folder for each class, got none of them"
        )
    found: dict[str, list[tuple[Path, int]]] = {split: [] for split in SPLITS}
    for label, name in enumerate(classes):
        within = {split: folder / split / name if split_above else folder / name / split for split in SPLITS}
        if not any(place.is_dir() for place in within.values()):
            within = {"train": folder / name}
        for split, place in within.items():
            found[split] += [(path, label) for path in _files(place)]
    missing = set(range(len(classes))) - {label for _, label in found["train"]}
    if missing:
        raise DataError(
            f"data: expected files to train {classes[min(missing)]!r} with, ending in {' '.join(SUFFIXES)}; got none"
        )
    test = _read_all(found["test"], count) if found["test"] else None
    return ClassSet(tuple(classes), _read_all(found["train"], count), test, unit_sphere=True)


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _read_all(files: list[tuple[Path, int]], count: int) -> ClassClouds:
    clouds = [_sized(in_unit_sphere(read_points(path, max(count, 1))), count) for path, _ in files]
    return ClassClouds(np.stack(clouds), np.array([label for _, label in files], dtype=np.int64))


def _read_h5(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (cloud, point, 3) and labels (cloud,) of an HDF5 file with `data` and `label`."""
    import h5py

    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            clouds, classes = file["data"], file["label"]
            stored = max(clouds.nbytes, classes.nbytes)
            check_decoded(path.name, stored, f"arrays of {clouds.shape} and {classes.shape} numbers")
            points, labels = clouds[:, :count].astype(np.float32), classes[:].reshape(-1).astype(np.int64)
    except DeixisError:
        raise
    except (OSError, LookupError, ValueError, AttributeError, TypeError, RuntimeError) as error:
        raise DataError(f"'{path.name}': expected an HDF5 file with data and label; {error}") from None
    if points.ndim != 3 or points.shape[2] != 3 or len(points) != len(labels):
        raise DataError(
            f"'{path.name}': expected data (cloud, point, 3) and a label each, got {points.shape} and {labels.shape}"
        )
    return np.stack([_sized(cloud, count) for cloud in points]), labels


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray]], classes: int, where: str) -> ClassClouds:
    points, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    if len(labels) and not (0 <= labels.min() and labels.max() < classes):
        raise DataError(f"{where}: expected labels from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    return ClassClouds(points, labels)


def _sized(xyz: np.ndarray, count: int) -> np.ndarray:
    """The first `count` points, in turn again and again where there are fewer."""
    return xyz[np.arange(count) % len(xyz)]


def _lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise DataError(f"data: expected the file {path.name} in {path.parent}, got none")
    return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
