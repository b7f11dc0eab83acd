"""Two folders side by side, one of images and one of maps or masks, and the rows of their files.

    images/NAME.jpg  labels/NAME.png        images/train/NAME.jpg  labels/train/NAME.png
    train/images/..  train/labels/..        train/NAME.jpg  trainannot/NAME.png

Files of one name belong together; what their masks mean, others know. Names of the files of one folder are held.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deixis.datasets.files.images import SUFFIXES, split_of
from deixis.datasets.source import DatasetConfig, Row
from deixis.errors import DataError

IMAGE_FOLDERS = ("images", "jpegimages", "imgs", "image", "img", "pictures", "photos", "rgb", "leftimg8bit")
MAP_FOLDERS = (
    *("labels", "masks", "annotations", "label", "mask", "annotation", "segmentationclass", "segmentationclasspng"),
    *("segmentations", "segmentation", "gt", "groundtruth", "ground_truth", "gtfine", "targets", "instances"),
)
MAP_ENDINGS = ("_gtfine_labelids", "_gtfine_instanceids", "_labels", "_label", "_masks", "_mask", "_seg",
               "_segmentation", "_gt", "_l", "_matte")  # fmt: skip
IMAGE_SUFFIXES = ("_leftimg8bit", "_image", "_img", "_rgb")
DEPTH = 3
"""How far below PATH the two folders are looked for."""


@dataclass(frozen=True)
class Pair:
    """A folder of images and one of maps of them. name: what stands before the names of its files in keys."""

    images: Path
    maps: Path
    name: str = ""


def find_pairs(config: DatasetConfig) -> list[Pair]:
    """The pairs of folders in PATH, or --images and PATH. Raises DataError where there is none."""
    if config.images is not None:
        named = _named(config.path)
        return [Pair(config.images, next((named[name] for name in MAP_FOLDERS if name in named), config.path))]
    found = list(_pairs_in(config.path, "", DEPTH))
    if not found:
        raise DataError(
            f"{config.path}: expected a folder of images (images/) and one of maps of them (labels/, masks/), or the "
            "folder of the images by --images, got neither"
        )
    return found


def _pairs_in(folder: Path, name: str, depth: int) -> Iterator[Pair]:
    named = _named(folder)
    images = next((named[known] for known in IMAGE_FOLDERS if known in named), None)
    maps = next((named[known] for known in MAP_FOLDERS if known in named), None)
    if images is not None and maps is not None:
        yield Pair(images, maps, name)
        return
    for known in sorted(named):
        if f"{known}annot" in named:
            yield Pair(named[known], named[f"{known}annot"], f"{name}{named[known].name}/")
        elif depth > 1:
            yield from _pairs_in(named[known], f"{name}{named[known].name}/", depth - 1)


def _named(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."}


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """(path below the folder, with slashes and without its ending; the file) of every image file, in order."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                path = Path(at, name)
                yield path.relative_to(folder).with_suffix("").as_posix(), path


def pair_rows(pair: Pair, config: DatasetConfig, part: str = "map") -> Iterator[Row]:
    """A row "image" for every image and one for every map, under the name that they share."""
    for of, folder, endings in (("image", pair.images, IMAGE_SUFFIXES), (part, pair.maps, MAP_ENDINGS)):
        for name, path in files_below(folder):
            yield Row(pair.name + without_ending(name, endings), of, shown_path(path, config), str(path))


def without_ending(name: str, endings: tuple[str, ...]) -> str:
    """
    >>> without_ending("day/0001TP_009900_L", MAP_ENDINGS), without_ending("seq_3", MAP_ENDINGS)
    ('day/0001TP_009900', 'seq_3')
    """
    found = next((ending for ending in endings if name.lower().endswith(ending)), "")
    return name[: len(name) - len(found)] if len(PurePosixPath(name).name) > len(found) else name


def shown_path(path: Path, config: DatasetConfig) -> str:
    """A path as it is named in a sentence: below PATH, where it lies there."""
    return path.relative_to(config.path).as_posix() if path.is_relative_to(config.path) else str(path)


def split_of_key(key: str, config: DatasetConfig) -> str:
    """The split that is given, else the one that a folder in the key or PATH itself is named by, else train."""
    named = [split_of(part) for part in PurePosixPath(key).parts[:-1]]
    if re.fullmatch(r"[a-z]+\d*", config.path.name.lower()):  # "test", "val2017", not "a test of mine"
        named.append(split_of(config.path.name))
    return config.split or next(filter(None, named), None) or "train"
