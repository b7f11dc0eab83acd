"""Media of samples: how they are opened, and how they are placed as files beside the samples that name them.

A medium is in memory (`values`), a whole file in memory (`content`, out of a tar), or a file (`path`). Whatever it is,
`open_media` gives its signal, and `place_medium` gives it a file whose name is a function of its id alone: many
processes may fill one folder at a time, and none sees half a file. It knows nothing of samples.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from deixis.errors import DataError
from deixis.files.whole import whole_file
from deixis.samples.same_files import names_a_file
from deixis.samples.sample import MediaReference
from deixis.signals import MODALITIES, Signal, open_signal
from deixis.signals.opening import PACKED_SUFFIXES

PLACEMENTS = ("link", "copy", "none")
_PLAIN_ID = re.compile(r"\w+(/\w+)*", re.ASCII)


def media_reference(signal: Signal) -> MediaReference:
    """The reference to a signal that is open: identified by its digest, held in memory."""
    return MediaReference(signal.digest, signal.modality, path=signal.path, values=signal)


@contextmanager
def open_media(medium: MediaReference) -> Generator[Signal]:
    """The signal of a medium, from wherever it is.

    Raises DataError for a medium that is nowhere or not what it says.
    """
    if isinstance(medium.values, Signal):
        yield medium.values
        return
    if medium.values is not None:
        modality = MODALITIES.get(medium.modality)  # open_signal refuses one that is unknown
        needs_rate = modality is not None and modality.has_rate and medium.rate_hz is not None
        yield open_signal((medium.values, medium.rate_hz) if needs_rate else medium.values, medium.modality)
        return
    option = MODALITIES[medium.modality].parameter
    options = {option: medium.rate_hz} if option == "rate_hz" and medium.rate_hz is not None else {}
    if medium.content is None and medium.path is None:
        raise DataError(f"expected values or a file for the medium {medium.id!r}, got neither")
    source = medium.path if medium.content is None else {"bytes": medium.content, "path": medium.path}
    yield open_signal(source, medium.modality, **options)


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
    with whole_file(target) as part:
        if source is None:
            write_medium(medium, part)
        else:
            shutil.copy2(source, part)
    return relative


def file_name(medium: MediaReference) -> str:
    """Where a medium is put, relative to its folder; other ids have other names.

    An id that is only a path within a set may be that of another file in another set: where the file lies is part of
    the name then.

    >>> file_name(MediaReference("coco/000000123456", "image", path="val2017/000000123456.jpg"))
    'images/coco-000000123456.jpg'
    >>> file_name(MediaReference("a b", "audio", path="a b.wav"))
    'sounds/a-b-2847e54c57.wav'
    """
    lies = os.path.abspath(medium.path) if medium.path is not None and names_a_file(medium.id) else ""
    return f"{MODALITIES[medium.modality].folder}/{plain_name(medium.id, lies=lies)}{file_ending(medium)}"


def file_ending(medium: MediaReference) -> str:
    """The ending of the file that a medium is, or is written as, in lower case with the dot."""
    if medium.values is not None:
        return MODALITIES[medium.modality].file_suffix
    name = Path(medium.path or "").name.lower()
    return next((ending for ending in PACKED_SUFFIXES if name.endswith(ending)), Path(name).suffix)


def plain_name(identity: str, longest: int = 120, lies: str = "") -> str:
    """An id as the name of a file, without dots: its slashes as dashes; where it has other signs or is too long, some
    digits of its hash, with `lies`, behind it, so that no two ids have one name.

    >>> plain_name("world/train/7/image"), plain_name("a/b:c")
    ('world-train-7-image', 'a-b-c-a90c09bc2d')
    """
    if len(identity) <= longest and _PLAIN_ID.fullmatch(identity):
        return identity.replace("/", "-")
    try:
        digest = blake2b((identity + lies).encode(), digest_size=5).hexdigest()
    except UnicodeEncodeError:
        raise DataError(
            f"id: expected text, got {identity + lies!a}, of a file whose name is no Unicode; rename it"
        ) from None
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
    elif (write := MODALITIES[medium.modality].write) is not None:
        write(medium.values, path, medium.rate_hz)
    else:
        known = ", ".join(name for name, own in MODALITIES.items() if own.write is not None)
        raise DataError(f"expected values of a modality among {known} to write, got {medium.modality!r}")


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
            with whole_file(target) as part:
                part.symlink_to(source)
