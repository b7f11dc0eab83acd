"""Media of samples: how they are opened, and how they are placed as files beside the samples that name them.

A medium is in memory (`values`), a whole file in memory (`content`, out of a tar), or a file (`path`). Whatever it is,
`open_media` gives its signal, and `place_medium` gives it a file whose name is a function of its id alone: many
processes may fill one folder at a time, and none sees half a file. It knows nothing of samples.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from deixis.errors import DataError
from deixis.samples.sample import MediaReference
from deixis.signals import MODALITIES, Signal, open_signal
from deixis.signals.depth import PNG_UNIT_M
from deixis.signals.normal import normal_colours
from deixis.signals.opening import PACKED_SUFFIXES

DEFAULT_RATE_HZ = 16_000  # of audio clips in memory, as `deixis.signals` has them
FULL_SCALE = 32_767
MAX_16_BIT = 65_535
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
PLACEMENTS = ("link", "copy", "none")
PARTIAL_FILES = ".*.part"
"""What files are called while they are written."""
_PLAIN_ID = re.compile(r"\w+(/\w+)*", re.ASCII)


def media_reference(signal: Signal) -> MediaReference:
    """The reference to a signal that is open: identified by its digest, held in memory."""
    return MediaReference(signal.digest, signal.modality, path=signal.path, values=signal)


@contextmanager
def open_media(medium: MediaReference) -> Generator[Signal]:
    """The signal of a medium, from wherever it is; a video is decoded on demand, so it is used within the block.

    Raises DataError for a medium that is nowhere or not what it says.
    """
    if isinstance(medium.values, Signal):
        yield medium.values
        return
    if medium.values is not None:
        needs_rate = medium.modality in ("audio", "video", "imu") and medium.rate_hz is not None
        yield open_signal((medium.values, medium.rate_hz) if needs_rate else medium.values, medium.modality)
        return
    option = MODALITIES[medium.modality].parameter
    options = {option: medium.rate_hz} if option == "rate_hz" and medium.rate_hz is not None else {}
    with _as_file(medium) as path:
        yield open_signal(path, medium.modality, **options)


def placed_path(medium: MediaReference, folder: Path, way: str = "copy") -> str:
    """Where `place_medium` puts a medium, relative to `folder`, with forward slashes; nothing is looked at.

    With "none", the path of the file where it lies under `folder`; else the one that it would have been given.
    """
    if way == "none" and medium.path is not None and Path(medium.path).is_relative_to(folder):
        return Path(medium.path).relative_to(folder).as_posix()
    return file_name(medium)


def place_medium(medium: MediaReference, folder: Path, way: str = "copy") -> str:
    """`placed_path`, at which the medium now lies; "link" makes symbolic links of media that are files, "none" nothing.

    What is there already stays if it is the same. Raises DataError for a medium that is nowhere or cannot be written.
    """
    relative = placed_path(medium, folder, way)
    if way == "none":
        return relative
    target = folder / relative
    source = None if medium.values is not None or medium.content is not None else _existing(medium)
    if source is not None and _stays(source, target, way):
        return relative
    target.parent.mkdir(parents=True, exist_ok=True)
    if source is not None and way == "link":
        _link(source.absolute(), target)
        return relative
    with atomic_path(target) as part:
        if source is None:
            write_medium(medium, part)
        else:
            shutil.copy2(source, part)
    return relative


def file_name(medium: MediaReference) -> str:
    """Where a medium is put, relative to its folder; other ids have other names.

    >>> file_name(MediaReference("coco/000000123456", "image", path="val2017/000000123456.jpg"))
    'images/coco-000000123456.jpg'
    >>> file_name(MediaReference("a b", "audio", path="a b.wav"))
    'sounds/a-b-2847e54c57.wav'
    """
    folder, _ = FOLDERS.get(medium.modality, ("media", ""))
    return f"{folder}/{plain_name(medium.id)}{file_ending(medium)}"


def file_ending(medium: MediaReference) -> str:
    """The ending of the file that a medium is, or is written as, in lower case with the dot."""
    if medium.values is not None:
        return FOLDERS.get(medium.modality, ("media", ""))[1]
    name = Path(medium.path or "").name.lower()
    return next((ending for ending in PACKED_SUFFIXES if name.endswith(ending)), Path(name).suffix)


def plain_name(identity: str, longest: int = 120) -> str:
    """An id as the name of a file, without dots: its slashes as dashes; where it has other signs or is too long, some
    digits of its hash behind it, so that no two ids have one name.

    >>> plain_name("world/train/7/image"), plain_name("a/b:c")
    ('world-train-7-image', 'a-b-c-a90c09bc2d')
    """
    if len(identity) <= longest and _PLAIN_ID.fullmatch(identity):
        return identity.replace("/", "-")
    digest = blake2b(identity.encode(), digest_size=5).hexdigest()
    kept = re.sub(r"[^A-Za-z0-9_]+", "-", identity)[: longest - len(digest) - 1].strip("-")
    return f"{kept or 'medium'}-{digest}"


def read_content(medium: MediaReference) -> bytes:
    """The bytes of the file that a medium is, or would be written as."""
    if medium.values is None:
        return medium.content if medium.content is not None else _existing(medium).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "medium"
        write_medium(medium, path)
        return path.read_bytes()


def write_medium(medium: MediaReference, path: Path) -> None:
    """Writes what a medium holds in memory as a file. Raises DataError for values that such a file cannot hold."""
    if medium.values is None and medium.content is not None:
        path.write_bytes(medium.content)
    elif medium.modality in WRITERS:
        WRITERS[medium.modality](medium, path)
    else:
        raise DataError(f"expected values of a kind among {', '.join(WRITERS)} to write, got {medium.modality!r}")


@contextmanager
def atomic_path(target: Path) -> Generator[Path]:
    """A temporary path beside `target` that becomes `target` if all goes well, and goes if not."""
    part = target.with_name(f".{target.name}.{uuid4().hex[:12]}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _existing(medium: MediaReference) -> Path:
    source = Path(medium.path) if medium.path else None
    if source is None or not source.is_file():
        raise DataError(f"expected values or a file for the medium {medium.id!r}, got path {medium.path!r}")
    return source


def _stays(source: Path, target: Path, way: str) -> bool:
    """Whether what lies at `target` is the file already: itself, or a copy of its size and time."""
    try:
        there, own = target.stat(), source.stat()
    except FileNotFoundError:
        return False
    if os.path.samestat(there, own):
        return way == "link" or not target.is_symlink()
    same = (there.st_size, there.st_mtime_ns) == (own.st_size, own.st_mtime_ns)
    return way == "copy" and same and not target.is_symlink()


def _link(source: Path, target: Path) -> None:
    """A link at `target`; a whole one that says the same stays, so that processes may do the same at once."""
    try:
        target.symlink_to(source)
    except FileExistsError:
        if not target.is_symlink() or os.readlink(target) != str(source):
            with atomic_path(target) as part:
                part.symlink_to(source)


@contextmanager
def _as_file(medium: MediaReference) -> Generator[str]:
    if medium.content is None:
        if medium.path is None:
            raise DataError(f"expected values or a file for the medium {medium.id!r}, got neither")
        yield medium.path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(medium.path or "medium").name  # readers go by the ending
        path.write_bytes(medium.content)
        yield str(path)


def _write_png(medium: MediaReference, path: Path) -> None:
    from PIL import Image

    values = np.asarray(medium.values)
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != 3:
        raise DataError(f"expected an image as uint8 (height, width, 3), got {values.dtype} {values.shape}")
    Image.fromarray(values).save(path, format="PNG")


def _write_wav(medium: MediaReference, path: Path) -> None:
    import soundfile

    values = np.asarray(medium.values)
    if values.dtype.kind != "f" or values.ndim != 1:
        raise DataError(f"expected an audio clip as floats (samples,), got {values.dtype} {values.shape}")
    whole = np.round(np.clip(values, -1, 1) * FULL_SCALE).astype(np.int16)
    soundfile.write(path, whole, round(medium.rate_hz or DEFAULT_RATE_HZ), format="WAV", subtype="PCM_16")


def _write_ply(medium: MediaReference, path: Path) -> None:
    from trimesh import PointCloud

    values = np.asarray(medium.values)
    if values.dtype.kind != "f" or values.ndim != 2 or values.shape[1] != 6:
        raise DataError(f"expected a cloud as floats (n, 6), x, y, z, r, g, b, got {values.dtype} {values.shape}")
    rgb = np.round(np.clip(values[:, 3:], 0, 1) * 255).astype(np.uint8)
    path.write_bytes(PointCloud(values[:, :3], colors=rgb).export(file_type="ply", encoding="binary"))


def _write_depth(medium: MediaReference, path: Path) -> None:
    """Metres as 16 bits, a millimetre a step, as depth cameras write them; 0 where there is no reading."""
    from PIL import Image

    values = np.asarray(medium.values)
    if values.dtype.kind != "f" or values.ndim != 2:
        raise DataError(f"expected depth as floats (height, width), in metres, got {values.dtype} {values.shape}")
    steps = np.rint(np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=np.inf) / PNG_UNIT_M)
    if steps.min() < 0 or steps.max() > MAX_16_BIT:
        reach = MAX_16_BIT * PNG_UNIT_M
        raise DataError(f"expected depth from 0 to {reach:g} m, got {values.min():g} to {values.max():g}")
    Image.fromarray(steps.astype(np.uint16)).save(path, format="PNG")


def _write_normal(medium: MediaReference, path: Path) -> None:
    """Unit vectors as colours, -1..1 as 0..255; none is mid-grey."""
    from PIL import Image

    values = np.asarray(medium.values)
    if values.dtype.kind != "f" or values.ndim != 3 or values.shape[2] != 3:
        raise DataError(f"expected normals as floats (height, width, 3), got {values.dtype} {values.shape}")
    Image.fromarray(normal_colours(values.astype(np.float32))).save(path, format="PNG")


def _write_trace(medium: MediaReference, path: Path) -> None:
    values = np.asarray(medium.values)
    if values.dtype.kind != "f" or values.ndim != 2 or values.shape[1] != 6:
        raise DataError(f"expected an IMU recording as floats (rows, 6), got {values.dtype} {values.shape}")
    with path.open("wb") as file:  # a name would get another ending
        np.save(file, values.astype(np.float32), allow_pickle=False)


WRITERS: dict[str, Callable[[MediaReference, Path], Any]] = {
    "image": _write_png,
    "audio": _write_wav,
    "point_cloud": _write_ply,
    "depth": _write_depth,
    "normal": _write_normal,
    "imu": _write_trace,
}
"""Kind of signal -> what writes its values."""
FOLDERS = {
    "image": ("images", ".png"),
    "audio": ("sounds", ".wav"),
    "point_cloud": ("clouds", ".ply"),
    "video": ("films", ""),
    "depth": ("depth", ".png"),
    "normal": ("normals", ".png"),
    "imu": ("traces", ".npy"),
    "fmri": ("brains", ""),
}
"""Kind of signal -> the folder of its files, and the ending of those that are written from values."""
