"""A signal on its way between processes: JSON and raw arrays, checked on arrival as anything of a stranger is.

A message is the length of its header (4 bytes, little-endian), the header as JSON, and the bytes of its arrays, of
which the header has type, shape and checksum. Nothing is pickled.

Of `Signal.info` this passes: numbers, texts, arrays, lists, tuples, mappings, and the table of a video without what is
needed to decode more of it. Whatever else it holds is left out, and named in `info["left_out"]`.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from deixis.errors import DataError
from deixis.files.json_text import parse_json
from deixis.geometry.extent import Extent
from deixis.signals import MODALITIES, Signal
from deixis.signals.video_files import VideoTable

LENGTH_BYTES = 4
MAX_HEADER_BYTES = 2**20
DTYPES = {
    np.dtype(code).str: np.dtype(code) for code in ("?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8")
}
MAX_AXES = 8
DIGEST_LETTERS = 64


@runtime_checkable
class Writable(Protocol):
    """What takes all bytes that it is given."""

    def write(self, content: Any, /) -> Any: ...

    def flush(self) -> None: ...


@runtime_checkable
class Readable(Protocol):
    """What fills some of the room, none of it at its end."""

    def readinto(self, room: Any, /) -> int | None: ...


@dataclass(frozen=True)
class Message:
    """A header and the arrays it refers to by number."""

    header: dict[str, Any]
    arrays: tuple[np.ndarray, ...] = ()


def send(message: Message, stream: Writable) -> None:
    """Writes a message. Raises OSError where nobody reads it any more."""
    arrays = [np.ascontiguousarray(array) for array in message.arrays]
    described = [
        {"dtype": array.dtype.str, "shape": array.shape, "crc32": zlib.crc32(_bytes(array))} for array in arrays
    ]
    header = json.dumps({**message.header, "arrays": described}).encode()
    stream.write(len(header).to_bytes(LENGTH_BYTES, "little") + header)
    for array in arrays:
        stream.write(_bytes(array))
    stream.flush()


def receive(stream: Readable, max_bytes: int = 0) -> Message:
    """The next message, its arrays of at most `max_bytes` in all.

    Raises: EOFError where the stream ends, DataError for what is no such message.
    """
    length = int.from_bytes(_exactly(stream, LENGTH_BYTES), "little")
    if length > MAX_HEADER_BYTES:
        raise DataError(f"header: expected at most {MAX_HEADER_BYTES} bytes, got {length}")
    header = parse_json(_exactly(stream, length))
    if not isinstance(header, dict) or not isinstance(header.get("arrays"), list):
        raise DataError("header: expected an object with 'arrays', got something else")
    arrays, left = [], max_bytes
    for described in header.pop("arrays"):
        dtype, shape, checksum = _description(described)
        left -= int(np.prod(shape, dtype=object)) * dtype.itemsize
        if left < 0:
            raise DataError(f"arrays: expected at most {max_bytes} bytes, got more")
        array = np.empty(shape, dtype)
        _fill(stream, _bytes(array))
        if zlib.crc32(_bytes(array)) != checksum:
            raise DataError("arrays: expected the bytes of the checksum, got others")
        arrays.append(array)
    return Message(header, tuple(arrays))


def of_signal(signal: Signal) -> Message:
    """The message of a signal; where it came from is left out."""
    arrays: list[np.ndarray] = []
    left_out: list[str] = []
    info = {}
    for key, value in signal.info.items():
        try:
            info[key] = _plain(value, arrays)
        except TypeError:
            left_out.append(key)
    if left_out:
        info["left_out"] = left_out
    extent = signal.extent
    described = {
        "modality": signal.modality,
        "name": signal.name,
        "digest": signal.digest,
        "values": _plain(signal.values, arrays),
        "image": _plain(signal.image, arrays),
        "size_hw": extent.size_hw,
        "duration_s": extent.duration_s,
        "points_xyz": _plain(extent.points_xyz, arrays),
        "count": extent.count,
        "info": info,
    }
    return Message({"signal": described}, tuple(arrays))


def to_signal(message: Message) -> Signal:
    """The signal of a message. Raises DataError where it is not one that `open_signal` could have given."""
    try:
        own = message.header["signal"]
        values, image, points = (_value(own[key], message.arrays) for key in ("values", "image", "points_xyz"))
        extent = Extent(own["modality"], _pair(own["size_hw"]), own["duration_s"], points, own["count"])
        info = {str(key): _value(value, message.arrays) for key, value in own["info"].items()}
        signal = Signal(own["modality"], values, extent, str(own["name"]), own["digest"], None, info, image)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(f"signal: expected the fields of a signal, got others ({type(error).__name__})") from error
    _check(signal)
    return signal


def _check(signal: Signal) -> None:
    """Raises DataError unless type, shape and extent are those of the modality."""
    if signal.modality not in MODALITIES:
        raise DataError("modality: expected one of ours, got another")
    modality, values, size_hw = MODALITIES[signal.modality], signal.values, signal.extent.size_hw
    dtype, shape = modality.values_form
    if not isinstance(values, np.ndarray) or values.dtype != dtype or not _fits(values.shape, shape):
        raise DataError(f"values: expected {dtype} {shape} of {modality.noun}, got others")
    if signal.extent.dim and signal.extent.axes != modality.axes:
        raise DataError(f"extent: expected axes {modality.axes} of {modality.noun}, got {signal.extent.axes}")
    points, image = signal.extent.points_xyz, signal.image
    counts = {len(values), len(values) if points is None else len(points), signal.extent.count or len(values)}
    if len(counts) > 1 or (size_hw is not None and size_hw not in (values.shape[:2], values.shape[1:3])):
        raise DataError("extent: expected the size of the values, got another")
    if image is not None and (image.dtype != np.uint8 or image.shape != (*values.shape[:2], 3)):
        raise DataError("image: expected the size of its map, got another")
    digest = signal.digest
    if not isinstance(digest, str) or len(digest) != DIGEST_LETTERS or not set(digest) <= set("0123456789abcdef"):
        raise DataError("digest: expected 64 hexadecimal digits, got something else")


def _fits(shape: tuple[int, ...], form: tuple[int | None, ...]) -> bool:
    return len(shape) == len(form) and all(own == side or side is None for own, side in zip(shape, form, strict=True))


def _plain(value: Any, arrays: list[np.ndarray]) -> Any:
    """A value as JSON; arrays go into the list, and their number stays. Raises TypeError for what does not pass."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, np.generic):
        return _plain(value.item(), arrays)
    if isinstance(value, np.ndarray) and value.dtype.str in DTYPES:
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_plain(item, arrays) for item in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: _plain(item, arrays) for key, item in value.items()}}
    if isinstance(value, VideoTable):
        shown = value.times_s, value.duration_s, value.rate_hz, value.size_hw, value.codec
        return {"table": [_plain(item, arrays) for item in shown]}
    raise TypeError(type(value).__name__)


def _value(plain: Any, arrays: tuple[np.ndarray, ...]) -> Any:
    """What `_plain` was given."""
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == "array":
        return arrays[content]
    if kind == "mapping":
        return {key: _value(item, arrays) for key, item in content.items()}
    items = [_value(item, arrays) for item in content]
    if kind == "table":
        times_s, duration_s, rate_hz, size_hw, codec = items
        return VideoTable(times_s, (), float(duration_s), float(rate_hz), _pair(size_hw), str(codec))
    return tuple(items) if kind == "tuple" else items


def _pair(size_hw: Any) -> Any:
    """A size as a tuple again."""
    return None if size_hw is None else tuple(size_hw)


def _description(described: Any) -> tuple[np.dtype, tuple[int, ...], int]:
    """(type, shape, checksum) of an array to come. Raises DataError."""
    try:
        dtype, shape, checksum = DTYPES[described["dtype"]], described["shape"], described["crc32"]
        if len(shape) <= MAX_AXES and all(type(side) is int and side >= 0 for side in shape):
            return dtype, tuple(shape), checksum
    except (KeyError, TypeError):
        pass
    raise DataError("arrays: expected their types and shapes, got something else")


def _bytes(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _exactly(stream: Readable, count: int) -> bytes:
    content = bytearray(count)
    _fill(stream, memoryview(content))
    return bytes(content)


def _fill(stream: Readable, room: memoryview) -> None:
    """Fills the room from the stream. Raises EOFError where it ends before."""
    filled = 0
    while filled < len(room):
        count = stream.readinto(room[filled:])
        if not count:
            raise EOFError
        filled += count
