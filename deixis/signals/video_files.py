"""Videos in files: when each frame is shown, told without decoding, and only the frames asked for, decoded.

PyAV reads the containers (MP4, MOV, WebM, MKV, AVI, GIF and what else FFmpeg knows). Frames are upright: a rotation
that the file states is done. Audio tracks are not read.
"""

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from deixis.errors import InputError, UnsupportedError

AHEAD_S = 2.0
"""Frames farther ahead than this are sought, not decoded up to."""
WHOLE_SHARE = 0.95
"""A video with less than this share of the frames its header announces is cut short."""
STILL_S = 0.04
"""How long a frame lasts in a video of one frame that does not say."""
CODEC_ENDINGS = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".3gp")


@dataclass(frozen=True, eq=False)
class VideoTable:
    """What a video's container says: when each frame begins (seconds from the first), and what it looks like."""

    times_s: Float[np.ndarray, " frame"]
    stamps: tuple[int, ...]  # of the container, by which a frame is found again; empty where it has none
    duration_s: float
    rate_hz: float  # the average that the container states
    size_hw: tuple[int, int]  # of the upright frame
    codec: str


def read_table(path: Path, name: str) -> VideoTable:
    """The table of a video; its packets are listed, and one frame is decoded.

    Raises: InputError when the file is no video, has no frames, or is cut short.
    """
    with _opened(path, name) as container:
        stream = _frame_stream(container, name)
        listed = [(p.pts, p.duration or 0) for p in container.demux(stream) if p.size and not p.is_discard]
        expected = _expected_count(container, stream, listed)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        base, codec = float(stream.time_base or 0), stream.codec_context.name
    first = next(iter(_in_order(path, name, [0])), None)
    if first is None:
        raise InputError(f"'{name}': expected a video with frames, but none can be decoded; the file is damaged.")
    if not listed or len(listed) < WHOLE_SHARE * expected:
        raise InputError(
            f"'{name}': expected the whole video of about {expected:.0f} frames that its header announces, got "
            f"{len(listed)}; the file is cut short, copy it again."
        )
    stamps = sorted(stamp for stamp, _ in listed if stamp is not None)
    if len(set(stamps)) == len(listed) and base > 0:
        times = (np.array(stamps, dtype=np.float64) - stamps[0]) * base
        last_s = max(duration for stamp, duration in listed if stamp == stamps[-1]) * base
    else:  # a container without times of its own, such as old AVI files
        stamps, rate = [], rate or 1 / STILL_S
        times, last_s = np.arange(len(listed)) / rate, 1 / rate
    step_s = float(np.median(np.diff(times))) if len(times) > 1 else STILL_S
    duration_s = float(times[-1]) + (last_s or step_s)
    return VideoTable(times, tuple(stamps), duration_s, rate or len(times) / duration_s, first.shape[:2], codec)


def read_frames(path: Path, name: str, table: VideoTable, indices: Sequence[int]) -> UInt8[np.ndarray, "frame h w 3"]:
    """The frames of these numbers (in any order, repeats allowed), decoded from the key frames before them.

    Raises: InputError when one of them cannot be decoded, or the file is no longer the one of the table.
    """
    wanted = sorted(set(indices))
    found = _by_stamps(path, name, table, wanted) if table.stamps else {}
    missing = [index for index in wanted if index not in found]
    if missing:  # a container that cannot seek, or whose index is wrong: decoded from its beginning
        found |= dict(zip(missing, _in_order(path, name, missing), strict=False))
    lost = [index for index in wanted if index not in found]
    if lost:
        raise InputError(
            f"'{name}': expected {len(table.times_s)} frames, but number {lost[0]} (at {table.times_s[lost[0]]:.2f} "
            "s) cannot be decoded; the file is damaged or cut short."
        )
    if any(frame.shape[:2] != table.size_hw for frame in found.values()):
        raise InputError(
            f"'{name}': expected frames of one size, got several; the file has changed since it was opened."
        )
    return np.stack([found[index] for index in indices])


def _by_stamps(path: Path, name: str, table: VideoTable, wanted: Sequence[int]) -> dict[int, np.ndarray]:
    """Frames found by their time stamps, seeking where the next one is far ahead."""
    found: dict[int, np.ndarray] = {}
    with _opened(path, name) as container:
        stream = _frame_stream(container, name)
        ahead = AHEAD_S / float(stream.time_base)
        frames, position = None, -math.inf
        for index in wanted:
            stamp = table.stamps[index]
            if frames is None or stamp > position + ahead:
                container.seek(stamp, stream=stream)
                frames = _until_damage(container.decode(stream))
            for frame in frames:
                position = frame.pts if frame.pts is not None else math.inf
                if position >= stamp:
                    if position == stamp:
                        found[index] = _upright(frame, stream)
                    break
    return found


def _in_order(path: Path, name: str, wanted: Sequence[int]) -> Generator[np.ndarray]:
    """The frames of these rising numbers, counted from the beginning; fewer where the video ends or breaks."""
    with _opened(path, name) as container:
        stream = _frame_stream(container, name)
        numbers = iter(wanted)
        number = next(numbers)
        for index, frame in enumerate(_until_damage(container.decode(stream))):
            if index == number:
                yield _upright(frame, stream)
                number = next(numbers, -1)
                if number < 0:
                    return


def _until_damage(frames: Any) -> Generator[Any]:
    """The frames up to the first that cannot be decoded."""
    import av

    try:
        yield from frames
    except av.FFmpegError:
        return


def _upright(frame: Any, stream: Any) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels, turned as the file says (quarter turns, counted against the clock); all of the stream's size."""
    codec = stream.codec_context
    rgb = frame.to_ndarray(format="rgb24", width=codec.width or frame.width, height=codec.height or frame.height)
    return np.ascontiguousarray(np.rot90(rgb, round((frame.rotation or 0) / 90) % 4))


def _expected_count(container: Any, stream: Any, listed: Sequence[tuple]) -> float:
    """How many frames the header announces; 0 where it does not say."""
    import av

    if stream.frames:
        return stream.frames
    stamps = [stamp for stamp, _ in listed if stamp is not None]
    if not container.duration or len(stamps) < 2:
        return 0
    span = (max(stamps) - min(stamps)) * float(stream.time_base)
    announced_s = container.duration / av.time_base
    has_others = any(other.type in ("audio", "subtitle") for other in container.streams)  # they may go on alone
    return 0 if has_others or span <= 0 else (len(stamps) - 1) * (announced_s - 1) / span


def _frame_stream(container: Any, name: str) -> Any:
    if not container.streams.video:
        kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise InputError(
            f"'{name}': expected a video, but it has no frames, only {' and '.join(kinds)}; for audio, "
            "convert it to WAV or FLAC."
        )
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise InputError(
            f"'{name}': expected a video in a format that FFmpeg decodes, got one it does not know; convert it to MP4, "
            "or the file is damaged."
        )
    stream.thread_type = "AUTO"
    return stream


@contextmanager
def _opened(path: Path, name: str) -> Generator[Any]:
    """The container of a video, its log kept quiet."""
    try:
        import av
    except ImportError as error:
        raise UnsupportedError(
            f"'{name}': expected PyAV to be installed to open a video, got none; run `pip install 'deixis[video]'`."
        ) from error
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            yield container
    except av.FFmpegError as error:  # of the opening, or of what is read from the container while it is open
        reason = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
        raise InputError(
            f"'{name}': expected a whole video, but it cannot be read ({reason}); the file is probably cut short, "
            "damaged, or of another format."
        ) from error
