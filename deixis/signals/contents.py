"""Sources as other programs hand them over: a whole file in memory, and audio as datasets of Hugging Face hold it.

    bytes, a file open for reading                       as a file, of whatever modality its content is
    "data:image/png;base64,..."                          the same
    {"bytes": ..., "path": "a.png"}                      the same, by its name where it has one
    {"array": samples, "sampling_rate": 16000}           audio
    an audio decoder with `get_all_samples()`            audio

It knows no format: the readers of the modalities do, and they read files, so that a content becomes one for as long as
it is needed.
"""

import base64
import mimetypes
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from deixis.errors import InputError
from deixis.signals.signal import as_number

MAX_NAME = 100
"""Letters of a file's name that are kept."""


@dataclass(frozen=True)
class Content:
    """A whole file in memory, its name for messages and its ending, and the ending to try where both tell nothing."""

    data: bytes
    name: str
    likely_suffix: str = ""


class ContentFile:
    """A content as a file, at `path`, for as long as this object is referred to."""

    def __init__(self, data: bytes, name: str):
        folder = tempfile.mkdtemp(prefix="deixis-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.path = Path(folder) / name
        self.path.write_bytes(data)


def unwrapped(source: Any) -> Any:
    """A source as `Content`, as (samples, rate_hz) or a path, if it is one of the forms above; else as it is.

    Raises: InputError for a mapping of other keys, a data: URL that is none, and a file that gives no bytes.
    """
    if isinstance(source, str) and source[:5].lower() == "data:":
        return _of_data_url(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return Content(bytes(source), "bytes in memory")
    if isinstance(source, Mapping):
        return _of_mapping(source)
    if hasattr(source, "get_all_samples"):  # audio that is decoded when it is asked for
        decoded = source.get_all_samples()
        rate_hz = as_number(getattr(decoded, "sample_rate", None), "signal: sample_rate of its decoder")
        return getattr(decoded, "data", None), rate_hz
    return _of_stream(source) if callable(getattr(source, "read", None)) else source


def _of_mapping(source: Mapping[str, Any]) -> Any:
    if source.get("array") is not None and source.get("sampling_rate") is not None:
        return source["array"], as_number(source["sampling_rate"], "signal: sampling_rate")
    if source.get("bytes") is not None:
        if not isinstance(source["bytes"], bytes | bytearray | memoryview):
            raise InputError(f"signal: expected 'bytes' as bytes, got {type(source['bytes']).__name__}")
        return Content(bytes(source["bytes"]), _file_name(source.get("path")) or "bytes in memory")
    if isinstance(source.get("path"), str | PathLike) and set(source) <= {"path", "bytes"}:
        return source["path"]
    keys = ", ".join(map(str, source)) or "none"
    raise InputError(
        f"signal: expected a mapping with 'array' and 'sampling_rate' of audio, or with 'bytes' or 'path' of a file, "
        f"got {keys}"
    )


def _of_data_url(url: str) -> Content:
    """The content of `data:[type][;base64],data` (RFC 2397)."""
    head, comma, data = url.partition(",")
    kind, *parameters = head[len("data:") :].split(";")
    try:
        if not comma:
            raise ValueError("no comma")
        content = unquote_to_bytes(data)
        if "base64" in (parameter.strip().lower() for parameter in parameters):
            content = base64.b64decode(b"".join(content.split()), validate=True)
    except ValueError as error:
        raise InputError(
            f"'{url[:40]}…': expected a data: URL as data:image/png;base64,…, got one that cannot be decoded ({error})"
        ) from error
    return Content(content, "data URL", mimetypes.guess_extension(kind.strip().lower()) or "")


def _of_stream(stream: Any) -> Content:
    """All that a file open for reading holds, from its beginning where it can go there."""
    name = _file_name(getattr(stream, "name", None)) or "open file"
    try:
        if stream.seekable():
            stream.seek(0)
        data = stream.read()
    except (AttributeError, OSError, ValueError) as error:  # closed, open for writing, or no file at all
        raise InputError(f"'{name}': expected a file open for reading, but it cannot be read ({error})") from error
    if not isinstance(data, bytes):
        raise InputError(f"'{name}': expected a file that gives bytes, got {type(data).__name__}; open it with 'rb'")
    return Content(data, name)


def _file_name(path: Any) -> str:
    """The name in a path, "" where there is none; of a file in an archive ("zip://a.png::b.zip"), its own."""
    name = Path(path.split("::")[0]).name if isinstance(path, str) else getattr(path, "name", "")
    return name.replace("\0", "")[-MAX_NAME:]
