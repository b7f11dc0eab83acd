"""Opens real files and values in memory as signals, and makes the tensors a network wants of them.

One file a modality, and one line in `MODALITIES`: nothing else here lists the modalities. Knows no network and imports
no torch; libraries that decode files are imported when the first such file is opened.
"""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.files.budget import check_decoded, within_memory
from deixis.geometry.extent import NOUNS
from deixis.geometry.frames import Frame
from deixis.options import shown
from deixis.signals import opening
from deixis.signals.audio import AUDIO, AudioSpec
from deixis.signals.contents import Content, unwrapped
from deixis.signals.depth import DEPTH, DepthSpec
from deixis.signals.files import shown_path
from deixis.signals.fmri import FMRI, FmriSpec, parcel_labels
from deixis.signals.image import IMAGE, ImageSpec
from deixis.signals.imu import IMU, ImuSpec
from deixis.signals.modality import Modality, SignalOptions
from deixis.signals.normal import NORMAL, NormalSpec
from deixis.signals.point_cloud import POINT_CLOUD, PointCloudSpec, chosen_indices, shape_points
from deixis.signals.signal import Signal
from deixis.signals.video import VIDEO, VideoSpec

__all__ = [
    "MODALITIES",
    "AudioSpec",
    "DepthSpec",
    "FmriSpec",
    "ImageSpec",
    "ImuSpec",
    "Modality",
    "NormalSpec",
    "PointCloudSpec",
    "Signal",
    "SignalOptions",
    "VideoSpec",
    "chosen_indices",
    "name_in_folder",
    "open_all",
    "open_signal",
    "parcel_labels",
    "shape_points",
    "to_tensor",
]

MODALITIES: Mapping[str, Modality] = {
    modality.name: modality for modality in (IMAGE, AUDIO, POINT_CLOUD, VIDEO, DEPTH, NORMAL, IMU, FMRI)
}
"""Every modality by its name; the order stands for them wherever a modality is a number."""
NOUNS.update({name: modality.noun for name, modality in MODALITIES.items()})
MAX_FILES = 256
"""In one question or conversation: the contexts of language models hold fewer."""


def open_signal(source: Any, modality: str | None = None, **options: float) -> Signal:
    """The signal in a file (path) or in memory (PIL image, NumPy array, torch tensor, pair of them or with a rate).

    A whole file may be in memory too: bytes, a file open for reading, a data: URL, or {"bytes", "path"} and
    {"array", "sampling_rate"} of Hugging Face datasets (`deixis.signals.contents`).

    The modality follows from the file name's suffix and is checked against the content; a 16-bit grey PNG is a depth
    map, an animated GIF an image. `modality` overrides both, and so does a prefix of the path: "depth:map.npy". Arrays,
    in memory or in an NPY file, are recognised by type and shape:

        (h, w[, c]) or (c, h, w)        an image           ((t, h, w, c), rate_hz)        a video
        (n, 3) or (n, 6) of floats      a point cloud       (image, (h, w) of floats)    a depth map with its image
        ((n[, channel]), rate_hz)       audio             (image, (h, w, 3) of floats) normals with their image
        ((n, 6) or (6, n), below 1 kHz) an IMU recording      a NIfTI image of nibabel       an fMRI response

    By modality= only: a depth map or normals alone, and fMRI responses in an array.

    options: the number that a file or array may lack: `unit_m` of a depth map, `rate_hz` of a video or recording in an
    array or a table without times; "imu@50:walk.csv" says it in a name. Two files that belong together are joined by a
    plus sign: "photo.png+depth.png", "brain.nii.gz+mask.nii.gz". A Signal is returned as it is.

    Raises: InputError, one sentence, for anything missing, empty, cut short, mislabelled or out of bounds.
    """
    if modality is not None and (not isinstance(modality, str) or modality not in MODALITIES):
        raise InputError(f"modality: expected one of {', '.join(MODALITIES)}, got {shown(modality)}.")
    if isinstance(source, Signal):
        if modality not in (None, source.modality):
            expected, got = MODALITIES[modality].noun, MODALITIES[source.modality].noun
            raise InputError(f"modality: expected {expected}, got '{source.name}', {got}.")
        return source
    with within_memory(shown_path(source) if isinstance(source, str | PathLike) else "signal"):
        return _opened(unwrapped(source), modality, options)


def _opened(source: Any, modality: str | None, options: dict[str, float]) -> Signal:
    if isinstance(source, Content):
        return opening.open_content(source, modality, options, MODALITIES)
    if isinstance(source, str | PathLike):
        text = fspath(source)
        if isinstance(text, bytes):
            raise InputError(f"signal: expected the path of a file as text, got {shown(text)}.")
        named = opening.read_name(text, MODALITIES)
        if named.modality is not None and modality not in (None, named.modality):
            raise InputError(f"modality: expected {named.modality}, as '{source}' says, got '{modality}'.")
        if named.modality is not None and named.number is not None:
            options = {MODALITIES[named.modality].parameter or "": named.number} | options
        return opening.open_path(Path(named.path), modality or named.modality, options, MODALITIES)
    return opening.open_value(source, modality, None, None, options, MODALITIES)


def open_all(sources: Sequence[Any]) -> tuple[Signal, ...]:
    """The signals of one question, each as `open_signal` opens it.

    Raises: InputError for more than `MAX_FILES`, and as soon as they take more memory than one file may.
    """
    if len(sources) > MAX_FILES:
        raise InputError(f"files: expected at most {MAX_FILES} in one question, got {len(sources)}; ask about fewer.")
    opened, taken_bytes = [], 0
    for source in sources:
        opened.append(open_signal(source))
        taken_bytes += opened[-1].values.nbytes
        check_decoded(opened[-1].name, taken_bytes, f"file {len(opened)} of {len(sources)}")
    return tuple(opened)


def name_in_folder(name: str, folder: str | Path) -> str:
    """The name of a file as `open_signal` takes it, with the path in it taken from a folder.

    >>> name_in_folder("depth@0.001:map.png", "shots")
    'depth@0.001:shots/map.png'
    """
    if not isinstance(name, str) or not isinstance(folder, str | Path):
        raise InputError(
            f"name: expected the names of a file and of its folder, got {shown(name)} and {shown(folder)}."
        )
    return opening.placed_name(name, Path(folder), MODALITIES)


def to_tensor(signal: Signal, spec: Any = None) -> tuple[np.ndarray, Frame]:
    """The network's input for a signal, float32, and the frame that leads from it back to the file's units.

    image (3, size, size); audio (time, mel); point_cloud (count, 6); video (frames, 3, size, size); depth and normal
    (3, size, size) or, with their image, (2, 3, size, size); imu (6, samples); fmri (voxels,) or (parcels, 4).
    Deterministic. `spec` is the ImageSpec, AudioSpec, ... of the signal's modality, or None for its defaults.
    Raises: InputError when the spec is another modality's, or the signal does not fit it.
    """
    if not isinstance(signal, Signal):
        raise InputError(f"signal: expected one that open_signal gives, got {type(signal).__name__}.")
    reader = MODALITIES[signal.modality]
    spec = reader.spec() if spec is None else spec
    if not isinstance(spec, reader.spec):
        raise InputError(
            f"spec: expected {reader.spec.__name__} for '{signal.name}', {reader.noun}, got {type(spec).__name__}."
        )
    with within_memory(signal.name):
        return reader.to_tensor(signal, spec)
