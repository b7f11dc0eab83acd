"""The size or duration in the header of a media file, and whether a media reference says the same.

Of images (and maps that are PNGs) and audio clips the header is read, without decoding; of other modalities only that
the file is there.
"""

import io
import os
from pathlib import Path
from typing import Any, TypedDict

from deixis.errors import DataError, DeixisError
from deixis.samples.sample import MediaReference
from deixis.signals import MODALITIES
from deixis.signals.npy_files import ARRAY_SUFFIX

DURATION_SLACK_S = 0.05
"""An audio clip may be so much longer or shorter than its sample says; in packed forms the end is rounded."""


def header_size_hw(path: Path) -> tuple[int, int]:
    """Height and width of the upright image (EXIF orientation applied), from the file's header alone.

    Raises DataError for a file that is not there or no image.
    """
    from deixis.signals.image_files import header_size_hw as size_in

    if not path.is_file():
        raise DataError(f"{path}: expected the image, whose size the set does not tell, got no such file")
    return size_in(path, path.name)


class AudioHeader(TypedDict, total=False):
    """What the header of an audio file holds."""

    duration_s: float
    rate_hz: float


def audio_header(path: Path) -> AudioHeader:
    """duration_s and rate_hz of an audio file, where its header tells them."""
    import soundfile

    try:
        return _facts_of(str(path)) if path.is_file() else {}
    except soundfile.LibsndfileError:  # MP4 and others
        return {}


def check_header(field: str, medium: MediaReference) -> None:
    """Raises DataError that begins with the field, for a medium that is nowhere, no image or audio,
    or of another size than it says. What is held in memory as values is not looked at."""
    if medium.values is not None:
        return
    if medium.content is None and medium.path is None:
        raise DataError(f"{field}: expected the field 'path', which a sample in a file needs")
    if medium.content is None and not os.path.isfile(medium.path or ""):
        raise DataError(f"{field}.path: expected a file, got {medium.path!r}, which is not there")
    header = MODALITIES[medium.modality].header
    if header == "size" and not (medium.path or "").lower().endswith(ARRAY_SUFFIX):
        _check_image(field, medium)
    elif header == "duration":
        _check_audio(field, medium)


def _check_image(field: str, medium: MediaReference) -> None:
    from deixis.signals.image_files import header_size_hw as size_in

    try:
        size_hw = size_in(_file_of(medium), Path(medium.path or medium.id).name)
    except DeixisError as error:
        raise DataError(f"{field}.path: {error}") from None
    if medium.size_hw is not None and size_hw != tuple(medium.size_hw):
        raise DataError(
            f"{field}.size_hw: expected {list(size_hw)}, the size of {medium.path!r}, got {list(medium.size_hw)}"
        )


def _check_audio(field: str, medium: MediaReference) -> None:
    import soundfile

    try:
        facts = _facts_of(_file_of(medium))
    except (soundfile.SoundFileError, OSError):
        raise DataError(f"{field}.path: expected an audio clip, got {medium.path!r}, which is none") from None
    duration_s = facts.get("duration_s", medium.duration_s)  # a stream does not tell
    rate_hz = facts.get("rate_hz", medium.rate_hz)
    if duration_s and medium.duration_s and abs(duration_s - medium.duration_s) > DURATION_SLACK_S:
        raise DataError(
            f"{field}.duration_s: expected {duration_s:.3f}, as long as {medium.path!r} is, got {medium.duration_s:g}"
        )
    if rate_hz and medium.rate_hz and rate_hz != medium.rate_hz:
        raise DataError(f"{field}.rate_hz: expected {rate_hz:g}, the rate of {medium.path!r}, got {medium.rate_hz:g}")


def _facts_of(file: Any) -> AudioHeader:
    """duration_s and rate_hz, where the header of a path or an open file tells them; raises what soundfile does."""
    import soundfile

    info = soundfile.info(file)
    return {"duration_s": info.duration, "rate_hz": float(info.samplerate)} if info.frames > 0 else {}


def _file_of(medium: MediaReference) -> Any:
    """The path of a medium's file, or a file in memory where only its content is there."""
    return str(medium.path) if medium.content is None else io.BytesIO(medium.content)
