"""Videos in files: when each frame is shown, told without decoding, and only the frames asked for, decoded.

PyAV reads the containers that `CONTAINERS` names, from an open file: neither a name nor a content can make it open
another file or an address. Frames are upright: a rotation or mirroring that the file states is done. What comes before
the first key frame, or is cut away by an edit list, is not shown. Audio tracks are not read.
"""

import bisect
import itertools
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from deixis.errors import DeixisError, InputError, UnsupportedError, is_out_of_memory, one_line
from deixis.files.budget import check_decoded, max_decoded_bytes
from deixis.files.regular import open_regular
from deixis.signals.announced_sizes import missing_share
from deixis.signals.files import MAX_SHOWN
from deixis.signals.image_files import check_size

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,mpegvideo,asf,flv,ogg"
"""FFmpeg's names of the containers that are opened: none of them refers to other files, as lists for playing do."""
DECODER_BYTES_PER_PX = 16
"""What FFmpeg holds while it decodes: the frames that others refer to, those of its threads, and one as RGB."""
WRITTEN_QUALITY = 10
"""Of H.264, from 0 (without loss) to 51."""
MAX_RATE_DENOMINATOR = 1001
AHEAD_S = 2.0
"""Frames farther ahead than this are sought, not decoded up to."""
WHOLE_SHARE = 0.95
"""A video with less than this share of the frames its header announces is cut short."""
MAX_SLACK_S, SLACK_SHARE = 1.0, 0.1
"""By how much the announced duration may be too long: it is rounded, and counts how long the last frame is shown."""
MAX_FRAMES = 2_000_000
STILL_S = 0.04
"""How long a frame lasts in a video of one frame that does not say."""
VP8_SHOWN = 0x10
"""Bit of the first byte of a VP8 frame (RFC 6386, section 9.1); without it the frame is only referred to."""
CODEC_ENDINGS = (
    ".mp4",
    ".mov",
    ".m4v",
    ".webm",
    ".mkv",
    ".avi",
    ".mpg",
    ".mpeg",
    ".ts",
    ".mts",
    ".m2ts",
    ".3gp",
    ".wmv",
    ".flv",
    ".ogv",
)


@dataclass(frozen=True, eq=False)
class VideoTable:
    """What a video shows: when each frame begins (seconds from the first), and what it looks like.

    stamps: of the container, by which a frame is found again; empty where it has none.
    keys: (stamp, decoding stamp) of the frames that are decoded without others, in order.
    rate_hz: the average that the container states.
    size_hw: of the upright frame.
    """

    times_s: Float[np.ndarray, " frame"]
    stamps: tuple[int, ...]
    duration_s: float
    rate_hz: float
    size_hw: tuple[int, int]
    codec: str
    keys: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Packet:
    """What a container says of one packet without decoding it."""

    stamp: Any  # a whole number, or None, as the next
    decoding_stamp: Any
    duration: int
    is_key: bool
    is_shown: bool


def read_table(path: Path, name: str) -> VideoTable:
    """The table of a video; its packets are listed, and one frame is decoded (more where packets are no frames).

    Raises: InputError when the file is no video, has no frames, or is cut short.
    """
    with _opened(path, name) as container:
        stream = _frame_stream(container, name)
        packets = _packets(container, stream)
        expected = _expected_count(container, stream, packets)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        base, codec = float(stream.time_base or 0), stream.codec_context.name
    if not packets or len(packets) < WHOLE_SHARE * expected:
        raise InputError(
            f"'{name}': expected the whole video of about {expected:.0f} frames that its header announces, got "
            f"{len(packets)}; the file is cut short, copy it again."
        )
    lacking = missing_share(path)
    if lacking > 1 - WHOLE_SHARE:
        raise InputError(
            f"'{name}': expected the whole video its header announces, got {1 - lacking:.0%} of it; the file is cut "
            "short, copy it again."
        )
    if len(packets) > MAX_FRAMES:
        raise InputError(f"'{name}': expected a video of at most {MAX_FRAMES} frames, got more; cut the file.")
    stamps, size_hw = _shown(path, name, packets)
    if _is_rising(stamps) and base > 0:
        times = (np.array(stamps, dtype=np.float64) - stamps[0]) * base
        last_s = max((packet.duration for packet in packets if packet.stamp == stamps[-1]), default=0) * base
        keys = [(p.stamp, p.stamp if p.decoding_stamp is None else p.decoding_stamp) for p in packets if p.is_key]
    else:  # a container without times of its own, such as old AVI files
        rate = rate or 1 / STILL_S
        times, last_s = np.arange(len(stamps)) / rate, 1 / rate
        stamps, keys = [], []
    step_s = float(np.median(np.diff(times))) if len(times) > 1 else STILL_S
    duration_s = float(times[-1]) + (last_s or step_s)
    rate = rate or len(times) / duration_s
    return VideoTable(times, tuple(stamps), duration_s, rate, size_hw, codec, tuple(sorted(keys)))


def _packets(container: Any, stream: Any) -> list[_Packet]:
    """What the container says of the packets of a stream, of one more than are opened at most."""
    codec = stream.codec_context.name
    listed = (_packet(packet, codec) for packet in container.demux(stream) if packet.size)
    return list(itertools.islice(listed, MAX_FRAMES + 1))


def _packet(packet: Any, codec: str) -> _Packet:
    is_hidden = codec == "vp8" and not bytes(packet)[0] & VP8_SHOWN
    is_shown = not (packet.is_discard or is_hidden)
    return _Packet(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, is_shown)


def _shown(path: Path, name: str, packets: Sequence[_Packet]) -> tuple[list[Any], tuple[int, int]]:
    """(stamps of the frames that are shown, in order; height and width of the upright frame).

    They are those of the packets, where each has its own and the first frame that is decoded has the first of them.
    Else the file begins between key frames, or packets are not frames: then the decoder tells, up to the second key
    frame, or to the end where packets have no stamps, or stamps in the order of decoding, as AVI gives B-frames.
    """
    listed = [packet.stamp for packet in packets if packet.is_shown]
    has_stamps = bool(listed) and None not in listed and len(set(listed)) == len(listed)
    keys = [packet.stamp for packet in packets if packet.is_key and packet.stamp is not None]
    until = keys[1] if has_stamps and len(keys) > 1 else math.inf
    decoded: list[Any] = []
    with _opened(path, name) as container:
        stream = _frame_stream(container, name)
        is_plain = has_stamps and (listed != sorted(listed) or not stream.codec_context.has_b_frames)
        for frame in _decoded(container, stream):
            if not decoded:
                size_hw = _upright(frame, stream).shape[:2]
                if is_plain and frame.pts == min(listed):
                    return sorted(listed), size_hw
            if frame.pts is not None and frame.pts >= until:
                if _is_rising(decoded):
                    break
                until = math.inf
            decoded.append(frame.pts)
    if not decoded:
        raise InputError(f"'{name}': expected a video with frames, but none can be decoded; the file is damaged.")
    return decoded + sorted(stamp for stamp in listed if until <= (stamp or 0)), size_hw


def _is_rising(stamps: Sequence[Any]) -> bool:
    return None not in stamps and list(stamps) == sorted(set(stamps))


def read_frames(path: Path, name: str, table: VideoTable, indices: Sequence[int]) -> UInt8[np.ndarray, "frame h w 3"]:
    """The frames of these numbers (in any order, repeats allowed), decoded from the key frames before them.

    Raises: InputError when one of them cannot be decoded, or the file is no longer the one of the table.
    """
    check_frames(len(indices), table.size_hw, name)
    wanted = sorted(set(indices))
    found = _sought(path, name, table, wanted) if table.keys else {}
    missing = [index for index in wanted if index not in found]
    if missing:  # a container that cannot seek, or whose index is wrong: decoded from its beginning
        found |= _from_beginning(path, name, table, missing)
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


def _sought(path: Path, name: str, table: VideoTable, wanted: Sequence[int]) -> dict[int, np.ndarray]:
    """Frames found by their time stamps, seeking the key frame before the next one where that is far ahead."""
    found: dict[int, np.ndarray] = {}
    with _opened(path, name) as container:
        stream = _frame_stream(container, name)
        ahead = AHEAD_S / float(stream.time_base)
        frames, position = None, -math.inf
        for index in wanted:
            stamp = table.stamps[index]
            if frames is None or stamp > position + ahead:
                before = bisect.bisect_right(table.keys, (stamp, math.inf)) - 1
                # by the stamp of decoding: MPEG-TS is searched for that, and would land behind the key frame
                container.seek(table.keys[max(before, 0)][1], stream=stream)
                frames = _decoded(container, stream, from_key=True)
            for frame in frames:
                position = frame.pts if frame.pts is not None else math.inf
                if position >= stamp:
                    if position == stamp:
                        found[index] = _upright(frame, stream)
                    break
    return found


def _from_beginning(path: Path, name: str, table: VideoTable, wanted: Sequence[int]) -> dict[int, np.ndarray]:
    """Frames told by their stamps, or counted where there are none; fewer where the video ends or breaks."""
    keys = {table.stamps[index] if table.stamps else index: index for index in wanted}
    found: dict[int, np.ndarray] = {}
    with _opened(path, name) as container:
        stream = _frame_stream(container, name)
        for count, frame in enumerate(_decoded(container, stream)):
            index = keys.get(frame.pts if table.stamps else count)
            if index is not None:
                found[index] = _upright(frame, stream)
                if len(found) == len(keys):
                    break
    return found


def _decoded(container: Any, stream: Any, from_key: bool = False) -> Generator[Any]:
    """The frames up to the first that cannot be decoded; after a seek `from_key`, as packets before it lack theirs."""
    import av

    try:
        for packet in container.demux(stream):
            from_key = from_key and not packet.is_keyframe
            if not from_key:
                yield from packet.decode()
    except av.FFmpegError:
        return


def _upright(frame: Any, stream: Any) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels, turned and mirrored as the file says, by quarter turns; all of the stream's size."""
    codec = stream.codec_context
    rgb = frame.to_ndarray(format="rgb24", width=codec.width or frame.width, height=codec.height or frame.height)
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return rgb
    # rows of a 3 x 3 matrix: x is shown at (a x + c y, b x + d y)
    a, b, _, c, d, *_ = (float(value) for value in np.frombuffer(matrix, np.int32, 9))
    if abs(b) + abs(c) > abs(a) + abs(d):
        rgb, a, d = rgb.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _expected_count(container: Any, stream: Any, packets: Sequence[_Packet]) -> float:
    """How many frames the header announces; 0 where it does not say."""
    import av

    if stream.frames:
        return stream.frames
    stamps = [packet.stamp for packet in packets if packet.stamp is not None]
    if not container.duration or len(stamps) < 2:
        return 0
    span = (max(stamps) - min(stamps)) * float(stream.time_base)
    announced_s = container.duration / av.time_base
    has_others = any(other.type in ("audio", "subtitle") for other in container.streams)  # they may go on alone
    slack_s = min(MAX_SLACK_S, SLACK_SHARE * announced_s)
    return 0 if has_others or span <= 0 else (len(stamps) - 1) * (announced_s - slack_s) / span


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
    codec = stream.codec_context
    if codec.width and codec.height:
        check_frames(0, (codec.height, codec.width), name)
    stream.thread_type = "AUTO"
    # the size may grow on the way
    codec.options = {"max_pixels": str(max_decoded_bytes() // DECODER_BYTES_PER_PX)}
    return stream


def check_frames(count: int, size_hw: tuple[int, int], name: str) -> None:
    """Raises: InputError where frames are too small or large, or so many held at once are beyond the budget."""
    height, width = size_hw
    check_size(height, width, name)
    frames = f"{count} frames" if count > 1 else "frames"
    needed = height * width * (3 * count + DECODER_BYTES_PER_PX)
    check_decoded(name, needed, f"{frames} of {width} x {height} px")


def _no_other_file(url: str, flags: int, options: Any) -> Any:
    raise InputError(f"expected a video in one file, got one that refers to {url[:MAX_SHOWN]!r}")


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
        with (
            open_regular(path) as file,
            av.open(
                file,
                container_options={"format_whitelist": CONTAINERS},
                io_open=_no_other_file,
                metadata_errors="ignore",
            ) as container,
        ):
            yield container
    except DeixisError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:  # of the opening, of later reading, or of a place to seek
        reason = one_line(getattr(error, "strerror", None) or error)
        cause: Exception | None = error
        if is_out_of_memory(error):  # FFmpeg's word for any size beyond its own limits, with memory free
            reason, cause = "its header announces a size beyond all bounds", None
        raise InputError(
            f"'{name}': expected a whole video, but it cannot be read ({reason}); the file is probably cut short, "
            "damaged, or of another format."
        ) from cause


def write_frames(frames: UInt8[np.ndarray, "frame h w 3"], path: Path, rate_hz: float) -> None:
    """Writes frames as an MP4 of H.264 in the form that every player takes, where the sides are even numbers."""
    import av

    height, width = frames.shape[1:3]
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", Fraction(rate_hz).limit_denominator(MAX_RATE_DENOMINATOR))
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
        stream.options = {"crf": str(WRITTEN_QUALITY)}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
