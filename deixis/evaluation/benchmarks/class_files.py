"""Readers of classification sets: `Classes`, the class names and an iterator over the signals.

    folders or labels.csv       by the reader of the format `class_folders`: images, audio, video, point clouds, IMU
    ModelNet40, ScanObjectNN    by `deixis.datasets.classification.class_clouds`, their test split
    NYUv2                       nyu_depth_v2_labeled.mat (HDF5: images, depths, sceneTypes), splits.mat (testNdxs)
    SUN RGB-D                   SUNRGBD/.../scene.txt with image/ and depth_bfx/ beside; allsplit.mat (alltest)
    UEA's archive of series     NAME_TEST.ts: dimensions separated by ":", the class last

Scene classes are the 9 most frequent of NYUv2 and "others", and the 19 of SUN RGB-D with more than 80 images, as in
both papers' benchmarks. Sources: cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html; rgbd.cs.princeton.edu
SUNRGBDtoolbox read3dPoints.m (depth in steps of 1 mm, rotated by 3 bits, at most 8 m); timeseriesclassification.com.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt16

from deixis.datasets.classification.class_clouds import SCANOBJECTNN_HARDEST, read_class_clouds
from deixis.datasets.classification.class_folders import CLASS_FOLDERS, LISTS
from deixis.datasets.files.class_lists import readable, split_names
from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError, DeixisError, InputError
from deixis.evaluation.benchmark import RequiredFile
from deixis.evaluation.benchmarks.official_files import (
    Item,
    choice_option,
    converted,
    integer_option,
    records,
    require_files,
    unescaped,
)
from deixis.evaluation.metrics.answer_text import NUMBER_WORDS
from deixis.files.json_text import read_json, read_text
from deixis.samples.sample import MediaReference, Sample, Skipped

Required = Sequence[RequiredFile]
POINTS = 1024
"""The number of first points of a cloud, as in PointMLP's evaluation."""
NYU_SCENES = (
    *("bedroom", "kitchen", "living room", "bathroom", "dining room", "office", "home office", "classroom"),
    *("bookstore", "others"),
)
SUN_SCENES = (
    *("bathroom", "bedroom", "classroom", "computer room", "conference room", "corridor", "dining area"),
    *("dining room", "discussion area", "furniture store", "home office", "kitchen", "lab", "lecture theatre"),
    *("library", "living room", "office", "rest space", "study space"),
)
SUN_STEP_M, SUN_MAX_M, SUN_ROTATION = 0.001, 8.0, 3
IMU_AXES = 6
DEPTH, NORMAL, IMAGE = "depth", "normal", "image"
WITH, WITHOUT = "with", "without"


@dataclass(frozen=True)
class Classes:
    """The lower-case names of each class, the preferred one first; the signals, in order, with the index of their class
    as ground truth; and their modality."""

    names: tuple[tuple[str, ...], ...]
    items: Iterator[Item | Skipped]
    modality: str


def class_folders(data: Path, options: Mapping[str, str], required_files: Required) -> Classes:
    """Signals of any modality; the part is the requested split, else "all"."""
    own = {name: options[name] for name in CLASS_FOLDERS.options if name in options}
    if not data.is_dir():
        raise DataError(f"{data}: expected a folder with one folder per class, or with {LISTS[0]}, got none")
    split = options.get("split")
    selected: list[Sample | Skipped] = [
        record
        for record in records(CLASS_FOLDERS, DatasetConfig(data, options=own))
        if isinstance(record, Skipped) or (isinstance(record, Sample) and (split is None or record.split == split))
    ]
    samples = [record for record in selected if isinstance(record, Sample)]
    if not samples:
        raise InputError(f"split: expected a split with signals, got {split!r}; omit it for all")
    titles = sorted({unescaped(sample.turns[0].assistant) for sample in samples})
    synonyms = _synonyms(options.get("synonyms"))
    names = tuple(_names(title, synonyms.get(title.lower(), ())) for title in titles)

    def classified(record: Sample) -> Item:
        label = titles.index(unescaped(record.turns[0].assistant))
        return Item(record.id, split or "all", record.signals, label)

    return Classes(names, converted(selected, classified), samples[0].signals[0].modality)


def modelnet40(data: Path, options: Mapping[str, str], required_files: Required) -> Classes:
    """The test split."""
    file = require_files(data, required_files[0], "ply_data_test*.h5", "modelnet40_test.txt")[0]
    return _clouds(file.parent, options, "test", "")


def scanobjectnn(data: Path, options: Mapping[str, str], required_files: Required) -> Classes:
    """The test split of the requested variant, by default PB_T50_RS."""
    variant = options.get("variant", SCANOBJECTNN_HARDEST)
    file = require_files(data, required_files[0], "test_objectdataset*.h5", "main_split/test_objectdataset*.h5")[0]
    return _clouds(file.parent, options, variant, variant)


def nyuv2(data: Path, options: Mapping[str, str], required_files: Required) -> Classes:
    """The 654 test images, all of part "test"; scene classes beyond the nine are "others"."""
    view, with_image = _view(options)
    file, splits = require_files(data, required_files[0])[0], require_files(data, required_files[1])[0]

    def items() -> Iterator[Item | Skipped]:
        import h5py
        from scipy.io import loadmat

        numbers = sorted(int(number) for number in loadmat(splits)["testNdxs"].ravel())
        with h5py.File(file, "r") as arrays:
            for number in numbers:
                scene = "".join(map(chr, arrays[arrays["sceneTypes"][0, number - 1]][()].ravel()))
                label = NYU_SCENES.index(readable(scene)) if readable(scene) in NYU_SCENES else len(NYU_SCENES) - 1
                image = np.ascontiguousarray(arrays["images"][number - 1].transpose(2, 1, 0))
                name = f"nyuv2/{number:04d}"
                media = [MediaReference(name, "image", size_hw=image.shape[:2], values=image)]
                if view == DEPTH:
                    depth_m = arrays["depths"][number - 1].T.astype(np.float32)
                    media.append(_depth(name, depth_m))
                yield _viewed(name, media, view, with_image, label, file.parent, f"{number:04d}")

    return Classes((*((name,) for name in NYU_SCENES[:-1]), ("others", "other")), items(), view)


def sun_rgbd(data: Path, options: Mapping[str, str], required_files: Required) -> Classes:
    """The test images of the 19 classes, all of part "test"; images of rarer classes are excluded."""
    view, with_image = _view(options)
    split = require_files(data, required_files[0], "allsplit.mat", "traintestSUNRGBD/allsplit.mat")[0]
    root = require_files(data, required_files[1], "SUNRGBD")[0]

    def items() -> Iterator[Item | Skipped]:
        from scipy.io import loadmat

        for cell in loadmat(split)["alltest"].ravel():
            name = str(np.asarray(cell).ravel()[0]).partition("SUNRGBD/")[2].strip("/")
            folder = root / name
            try:
                scene = readable(read_text(folder / "scene.txt"))
                if scene in SUN_SCENES:
                    media = [MediaReference(f"sun_rgbd/{name}", "image", path=str(_only(folder / "image")))]
                    if view == DEPTH:
                        depth_m = sun_depth_m(_only(folder / "depth_bfx", folder / "depth"))
                        media.append(_depth(f"sun_rgbd/{name}", depth_m))
                    label = SUN_SCENES.index(scene)
                    yield _viewed(f"sun_rgbd/{name}", media, view, with_image, label, folder, "normal")
            except (DeixisError, OSError) as error:
                yield Skipped(name, str(error))

    return Classes(tuple((name,) for name in SUN_SCENES), items(), view)


def imu(data: Path, options: Mapping[str, str], required_files: Required) -> Classes:
    """The windows of a .ts file with six dimensions, at `rate_hz`; the classes are those of its header."""
    path = require_files(data, required_files[0], "*_TEST.ts", "*.ts")[0]
    rate_hz = float(integer_option(options, "rate_hz", 10, least=1))
    lines = read_text(path).splitlines()
    head = next((line.split()[2:] for line in lines if line.lower().startswith("@classlabel true")), [])
    start = next((number for number, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if not head or start is None:
        raise DataError(f"{path}: expected @classLabel true NAMES and @data, as in UEA archives, got no such lines")

    def items() -> Iterator[Item | Skipped]:
        for number, line in enumerate(lines[start + 1 :], start + 2):
            *columns, name = line.split(":")
            try:
                values, label = _window(columns), head.index(name.strip())
            except ValueError as error:  # a number that is none, columns of uneven length, an unknown class
                if line.strip():
                    yield Skipped(f"{path.name}:{number}", f"expected a window of six dimensions and a class; {error}")
                continue
            key = f"{path.stem}/{number - start - 2}"
            yield Item(key, path.stem, (MediaReference(key, "imu", rate_hz=rate_hz, values=values.T),), label)

    return Classes(tuple(_names(name) for name in head), items(), "imu")


def _window(columns: Sequence[str]) -> Float32[np.ndarray, "axis sample"]:
    values = np.array([[float(value) for value in column.split(",")] for column in columns], np.float32)
    if values.ndim != 2 or len(values) != IMU_AXES:
        raise DataError(f"expected {IMU_AXES} dimensions, got {len(columns)}")
    return values


def sun_depth_m(path: Path) -> Float32[np.ndarray, "h w"]:
    """Depth in metres of a SUN RGB-D depth map, 0 where it is unknown."""
    from deixis.signals.image_files import decode, opened

    with opened(path, path.name) as image:
        decode(image, path.name)
        steps = np.asarray(image)
    if steps.ndim != 2 or steps.dtype.kind not in "iu":
        raise DataError(f"{path}: expected a depth map of 16 bits, got {steps.dtype} of shape {steps.shape}")
    # The toolbox stores depth with its low 3 bits rotated to the top.
    stored: UInt16[np.ndarray, "h w"] = steps.astype(np.uint16)
    steps = (stored >> SUN_ROTATION) | (stored << (16 - SUN_ROTATION))
    return np.minimum(steps * SUN_STEP_M, SUN_MAX_M).astype(np.float32)


def _clouds(folder: Path, options: Mapping[str, str], part: str, variant: str) -> Classes:
    count = integer_option(options, "points", POINTS, least=1)
    clouds = read_class_clouds(folder, count, variant) if variant else read_class_clouds(folder, count)
    test = clouds.test
    if test is None:
        raise DataError(f"{folder}: expected a test split, got none")

    def item(number: int) -> Item:
        points = test.points[number]
        medium = MediaReference(f"{folder.name}/{number}", "point_cloud", point_count=len(points), values=points)
        return Item(medium.id, part, (medium,), int(test.labels[number]))

    return Classes(tuple(map(_names, clouds.names)), map(item, range(len(test.labels))), "point_cloud")


def _view(options: Mapping[str, str]) -> tuple[str, bool]:
    return choice_option(options, "view", DEPTH, NORMAL, IMAGE), choice_option(options, "image", WITH, WITHOUT) == WITH


def _depth(name: str, depth_m: Float32[np.ndarray, "h w"]) -> MediaReference:
    return MediaReference(f"{name}/depth", "depth", size_hw=depth_m.shape, values=depth_m)


def _viewed(
    name: str, media: list[MediaReference], view: str, with_image: bool, label: int, folder: Path, stem: str
) -> Item | Skipped:
    """The image with its map, or the map alone. media: the image, and the depth map if that is the view."""
    if view == NORMAL:
        paths = [path for ending in ("npy", "png") if (path := folder / "normal" / f"{stem}.{ending}").is_file()]
        if not paths:
            why = f"expected normals in {folder / 'normal'}/{stem}.npy or .png, got none: create them first"
            return Skipped(name, why)
        media = [*media, MediaReference(f"{name}/normal", "normal", path=str(paths[0]))]
    return Item(name, "test", tuple(media if with_image or view == IMAGE else media[1:]), label)


def _only(*folders: Path) -> Path:
    """The first file in the first folder that has one."""
    for folder in folders:
        if folder.is_dir() and (files := sorted(path for path in folder.iterdir() if path.is_file())):
            return files[0]
    raise DataError(f"{folders[0]}: expected a file in it, got none")


def _names(title: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of a class: those separated by commas, synonyms, and the word for a small number.

    >>> _names("night_stand"), _names("cup, mug"), _names("3")
    (('night stand',), ('cup', 'mug'), ('3', 'three'))
    """
    names = [name.lower() for name in split_names(title)]
    words = [("zero" if number == 0 else word) for number, word in enumerate(NUMBER_WORDS) if str(number) in names]
    return tuple(dict.fromkeys((*names, *words, *(name.lower() for name in more))))


def _synonyms(path: str | None) -> Mapping[str, Sequence[str]]:
    """Lower-case class name -> synonyms."""
    if path is None:
        return {}
    try:
        value = read_json(path)
        return {name.replace("_", " ").lower(): [str(other) for other in others] for name, others in value.items()}
    except (OSError, DeixisError, AttributeError, TypeError) as error:
        raise InputError(f"synonyms: expected a JSON file {{class: [names]}}, got {path}; {error}") from None
