"""Opens real files and values in memory as signals, and makes the tensors a network wants of them.

One file a kind of signal, and one line in `SIGNALS`: nothing else here lists the kinds. Knows no network and imports
no torch; libraries that decode files are imported when the first such file is opened.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deixis.geometry.frames import Frame
from deixis.signals.audio import AUDIO, AudioSpec
from deixis.signals.files import FOREIGN_MAGICS, load_npy, matches, read_head
from deixis.signals.image import IMAGE, ImageSpec
from deixis.signals.point_cloud import POINT_CLOUD, PointCloudSpec, chosen_indices
from deixis.signals.signal import Reader, Signal, as_array

__all__ = [
    "SIGNALS",
    "AudioSpec",
    "ImageSpec",
    "PointCloudSpec",
    "Reader",
    "Signal",
    "chosen_indices",
    "open_signal",
    "to_tensor",
]

SIGNALS: Mapping[str, Reader] = {
    "image": IMAGE,
    "audio": AUDIO,
    "point_cloud": POINT_CLOUD,
}

NAMED_SUFFIXES = 4
"""How many endings of each kind a sentence names."""
ARRAY_SUFFIX = ".npy"
"""A file of one array: its shape tells the kind, as for an array in memory."""


def open_signal(source: Any, kind: str | None = None) -> Signal:
    """The signal in a file (path) or in memory (PIL picture, NumPy array, torch tensor, (samples, rate_hz)).

    The kind is told from the ending of a file's name and checked against its content; of an array, from type and
    shape: (h, w[, c]) or (c, h, w) is a picture, (n, 3) or (n, 6) of floats a point cloud. `kind` overrules both.
    A Signal is returned as it is.

    Raises: ValueError, one sentence, for anything missing, empty, cut short, mislabelled or out of bounds.
    """
    if kind is not None and kind not in SIGNALS:
        raise ValueError(f"kind: expected one of {', '.join(SIGNALS)}, got '{kind}'.")
    if isinstance(source, Signal):
        if kind not in (None, source.kind):
            raise ValueError(f"kind: expected {SIGNALS[kind].noun}, got '{source.name}', {SIGNALS[source.kind].noun}.")
        return source
    if isinstance(source, str | Path):
        return _open_path(Path(source), kind)
    return _open_value(source, kind, None, None)


def to_tensor(signal: Signal, spec: Any = None) -> tuple[np.ndarray, Frame]:
    """The network's input for a signal, float32, and the frame that leads from it back to the file's units.

    image (3, size, size); audio (time, mel); point_cloud (count, 6). Deterministic. `spec` is the ImageSpec, AudioSpec
    or PointCloudSpec of the signal's kind, or None for its defaults.
    Raises: ValueError when the spec is another kind's, or the sound is longer than its window.
    """
    reader = SIGNALS[signal.kind]
    spec = reader.spec_type() if spec is None else spec
    if not isinstance(spec, reader.spec_type):
        raise ValueError(
            f"spec: expected {reader.spec_type.__name__} for '{signal.name}', {reader.noun}, got {type(spec).__name__}."
        )
    return reader.to_tensor(signal, spec)


def _open_path(path: Path, kind: str | None) -> Signal:
    suffix = path.suffix.lower()
    named = kind or next((reader.kind for reader in SIGNALS.values() if suffix in reader.suffixes), None)
    expected = SIGNALS[named].noun if named else "a picture, a sound or a point cloud"
    head = read_head(path, expected)
    if suffix == ARRAY_SUFFIX:
        return _open_value(load_npy(path, expected), kind, path.name, str(path))
    found, format_name = _content_kind(head)
    if found is None and format_name is not None and suffix != ".npz":
        raise ValueError(f"'{path.name}': expected {expected}, got {format_name}.")
    if named is None and found is None:
        endings = " ".join(suffix for reader in SIGNALS.values() for suffix in reader.suffixes[:NAMED_SUFFIXES])
        raise ValueError(
            f"'{path.name}': expected {expected} in a file ending in {endings} {ARRAY_SUFFIX} or the like, "
            f"got '{suffix or 'no ending'}'; convert it, or pass kind=."
        )
    if named is not None and found not in (None, named):
        source, advice = (
            ("kind=", "pass another kind=") if kind else ("its name", "the file has a wrong ending, rename it")
        )
        raise ValueError(f"'{path.name}': expected {expected} by {source}, but its content is {format_name}; {advice}.")
    return SIGNALS[named or found].open_file(path, path.name)


def _content_kind(head: bytes) -> tuple[str | None, str | None]:
    """(kind, name of the format) told from the first bytes; (None, name) for a format no reader opens."""
    for reader in SIGNALS.values():
        format_name = matches(head, reader.magics)
        if format_name is not None:
            return reader.kind, format_name
    return None, matches(head.lstrip(), FOREIGN_MAGICS)


def _open_value(value: Any, kind: str | None, name: str | None, path: str | None) -> Signal:
    if isinstance(value, list) and kind is None and not AUDIO.fits(value):
        value = as_array(value, name or "list in memory")
    kind = kind or next((reader.kind for reader in SIGNALS.values() if reader.fits(value)), None)
    if kind is None:
        shape = getattr(value, "shape", None)
        got = type(value).__name__ if shape is None else f"an array of shape {tuple(shape)}"
        raise ValueError(
            f"'{name or 'signal'}': expected a path, a PIL picture, an array or tensor, or (samples, rate_hz), "
            f"got {got}; pass kind= where the shape does not tell."
        )
    return SIGNALS[kind].open_value(value, name or f"{kind.replace('_', ' ')} in memory", path)
