"""Whether the file of a medium is there and is as large as its sample says, told from its header alone.

Pictures (images, and maps that are PNGs) and sounds are looked into; of other kinds only that the file is there.
"""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from deixis.data.media import PICTURE_ENDINGS, picture_size_hw
from deixis.data.sample import Medium

DURATION_SLACK_S = 0.05
"""A sound may be so much longer or shorter than its sample says; in packed forms the end is rounded."""


def check_header(field: str, medium: Medium) -> None:
    """Raises ValueError, one sentence that begins with the field, for a medium that is nowhere or of another size."""
    if medium.content is None and medium.path is None:
        raise ValueError(f"{field}: expected the field 'path', which a sample in a file needs")
    if medium.content is None and not Path(medium.path).is_file():
        raise ValueError(f"{field}.path: expected a file, got {medium.path!r}, which is not there")
    ending = Path(medium.path or "").suffix.lower()
    if medium.kind == "image" or (medium.kind in ("depth", "normal") and ending in PICTURE_ENDINGS):
        _check_picture(field, medium)
    elif medium.kind == "audio":
        _check_sound(field, medium)


def _check_picture(field: str, medium: Medium) -> None:
    try:
        with _file_of(medium) as path:
            size_hw = picture_size_hw(path)
    except ValueError as error:
        raise ValueError(f"{field}.path: {error}") from None
    if medium.size_hw is not None and size_hw != tuple(medium.size_hw):
        raise ValueError(
            f"{field}.size_hw: expected {list(size_hw)}, the size of {medium.path!r}, got {list(medium.size_hw)}"
        )


def _check_sound(field: str, medium: Medium) -> None:
    import soundfile

    try:
        with _file_of(medium) as path:
            header = soundfile.info(path)
    except (soundfile.SoundFileError, OSError):
        raise ValueError(f"{field}.path: expected a sound, got {medium.path!r}, which is none") from None
    duration_s = header.frames / header.samplerate
    if medium.duration_s is not None and abs(duration_s - medium.duration_s) > DURATION_SLACK_S:
        raise ValueError(
            f"{field}.duration_s: expected {duration_s:.3f}, as long as {medium.path!r} is, got {medium.duration_s:g}"
        )
    if medium.rate_hz is not None and medium.rate_hz != header.samplerate:
        raise ValueError(
            f"{field}.rate_hz: expected {header.samplerate}, the rate of {medium.path!r}, got {medium.rate_hz:g}"
        )


@contextmanager
def _file_of(medium: Medium) -> Generator[Path]:
    """The file of a medium; one for the moment, if only its content is there."""
    if medium.content is None:
        yield Path(medium.path or "")
        return
    with tempfile.NamedTemporaryFile(suffix=Path(medium.path or "").suffix) as file:
        file.write(medium.content)
        file.flush()
        yield Path(file.name)
