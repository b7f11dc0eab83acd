"""The media of OneLLM's files: for each of its eight modalities, the file that a row names, or what is made of it.

    image, video, audio     the file
    point                   an array (8192, 6); (6, 8192), as tuning takes it, is turned
    rgbd, rgbn              an image and its map of depth or normals: two media, the image first
    imu                     a window cut from a recording (`deixis.datasets.instruction.onellm_media`)
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

from deixis.datasets.image_ids import path_id
from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError
from deixis.samples.consistency import shown
from deixis.samples.headers import audio_header, header_size_hw
from deixis.samples.sample import MediaReference
from deixis.signals import MODALITIES, DepthSpec
from deixis.signals.npy_files import load_npy

MIN_ROWS = 10
MAX_GAP_S = 4.0
"""How far the nearest row may lie from where a window begins or ends."""
SUBFOLDERS = ("", "processed_imu", "v2/processed_imu")


def read_window(record: Mapping[str, Any], folders: list[Path]) -> MediaReference:
    """The trace from `window_start` to `window_end`, in seconds, of the recording `video_uid` in one of the folders.

    values: (rows, 6) float32 at `rate_hz`, that of the window's mean step. Raises DataError for a window that its
    recording does not hold, and OSError for recordings that are not there.
    """
    uid = record.get("video_uid")
    if not isinstance(uid, str) or not uid or "/" in uid:
        raise DataError(f"video_uid: expected the name of a recording, got {shown(uid)}")
    start_s, end_s = (_seconds(record, name) for name in ("window_start", "window_end"))
    if not 0 <= start_s < end_s:
        raise DataError(f"window_end: expected more than window_start, {start_s:g} s, got {end_s:g} s")
    path = _recording(uid, folders)
    rows, times_ms = _arrays(path)
    first, last = _cut(times_ms, start_s, end_s, path)
    values = np.array(rows[:, first:last].T, dtype=np.float32)
    rate_hz = 1000.0 / float(np.diff(times_ms[first:last]).mean())
    return MediaReference(
        f"onellm/imu/{uid}/{start_s:g}-{end_s:g}",
        "imu",
        duration_s=(last - first) / rate_hz,
        rate_hz=rate_hz,
        values=values,
    )


def _seconds(record: Mapping[str, Any], name: str) -> float:
    value = record.get(name)
    if not isinstance(value, int | float):
        raise DataError(f"{name}: expected seconds, got {shown(value)}")
    return float(value)


def _recording(uid: str, folders: list[Path]) -> Path:
    tried = [folder / sub / f"{uid}.npy" for folder in folders for sub in SUBFOLDERS]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        raise DataError(
            f"video_uid: expected the recording {uid}.npy in {folders[0]} or its processed_imu, got no such file; "
            "--images is the folder of the recordings"
        )
    return found


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(rows of the six axes, their times in ms), both on disk yet."""
    times_path = path.with_name(f"{path.stem}_timestamps.npy")
    rows, times_ms = (load_npy(file, "numbers", mmap_mode="r") for file in (path, times_path))
    if rows.ndim != 2 or rows.shape[0] != 6 or times_ms.shape != rows.shape[1:]:
        raise DataError(
            f"{path}: expected an array (6, rows) and (rows,) times beside it, got {rows.shape} and {times_ms.shape}"
        )
    return rows, times_ms


def _cut(times_ms: np.ndarray, start_s: float, end_s: float, path: Path) -> tuple[int, int]:
    """First row of a window, and the one behind its last, by the official rules."""
    last_s = float(times_ms[-1]) / 1000
    if end_s > last_s:
        raise DataError(f"window_end: expected at most {last_s:.2f} s, where {path.name} ends, got {end_s:g} s")
    first, last = (int(np.searchsorted(times_ms, second * 1000)) for second in (start_s, end_s))
    for name, second, row in (("window_start", start_s, first), ("window_end", end_s, last)):
        nearest_s = float(times_ms[row]) / 1000
        if abs(nearest_s - second) > MAX_GAP_S:
            raise DataError(
                f"{name}: expected a row of {path.name} within {MAX_GAP_S:g} s of {second:g} s, got the next at "
                f"{nearest_s:.2f} s"
            )
    if last - first < MIN_ROWS:
        raise DataError(
            f"window_start: expected at least {MIN_ROWS} rows of {path.name} from {start_s:g} to {end_s:g} s, "
            f"got {last - first}"
        )
    return first, last


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
    known = path_id(name) if modality == "image" else None
    return known or f"onellm/{modality}/{_plain(name)}"


def locate(config: DatasetConfig, name: str) -> Path:
    """Where a path of the file lies: as it is, else its longest ending that is there below the folder that is given,
    or that of the set and those above it; if none is there, where the whole of it would lie.

    A file's name alone is looked for in the first folder only: further up, another file may well have it.
    """
    if Path(name).is_absolute() and Path(name).exists():
        return Path(name)
    ending = whole = _plain(name)
    roots = _roots(config.folder, config.images is not None)
    while ending:
        for root in roots if "/" in ending else roots[:1]:
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
    array = load_npy(path, "points", mmap_mode="r")
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
    shape = load_npy(path, "a response", mmap_mode="r").shape
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
    from deixis.signals.image_files import decode, opened

    if path.suffix == ".npy":
        return None
    with opened(path, path.name) as image:
        if image.mode.startswith(("I", "F")):
            return None
        decode(image, path.name)
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
