"""The record that every opened file becomes.

Knows: what all signals have in common (values, extent, name, digest) and how an in-memory value becomes an array.
Does not know: any file format, nor what the values of a modality mean; that is in the file of the modality (`image.py`,
`audio.py`, ...).
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.geometry.extent import Extent
from deixis.options import shown


@dataclass(frozen=True, eq=False)
class Signal:
    """One image, audio, point cloud, ... in its own units, before any network has a say.

    Fields:
        modality: a key of `deixis.signals.MODALITIES`.
        values: image uint8 (height, width, 3), upright RGB; audio float32 (samples,), mono at 16 kHz in [-1, 1];
            point_cloud float32 (n, 6): x, y, z in the file's units, then r, g, b in [0, 1];
            video uint8 (t, height, width, 3), some images of it, their times in info["times_s"];
            depth float32 (height, width), metres, 0 where there is no reading;
            normal float32 (height, width, 3), unit vectors, 0 where there is none;
            imu float32 (n, 6), the file's own rows, their times in info["times_s"];
            fmri float32 (voxels,).
        extent: what regions on this signal are checked against.
        name: the file's name, or words such as "image in memory", for error sentences.
        digest: sha256 of modality, shape and values; the same content has the same digest from a file or an array.
        path: the file as it was given, None for values and contents from memory.
        info: what the file was before conversion, e.g. {"source_rate_hz": 44100, "channels": 2}; of a cloud's file
            "ignored", phrases for what is in it and was not read, such as "normals".
        image: the photo that a depth map or normals belong to, uint8 (height, width, 3); None for others.
    """

    modality: str
    values: np.ndarray
    extent: Extent
    name: str
    digest: str
    path: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    image: np.ndarray | None = None

    @property
    def file(self) -> Path | None:
        """The file to read further from: that of the path, or of the content in memory; None for values."""
        content_file = self.info.get("content_file")
        if content_file is not None:
            return content_file.path
        return Path(self.path) if self.path is not None else None


def content_digest(modality: str, values: np.ndarray) -> str:
    """sha256 (64 hex digits) of the modality, shape, dtype and bytes of an array."""
    digest = hashlib.sha256(f"{modality}{values.shape}{values.dtype.str}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def is_array(value: Any) -> bool:
    """Whether a value is a numpy array or a torch tensor (told by its methods: torch is not imported)."""
    return isinstance(value, np.ndarray) or (hasattr(value, "detach") and hasattr(value, "cpu"))


def is_number(value: Any) -> bool:
    """Whether a value is one number, such as a rate."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def as_number(value: Any, field: str) -> float:
    """A number as float. Raises: InputError for another type, and for a number that is too large."""
    if is_number(value):
        with suppress(OverflowError):
            return float(value)
    raise InputError(f"{field}: expected a number, got {shown(value)}.")


def has_rate(value: Any) -> bool:
    """Whether a value is (values, rate_hz): an array, tensor or list with its sampling rate."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    return is_number(value[1]) and (is_array(value[0]) or isinstance(value[0], list | tuple))


def check_rate(rate_hz: float, low_hz: float, high_hz: float, what: str, name: str) -> float:
    """The rate as float. Raises InputError outside of [low_hz, high_hz]; `what` says what comes so often a second."""
    if not low_hz <= as_number(rate_hz, f"'{name}': rate") <= high_hz:
        raise InputError(
            f"'{name}': expected a rate of {low_hz:g} to {high_hz:g} Hz, got {rate_hz:g}; it is {what} a second."
        )
    return float(rate_hz)


def is_narrow(array: Any) -> bool:
    """Whether an array or tensor holds pixel-like numbers: booleans or integers of 8 or 16 bits."""
    return any(word in str(array.dtype) for word in ("bool", "int8", "int16"))


def as_array(value: Any, name: str) -> np.ndarray:
    """A numeric numpy array of an array, tensor (any device, grad or bfloat16 included) or nested list of numbers.

    Raises: InputError when the value is no array of numbers.
    """
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        try:
            value = value.numpy()
        except TypeError:  # bfloat16 has no numpy dtype
            value = value.float().numpy()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: expected an array of numbers, got nested values of uneven length.") from error
    if array.dtype.kind not in "buif":
        raise InputError(
            f"{name}: expected an array of numbers, got {type(value).__name__} of dtype {array.dtype}; "
            "strings, objects and complex numbers are no signal."
        )
    return array
