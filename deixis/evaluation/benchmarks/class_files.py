"""Signals with one class each in the files of their sets: `Classes`, the names and an iterator over the signals.

    folders or labels.csv       by the reader of the format `class_folders`: pictures, sounds, films, clouds, motion
    ModelNet40, ScanObjectNN    by `deixis.datasets.classification.class_clouds`, their test split
    NYUv2                       nyu_depth_v2_labeled.mat (HDF5: images, depths, sceneTypes), splits.mat (testNdxs)
    SUN RGB-D                   SUNRGBD/.../scene.txt with image/ and depth_bfx/ beside; allsplit.mat (alltest)
    UEA's archive of series     NAME_TEST.ts: dimensions apart by ":", the class last

Scene classes are the 9 most frequent of NYUv2 and "others", and the 19 of SUN RGB-D with more than 80 pictures, as both
papers' benchmarks have them. Sources: cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html; rgbd.cs.princeton.edu
SUNRGBDtoolbox read3dPoints.m (depth in steps of 1 mm, turned by 3 bits, at most 8 m); timeseriesclassification.com.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt16

from deixis.datasets.classification.class_clouds import SCANOBJECTNN_HARDEST, read_class_clouds
from deixis.datasets.classification.class_folders import CLASS_FOLDERS, LISTS
from deixis.datasets.files.class_lists import split_names
from deixis.datasets.files.class_names import readable
from deixis.datasets.source import Place
from deixis.errors import DataError, DeixisError, InputError
from deixis.evaluation.benchmarks.records import records, unescaped
from deixis.evaluation.benchmarks.required_files import choice_option, find_files, integer_option, require_files
from deixis.evaluation.metrics.answer_text import NUMBER_WORDS
from deixis.samples.sample import MediaReference, Sample
from deixis.samples.skipped import Skipped
from deixis.samples.text_file import read_json, read_text

Wants = Sequence[Any]
POINTS = 1024
"""Of a cloud, the first ones: so many PointMLP is measured with."""
NYU_SCENES = ("bedroom", "kitchen", "living room", "bathroom", "dining room", "office", "home office", "classroom")
NYU_SCENES += ("bookstore", "others")
SUN_SCENES = (
    *("bathroom", "bedroom", "classroom", "computer room", "conference room", "corridor", "dining area"),
    *("dining room", "discussion area", "furniture store", "home office", "kitchen", "lab", "lecture theatre"),
    *("library", "living room", "office", "rest space", "study space"),
)
SUN_STEP_M, SUN_FARTHEST_M, SUN_TURN = 0.001, 8.0, 3
MOTION_AXES = 6
DEPTH, NORMAL, PICTURE = "depth", "normal", "picture"
WITH, WITHOUT = "with", "without"


@dataclass(frozen=True)
class Classified:
    """Signals and the class that they are of, by its place among the names. part: of the table."""

    id: str
    part: str
    media: tuple[MediaReference, ...]
    label: int


@dataclass(frozen=True)
class Classes:
    """The names of each class, the first the one to use, in small letters; and the signals, in order."""

    names: tuple[tuple[str, ...], ...]
    items: Iterator[Classified | Skipped]
    kind: str


def class_folders(data: Path, options: Mapping[str, str], required_files: Wants) -> Classes:
    """Signals of any kind; the part is the split, if one is asked for, else "all"."""
    own = {name: options[name] for name in CLASS_FOLDERS.options if name in options}
    if not data.is_dir():
        raise DataError(f"{data}: expected a folder with a folder for each class, or with {LISTS[0]}, got none")
    split = options.get("split")
    kept: list[Sample | Skipped] = [
        record
        for record in records(CLASS_FOLDERS, Place(data, options=own))
        if isinstance(record, Skipped) or (isinstance(record, Sample) and (split is None or record.split == split))
    ]
    samples = [record for record in kept if isinstance(record, Sample)]
    if not samples:
        raise InputError(f"split: expected a split that signals are of, got {split!r}; without it all are asked about")
    titles = sorted({unescaped(sample.turns[0].assistant) for sample in samples})
    more = _synonyms(options.get("synonyms"))
    names = tuple(_names(title, more.get(title.lower(), ())) for title in titles)

    def items() -> Iterator[Classified | Skipped]:
        for record in kept:
            if isinstance(record, Skipped):
                yield record
                continue
            label = titles.index(unescaped(record.turns[0].assistant))
            yield Classified(record.id, split or "all", record.signals, label)

    return Classes(names, items(), samples[0].signals[0].modality)


def modelnet40(data: Path, options: Mapping[str, str], required_files: Wants) -> Classes:
    return _clouds(
        require_files(data, required_files[0], "ply_data_test*.h5", "modelnet40_test.txt")[0].parent,
        options,
        "test",
        "",
    )


def scanobjectnn(data: Path, options: Mapping[str, str], required_files: Wants) -> Classes:
    """The test split of the variant that is asked for, PB_T50_RS if none is."""
    variant = options.get("variant", SCANOBJECTNN_HARDEST)
    file = require_files(data, required_files[0], "test_objectdataset*.h5", "main_split/test_objectdataset*.h5")[0]
    return _clouds(file.parent, options, variant, variant)


def nyuv2(data: Path, options: Mapping[str, str], required_files: Wants) -> Classes:
    """The 654 test pictures, all of part "test"; scene types beyond the nine are "others"."""
    view, with_picture = _view(options)
    file, splits = require_files(data, required_files[0])[0], require_files(data, required_files[1])[0]

    def items() -> Iterator[Classified | Skipped]:
        import h5py
        from scipy.io import loadmat

        numbers = sorted(int(number) for number in loadmat(splits)["testNdxs"].ravel())
        with h5py.File(file, "r") as arrays:
            for number in numbers:
                scene = "".join(map(chr, arrays[arrays["sceneTypes"][0, number - 1]][()].ravel()))
                label = NYU_SCENES.index(readable(scene)) if readable(scene) in NYU_SCENES else len(NYU_SCENES) - 1
                picture = np.ascontiguousarray(arrays["images"][number - 1].transpose(2, 1, 0))
                name = f"nyuv2/{number:04d}"
                media = [MediaReference(name, "image", size_hw=picture.shape[:2], values=picture)]
                if view == DEPTH:
                    depth_m = arrays["depths"][number - 1].T.astype(np.float32)
                    media.append(MediaReference(f"{name}/depth", "depth", size_hw=depth_m.shape, values=depth_m))
                yield from _viewed(name, media, view, with_picture, label, file.parent, f"{number:04d}")

    return Classes((*((name,) for name in NYU_SCENES[:-1]), ("others", "other")), items(), view)


def sun_rgbd(data: Path, options: Mapping[str, str], required_files: Wants) -> Classes:
    """The test pictures of the 19 classes, all of part "test"; pictures of rarer classes are not asked about."""
    view, with_picture = _view(options)
    split = require_files(data, required_files[0], "allsplit.mat", "traintestSUNRGBD/allsplit.mat")[0]
    root = next(iter(find_files(data, "SUNRGBD")), None)
    if root is None:
        raise DataError(
            f"{data}: expected SUNRGBD/, {required_files[1].what}, got none; it is from {required_files[1].home}"
        )

    def items() -> Iterator[Classified | Skipped]:
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
                        media.append(
                            MediaReference(f"sun_rgbd/{name}/depth", "depth", size_hw=depth_m.shape, values=depth_m)
                        )
                    label = SUN_SCENES.index(scene)
                    yield from _viewed(f"sun_rgbd/{name}", media, view, with_picture, label, folder, "normal")
            except (DeixisError, OSError) as error:
                yield Skipped(name, str(error))

    return Classes(tuple((name,) for name in SUN_SCENES), items(), view)


def motion(data: Path, options: Mapping[str, str], required_files: Wants) -> Classes:
    """The windows of a .ts file of six dimensions, at `rate_hz`; classes are those of its head."""
    path = require_files(data, required_files[0], "*_TEST.ts", "*.ts")[0]
    rate_hz = float(integer_option(options, "rate_hz", 10, least=1))
    lines = read_text(path).splitlines()
    head = next((line.split()[2:] for line in lines if line.lower().startswith("@classlabel true")), [])
    start = next((number for number, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if not head or start is None:
        raise DataError(f"{path}: expected @classLabel true NAMES and @data, as in UEA's archive, got no such lines")

    def items() -> Iterator[Classified | Skipped]:
        for number, line in enumerate(lines[start + 1 :], start + 2):
            *columns, name = line.split(":")
            try:
                values, label = _window(columns), head.index(name.strip())
            except ValueError as error:  # a number that is none, columns of uneven length, an unknown class
                if line.strip():
                    yield Skipped(f"{path.name}:{number}", f"expected a window of six dimensions and a class; {error}")
                continue
            key = f"{path.stem}/{number - start - 2}"
            yield Classified(key, path.stem, (MediaReference(key, "imu", rate_hz=rate_hz, values=values.T),), label)

    return Classes(tuple(_names(name) for name in head), items(), "imu")


def _window(columns: Sequence[str]) -> Float32[np.ndarray, "axis sample"]:
    """The six dimensions of a line; ValueError for anything else."""
    values = np.array([[float(value) for value in column.split(",")] for column in columns], np.float32)
    if values.ndim != 2 or len(values) != MOTION_AXES:
        raise DataError(f"expected {MOTION_AXES} dimensions, got {len(columns)}")
    return values


def sun_depth_m(path: Path) -> Float32[np.ndarray, "h w"]:
    """Metres of a depth map of SUN RGB-D, 0 where nothing was read. Raises ValueError for a file that is none."""
    from deixis.signals.image import opened

    with opened(path, path.name) as picture:
        steps = np.asarray(picture)
    if steps.ndim != 2 or steps.dtype.kind not in "iu":
        raise DataError(f"{path}: expected a depth map of 16 bits, got {steps.dtype} of shape {steps.shape}")
    turned: UInt16[np.ndarray, "h w"] = steps.astype(np.uint16)
    steps = (turned >> SUN_TURN) | (turned << (16 - SUN_TURN))
    return np.minimum(steps * SUN_STEP_M, SUN_FARTHEST_M).astype(np.float32)


def _clouds(folder: Path, options: Mapping[str, str], part: str, variant: str) -> Classes:
    count = integer_option(options, "points", POINTS, least=1)
    clouds = read_class_clouds(folder, count, variant) if variant else read_class_clouds(folder, count)
    if clouds.test is None:
        raise DataError(f"{folder}: expected a test split, got none")
    test = clouds.test

    def items() -> Iterator[Classified | Skipped]:
        for number, (points, label) in enumerate(zip(test.points, test.labels, strict=True)):
            medium = MediaReference(f"{folder.name}/{number}", "point_cloud", point_count=len(points), values=points)
            yield Classified(medium.id, part, (medium,), int(label))

    return Classes(tuple(_names(name) for name in clouds.names), items(), "point_cloud")


def _view(options: Mapping[str, str]) -> tuple[str, bool]:
    return choice_option(options, "view", DEPTH, NORMAL, PICTURE), choice_option(
        options, "picture", WITH, WITHOUT
    ) == WITH


def _viewed(
    name: str, media: list[MediaReference], view: str, with_picture: bool, label: int, folder: Path, stem: str
) -> Iterator[Classified | Skipped]:
    """The picture with its map, or the map alone. media: the picture, and the depth if that is asked for."""
    if view == NORMAL:
        path = next(
            (p for p in (folder / "normal" / f"{stem}.npy", folder / "normal" / f"{stem}.png") if p.is_file()), None
        )
        if path is None:
            yield Skipped(
                name, f"expected normals in {folder / 'normal'}/{stem}.npy or .png, got none: make them first"
            )
            return
        media = [*media, MediaReference(f"{name}/normal", "normal", path=str(path))]
    kept = media if with_picture or view == PICTURE else media[1:]
    yield Classified(name, "test", tuple(kept), label)


def _only(*folders: Path) -> Path:
    """The first file in the first of the folders that is there. Raises ValueError where there is none."""
    for folder in folders:
        if folder.is_dir() and (files := sorted(path for path in folder.iterdir() if path.is_file())):
            return files[0]
    raise DataError(f"{folders[0]}: expected a file in it, got none")


def _names(title: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of a class: those that commas part, synonyms, and the word of a small number.

    >>> _names("night_stand"), _names("cup, mug"), _names("3")
    (('night stand',), ('cup', 'mug'), ('3', 'three'))
    """
    names = [name.lower() for name in split_names(title)]
    words = [("zero" if number == 0 else word) for number, word in enumerate(NUMBER_WORDS) if str(number) in names]
    return tuple(dict.fromkeys((*names, *words, *(name.lower() for name in more))))


def _synonyms(path: str | None) -> Mapping[str, Sequence[str]]:
    """Class in small letters -> other names. Raises ValueError for a file that does not hold that."""
    if path is None:
        return {}
    try:
        value = read_json(path)
        return {re.sub("_", " ", name).lower(): [str(other) for other in others] for name, others in value.items()}
    except (OSError, DeixisError, AttributeError, TypeError) as error:
        raise InputError(f"synonyms: expected a JSON file {{class: [names]}}, got {path}; {error}") from None
