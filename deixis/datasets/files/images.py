"""The image that a set names: which file it is, how large it is upright, and its id.

Sets name images by a file, a path or an address, and people keep them in many folders; here they are found. It knows
no annotation.
"""

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError
from deixis.samples.consistency import shown
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".ppm"})
SUBFOLDERS = (
    *("images", "JPEGImages", "train2017", "val2017", "test2017", "train2014", "val2014", "test2014"),
    *("train", "val", "test", "validation"),
)
"""Where below the folder of a set its images usually lie."""
MAX_SIDE_PX = 100_000
_SPLIT = re.compile(r"(?:^|[^a-z])(train|training|val|valid|validation|dev|test)(?:[^a-z]|$)", re.IGNORECASE)
_SPLITS = {"training": "train", "valid": "val", "validation": "val", "dev": "val"}


def image_reference(
    config: DatasetConfig,
    names: Sequence[str],
    source: str,
    size_hw: tuple[int, int] | None = None,
    split: str | None = None,
    known: str | None = None,
) -> MediaReference:
    """The medium of an image that a set knows by these names, the best first.

    Its file is the first that is there, else where the first name would lie; its size is what the set says, else that
    of the file's header. known: its id, where the set confirms one; else it is called by its path. Raises DataError
    where neither set nor file tells the size.
    """
    path = find_image(config, names, split)
    if size_hw is None:
        size_hw = header_size_hw(path)
    return MediaReference(known or own_media_id(path, config, source), "image", path=str(path), size_hw=size_hw)


def own_media_id(path: Path, config: DatasetConfig, source: str) -> str:
    """The id of a medium of one's own: the set and the path below its folder, or below that of the media.

    With its ending and all its folders: a.jpg and a.png, train/a.jpg and val/a.jpg are two media.

    >>> own_media_id(Path("nuts/train/0.jpg"), DatasetConfig(Path("nuts/annotations/train.json")), "nuts")
    'nuts/train/0.jpg'
    """
    lies, folder = Path(os.path.abspath(path)), set_folder(config.path)
    images = None if config.images is None else Path(os.path.abspath(config.images))
    if images is not None and not lies.is_relative_to(folder) and lies.is_relative_to(images):
        return f"{source}/{lies.relative_to(images.parent).as_posix()}"
    return f"{source}/{PurePosixPath(os.path.relpath(lies, folder).replace(os.sep, '/'))}"


def find_image(config: DatasetConfig, names: Sequence[str], split: str | None = None) -> Path:
    """The first file that is there: each name below the folder of the media, beside it, or in a usual subfolder.

    Subfolders of another split come last: some sets have an image of the same name in each. Leading folders of a name
    may be those above the folder of the media (train2017/1.jpg, where that is coco/train2017); a file of the same name
    in a folder of another name is another image.
    """
    folders = [folder for root in _roots(config) for folder in (root, *_subfolders(root, split))]
    relative = [PurePosixPath(relative_name(name)) for name in names]
    for parts in (name.parts for name in relative):
        for folder in folders:
            for above in range(len(parts)):
                path = folder.joinpath(*parts[above:])
                fits = above == 0 or os.path.basename(os.path.abspath(folder)) == parts[above - 1]
                if fits and path.is_file():
                    return path
    return config.folder / relative[0]


def relative_name(name: str) -> str:
    """A name as a path below the folder: of one that leads elsewhere (absolute, with "..") only the file's name.

    >>> relative_name(r"C:\\data\\a.jpg"), relative_name("../up/b.jpg"), relative_name("./day/c.jpg")
    ('a.jpg', 'b.jpg', 'day/c.jpg')
    """
    path = PurePosixPath(name.replace("\\", "/"))
    leads_away = path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0])
    return path.name if leads_away else str(path)


def checked_size_hw(path: Path, declared: tuple[int, int] | None, fields: str) -> tuple[int, int]:
    """The size that a set says its image has, which the file's header must bear out where the file is there.

    fields: what the set calls it, for the sentence. Raises DataError where they differ, and where neither tells.
    """
    if declared is not None and not path.is_file():
        return declared
    size_hw = header_size_hw(path)
    if declared not in (None, size_hw):
        raise DataError(
            f"{fields}: expected the size of {path.name}, {list(size_hw)}, got {list(declared)}: the image was resized "
            "or turned after it was labelled"
        )
    return size_hw


def declared_size_hw(record: Mapping[str, Any]) -> tuple[int, int] | None:
    """The `height` and `width` of a record; None unless it has both. Raises DataError for what is no size."""
    height, width = record.get("height"), record.get("width")
    if height is None or width is None:
        return None
    for name, side in (("height", height), ("width", width)):
        if not isinstance(side, int | float) or not 1 <= side <= MAX_SIDE_PX or side != int(side):
            raise DataError(f"{name}: expected whole pixels from 1 to {MAX_SIDE_PX}, got {shown(side)}")
    return int(height), int(width)


def split_of(name: str) -> str | None:
    """train, val or test, if the name of a file or folder says it.

    >>> split_of("instances_val2017.json"), split_of("training"), split_of("latest.json")
    ('val', 'train', None)
    """
    found = _SPLIT.search(name)
    return None if found is None else _SPLITS.get(found[1].lower(), found[1].lower())


def set_name(config: DatasetConfig, file: Path | None = None) -> str:
    """What a set without a name of its own is called in ids: the option `source`, else the folder that it lies in.

    >>> set_name(DatasetConfig(Path("nuts/annotations/train.json")))
    'nuts'
    """
    if "source" in config.options:
        return config.options["source"]
    return set_folder((file or config.path).resolve()).name


def set_folder(path: Path) -> Path:
    """The folder of the set of a file or folder: that itself, or the one above `annotations` or `labels`."""
    path = Path(os.path.abspath(path))
    folder = path if path.is_dir() or not path.suffix else path.parent
    return folder.parent if folder.name.lower() in ("annotations", "labels") else folder


def _roots(config: DatasetConfig) -> list[Path]:
    """The folders to look in: what is given, else that of the set and, for a file in `annotations`, the one above."""
    if config.images is not None:
        return [config.images]
    return [config.folder, config.folder.parent] if config.path.is_file() else [config.folder]


@lru_cache(maxsize=64)
def _subfolders(root: Path, split: str | None) -> tuple[Path, ...]:
    """The folders below one that usually hold images, if they are there. Kept, as every image asks."""
    found = [root / name for name in SUBFOLDERS] + [root / "images" / name for name in SUBFOLDERS]
    return tuple(sorted(filter(Path.is_dir, found), key=lambda folder: split_of(folder.name) not in (None, split)))
