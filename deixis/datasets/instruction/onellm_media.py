"""The media of OneLLM's files: for each of its eight modalities, the file that a row names, or what is made of it.

    image, video, audio     the file
    point                   an array (8192, 6); (6, 8192), as tuning takes it, is turned
    rgbd, rgbn              an image and its map of depth or normals: two media, the image first
    imu                     a window cut from a recording (`deixis.datasets.instruction.imu_windows`)
    fmri                    an array (repeats, voxels), whose mean over the repeats counts

Paths in these files start from a folder of the authors' machine or store; here they are looked for from the folder that
is given, or from the set's own and those above it.

Source: csuhan/OneLLM@8587a47 data/pretrain_dataset.py, data/finetune_dataset.py.
"""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from deixis.datasets.image_ids import image_id
from deixis.datasets.instruction.imu_windows import array_on_disk, read_window
from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError
from deixis.samples.consistency import shown
from deixis.samples.headers import audio_header, header_size_hw
from deixis.samples.sample import MediaReference
from deixis.signals import MODALITIES, DepthSpec

MODALITY_NAMES = ("image", "video", "audio", "point", "rgbd", "rgbn", "imu", "fmri", "text")
"""OneLLM's names for modalities of data; text has no medium."""
FOLDERS_ABOVE = 5
CLOUD_COLUMNS = (3, 6)
_STORE = re.compile(r"^[^/]*://")


def media_of(modality: str, record: Mapping[str, Any], config: DatasetConfig) -> tuple[MediaReference, ...]:
    """The media of a row. Raises DataError for a row without them, and for files that are no such object.

    A file that is not there is no mistake here: it has its path, and no numbers.
    """
    if modality == "text":
        return ()
    if modality == "imu":
        own = [locate(config, record["imu_path"])] if isinstance(record.get("imu_path"), str) else []
        return (read_window(record, [*own, *_roots(config.folder, config.images is not None)]),)
    name = _text_of(record, ("image", "url", "file_name"))
    if modality in ("rgbd", "rgbn"):
        return _image(name, config), _map_of(modality, name, record, config)
    return (_MEDIUM_OF[modality](name, config),)


def medium_id(modality: str, name: str) -> str:
    """The id of a medium by its name in the file: an image's is the same in every set.

    >>> medium_id("audio", "s3://wavcaps/BBC/1.flac"), medium_id("image", "coco/train2017/000000000009.jpg")
    ('onellm/audio/wavcaps/BBC/1.flac', 'coco/000000000009')
    """
    known = image_id(name) if modality == "image" else None
    return known or f"onellm/{modality}/{_plain(name)}"


def locate(config: DatasetConfig, name: str) -> Path:
    """Where a path of the file lies: as it is, else its longest ending that is there below the folder that is given,
    or that of the set and those above it; if none is there, where the whole of it would lie."""
    if Path(name).is_absolute() and Path(name).exists():
        return Path(name)
    ending = whole = _plain(name)
    roots = _roots(config.folder, config.images is not None)
    while ending:
        for root in roots:
            if os.path.exists(f"{root}/{ending}"):  # text, as every row asks many times
                return root / ending
        ending = ending.partition("/")[2]
    return roots[0] / whole


@lru_cache(maxsize=64)
def _roots(folder: Path, is_given: bool) -> tuple[Path, ...]:
    """The folder alone if it is given, else with those above it."""
    return (folder,) if is_given else (folder.resolve(), *folder.resolve().parents[:FOLDERS_ABOVE])


def _plain(name: str) -> str:
    """A path without the name of a store or a root, and without steps up.

    >>> _plain("cluster:s3://laion/29347/1.jpg "), _plain("../a/b.npy")
    ('laion/29347/1.jpg', 'a/b.npy')
    """
    path = PurePosixPath(_STORE.sub("", name.strip()).replace("\\", "/"))
    return "/".join(part for part in path.parts if part not in ("/", ".."))


def _text_of(record: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    name = next((record[field] for field in fields if field in record), None)
    if not isinstance(name, str) or not _plain(name):
        raise DataError(f"{fields[0]}: expected the path of a file, got {shown(name)}")
    return name


def _image(name: str, config: DatasetConfig) -> MediaReference:
    path = locate(config, name)
    size_hw = header_size_hw(path) if path.is_file() else None
    return MediaReference(medium_id("image", name), "image", path=str(path), size_hw=size_hw)


def _video(name: str, config: DatasetConfig) -> MediaReference:
    return MediaReference(medium_id("video", name), "video", path=str(locate(config, name)))


def _audio(name: str, config: DatasetConfig) -> MediaReference:
    path = locate(config, name)
    return MediaReference(medium_id("audio", name), "audio", path=str(path), **audio_header(path))


def _cloud(name: str, config: DatasetConfig) -> MediaReference:
    path = locate(config, name)
    if path.suffix in (".pt", ".pth"):
        path = path.with_suffix(".npy")
        if not path.is_file():
            raise DataError(
                f"{name}: expected an NPY file of points, got a pickle of torch, which is not read: put PointLLM's "
                f"{path.name} beside it"
            )
    if not path.is_file() or path.suffix != ".npy":
        return MediaReference(medium_id("point", name), "point_cloud", path=str(path))
    array = array_on_disk(path)
    if array.ndim == 2 and array.shape[1] in CLOUD_COLUMNS:
        return MediaReference(medium_id("point", name), "point_cloud", path=str(path), point_count=array.shape[0])
    if array.ndim == 2 and array.shape[0] == CLOUD_COLUMNS[-1]:
        turned = np.array(array.T, dtype=np.float32)
        return MediaReference(medium_id("point", name), "point_cloud", point_count=len(turned), values=turned)
    raise DataError(f"{path}: expected a point cloud of shape (points, 6) or (6, points), got {array.shape}")


def _fmri(name: str, config: DatasetConfig) -> MediaReference:
    path = locate(config, name)
    if not path.is_file() or path.suffix != ".npy":
        return MediaReference(medium_id("fmri", name), "fmri", path=str(path))
    shape = array_on_disk(path).shape
    if len(shape) not in (1, 2) or 0 in shape:
        raise DataError(f"{path}: expected a response of shape (repeats, voxels), got {shape}")
    return MediaReference(medium_id("fmri", name), "fmri", path=str(path), point_count=shape[-1])


def _map_of(modality: str, name: str, record: Mapping[str, Any], config: DatasetConfig) -> MediaReference:
    """The map of an image: named in the row, else where the image's folder cc3m is called cc3m_depth or _normal."""
    noun = {"rgbd": "depth", "rgbn": "normal"}[modality]
    if f"{noun}_image" in record:
        map_name = _text_of(record, (f"{noun}_image",))
    elif (map_name := f"/{name}".replace("/cc3m/", f"/cc3m_{noun}/")[1:]) == name:
        raise DataError(f"{noun}_image: expected the path of the map, or an image in a folder cc3m, got {name!r}")
    path = locate(config, map_name)
    if not path.is_file():
        return MediaReference(medium_id(noun, map_name), noun, path=str(path))
    size_hw = None if path.suffix == ".npy" else header_size_hw(path)
    if noun == "depth" and (metres := _metres_of_drawing(path)) is not None:
        return MediaReference(medium_id(noun, map_name), noun, size_hw=size_hw, values=metres)
    return MediaReference(medium_id(noun, map_name), noun, path=str(path), size_hw=size_hw)


def _metres_of_drawing(path: Path) -> np.ndarray | None:
    """Metres (height, width) of a map drawn in 8 bits of grey; None for a file that says its depths itself.

    Such drawings have no unit; white is taken for the farthest that `DepthSpec` knows, so that a model that looks at
    grey maps, as OneLLM does, gets their pixels back. Raises DataError for a drawing in colours.
    """
    from deixis.signals.image import opened

    if path.suffix == ".npy":
        return None
    with opened(path, path.name) as image:
        if image.mode.startswith(("I", "F")):
            return None
        rgb = np.asarray(image.convert("RGB"))
    if not (rgb == rgb[:, :, :1]).all():
        raise DataError(f"{path}: expected a depth map in grey, got a drawing in colours, which tells no depth")
    return rgb[:, :, 0] * np.float32(DepthSpec().far_m / 255)


_MEDIUM_OF = {"image": _image, "video": _video, "audio": _audio, "point": _cloud, "fmri": _fmri}


def modality_by_suffix(name: str) -> str | None:
    """image, video or audio, if the ending of a file's name tells; arrays may be anything."""
    return next(
        (modality for modality in ("image", "video", "audio") if name.lower().endswith(MODALITIES[modality].suffixes)),
        None,
    )
