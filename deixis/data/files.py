"""Samples as files: one JSON object a line in `name.jsonl`, and their media beside it.

    folder/train.jsonl
    folder/images/world-train-7.png      lossless, so that what is trained on is what was made
    folder/sounds/world-train-7.wav      16 bit
    folder/clouds/world-train-7.ply      binary, with colours

Every file is written under a temporary name and then renamed, so that no reader sees half a file. It knows nothing of
where samples come from.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from deixis.data.sample import Medium, Sample
from deixis.data.validate import read_records, validate_record

DEFAULT_RATE_HZ = 16_000  # of sounds in memory, as `deixis.signals` has them
FULL_SCALE = 32_767
MAX_NAME_LENGTH = 120


def write_samples(samples: Iterable[Sample], folder: str | Path, name: str) -> Path:
    """The path of `folder/name.jsonl`, written with the media of its samples beside it; an older one is replaced.

    A medium in memory (`values`) is written once for each id; one that lies in a file is copied beside the samples.
    Samples may be a generator: one at a time is held. Raises ValueError, with the sample's id, for a sample that breaks
    the format or a medium that has neither values nor a file; then no `name.jsonl` is left, and an older one stays.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.jsonl"
    path_of_id: dict[str, str] = {}
    with _in_its_place(target) as part, part.open("w", encoding="utf-8") as lines:
        for sample in samples:
            try:
                for medium in sample.signals:
                    if medium.id not in path_of_id:
                        path_of_id[medium.id] = _write_medium(medium, folder, set(path_of_id.values()))
                signals = tuple(replace(m, path=path_of_id[m.id], values=None) for m in sample.signals)
                record = replace(sample, signals=signals).to_json()
                validate_record(record)
            except ValueError as error:
                raise ValueError(f"sample {sample.id!r}: {error}") from error
            lines.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
    return target


def read_samples(path: str | Path) -> Iterator[Sample]:
    """The samples of a JSONL file, in order; paths of media are joined to the file's folder, so they can be opened.

    Raises ValueError that begins with `file:line` at the first line that is not a sample of the format, and OSError
    where the file cannot be opened.
    """
    folder = Path(path).parent
    for line, record in read_records(path):
        try:
            if isinstance(record, ValueError):
                raise record
            validate_record(record)
        except ValueError as error:
            raise ValueError(f"{path}:{line}: {error}") from None
        sample = Sample.from_json(record)
        yield replace(sample, signals=tuple(_opened_from(medium, folder) for medium in sample.signals))


def _opened_from(medium: Medium, folder: Path) -> Medium:
    return medium if medium.path is None else replace(medium, path=str(folder / medium.path))


@contextmanager
def _in_its_place(target: Path) -> Generator[Path]:
    """A temporary path beside `target` that becomes `target` if all goes well, and goes if not."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _write_medium(medium: Medium, folder: Path, taken: set[str]) -> str:
    """The path, relative to `folder`, at which a medium now lies; its values are written or its file is copied."""
    subfolder, suffix, write = WRITERS.get(medium.kind, ("media", "", None))
    if medium.values is None:
        source = Path(medium.path) if medium.path else None
        if source is None or not source.is_file():
            raise ValueError(f"expected values or a file for the medium {medium.id!r}, got path {medium.path!r}")
        suffix, write = source.suffix, lambda _, part: shutil.copyfile(source, part)
    elif write is None:
        raise ValueError(f"expected values of a kind among {', '.join(WRITERS)} to write, got {medium.kind!r}")
    relative = f"{subfolder}/{_file_name(medium.id)}{suffix}"
    if relative in taken:  # two ids that differ only in signs a file name cannot have
        relative = (
            f"{subfolder}/{_file_name(medium.id)}-{blake2b(medium.id.encode(), digest_size=4).hexdigest()}{suffix}"
        )
    target = folder / relative
    target.parent.mkdir(exist_ok=True)
    if medium.values is not None or not target.exists() or not target.samefile(source):
        with _in_its_place(target) as part:
            write(medium, part)
    return relative


def _file_name(medium_id: str) -> str:
    """The id with every run of signs that some file system refuses as a dash.

    >>> _file_name("world/train/7:image")
    'world-train-7-image'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", medium_id).strip(".-")[:MAX_NAME_LENGTH] or "medium"


def _write_png(medium: Medium, path: Path) -> None:
    from PIL import Image

    values = np.asarray(medium.values)
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != 3:
        raise ValueError(f"expected a picture as uint8 (height, width, 3), got {values.dtype} {values.shape}")
    Image.fromarray(values).save(path, format="PNG")


def _write_wav(medium: Medium, path: Path) -> None:
    import soundfile

    values = np.asarray(medium.values)
    if values.dtype.kind != "f" or values.ndim != 1:
        raise ValueError(f"expected a sound as floats (samples,), got {values.dtype} {values.shape}")
    whole = np.round(np.clip(values, -1, 1) * FULL_SCALE).astype(np.int16)
    soundfile.write(path, whole, round(medium.rate_hz or DEFAULT_RATE_HZ), format="WAV", subtype="PCM_16")


def _write_ply(medium: Medium, path: Path) -> None:
    from trimesh import PointCloud

    values = np.asarray(medium.values)
    if values.dtype.kind != "f" or values.ndim != 2 or values.shape[1] != 6:
        raise ValueError(f"expected a cloud as floats (n, 6), x, y, z, r, g, b, got {values.dtype} {values.shape}")
    rgb = np.round(np.clip(values[:, 3:], 0, 1) * 255).astype(np.uint8)
    path.write_bytes(PointCloud(values[:, :3], colors=rgb).export(file_type="ply", encoding="binary"))


WRITERS: dict[str, tuple[str, str, Callable[[Medium, Path], Any]]] = {
    "image": ("images", ".png", _write_png),
    "audio": ("sounds", ".wav", _write_wav),
    "point_cloud": ("clouds", ".ply", _write_ply),
}
"""Kind of signal -> its folder, its ending, and what writes its values."""
