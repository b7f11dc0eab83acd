"""Videos: a file or (frames, rate_hz) becomes frames and their times, and those become the network's few frames.

A file is decoded where it is needed: an opened video holds a few frames, evenly spread and bounded in memory, and the
frames that a network requires are decoded on demand. Does not know the network: a `VideoSpec` says which tensor it
takes. Coordinates are pixels of the upright frame and seconds from the first frame.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, no_type_check

import numpy as np
from jaxtyping import Float32, Int, UInt8

from deixis.errors import InputError
from deixis.files.regular import open_regular
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame, placed_frame, video_frame
from deixis.options import Checked
from deixis.signals.fit import MAX_8_BIT, Fit, normalised, square, square_frame
from deixis.signals.image import CHANNELS, to_8_bit
from deixis.signals.image_files import check_size
from deixis.signals.modality import Modality
from deixis.signals.signal import Signal, as_array, check_rate, content_digest, has_rate, is_array
from deixis.signals.tokenizer_options import IMAGE, FrameOptions
from deixis.signals.video_files import CODEC_ENDINGS, MAX_FRAMES, VideoTable, read_frames, read_table

KEPT_FRAMES = 32
KEPT_BYTES = 128 * 2**20
"""What an opened video holds in memory at most; of large frames fewer, but one at least."""
MAX_DURATION_S = 4 * 3600.0
MIN_RATE_HZ, MAX_RATE_HZ = 0.01, 1000.0


@no_type_check
@dataclass(frozen=True)
class VideoSpec(Checked):
    """The video a network requires: some frames of it, each a square as an `ImageSpec` says.

    frames: how many moments are looked at.
    moments: "even": the middle of each of `frames` equal parts; "clips": where clips of clip_s begin, spread over the
        video as OneLLM does with pytorchvideo 0.1.5 (clip i of n at i/n of the video less one clip; its first frame).
    fit: as in `ImageSpec`, or "thirds": shorter side to size_px by bilinear interpolation without antialiasing, then
        three squares, at the beginning, the middle and the end of the longer side: 3 * frames squares, moment by moment
        (OneLLM, data/video_utils.py@8587a47).
    """

    size_px: int = 224
    frames: int = 8
    moments: Literal["even", "clips"] = "even"
    clip_s: float = 1.0
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    fit: Literal[Fit, "thirds"] = "letterbox"


@no_type_check
@dataclass(frozen=True)
class VideoOptions(FrameOptions, VideoSpec):
    """The preparation of videos, and how their patches become tokens (`FrameOptions`)."""


def open_file(path: Path, name: str) -> Signal:
    """The video in a file that PyAV reads; a few of its frames are decoded."""
    table = read_table(path, name)
    _check_bounds(len(table.times_s), table.duration_s, table.size_hw, name)
    kept = _spread(len(table.times_s), table.size_hw)
    frames = read_frames(path, name, table, kept.tolist())
    with open_regular(path) as stream:  # the frames that are not kept count too
        digest = hashlib.sha256(b"video" + hashlib.file_digest(stream, "sha256").digest()).hexdigest()
    extent = Extent("video", size_hw=table.size_hw, duration_s=table.duration_s)
    info = {"times_s": table.times_s[kept], "kept": kept, "table": table, "source_format": table.codec}
    return Signal("video", frames, extent, name, digest, str(path), info)


def open_value(value: Any, name: str, path: str | None = None, rate_hz: float | None = None) -> Signal:
    """The video in (frames, rate_hz); frames are an array or tensor (t, height, width, 3 or 1).

    Integers are 0..255, floats 0..1.
    """
    if has_rate(value):
        value, rate_hz = value
    if rate_hz is None:
        raise InputError(
            f"'{name}': expected a video as (frames, rate_hz), got frames alone; pass rate_hz=, or "
            f"video@25:{name} for 25 frames a second."
        )
    rate_hz = check_rate(rate_hz, MIN_RATE_HZ, MAX_RATE_HZ, "frames", name)
    array = as_array(value, name)
    if array.ndim != 4 or array.shape[3] not in (1, 3) or not len(array):
        raise InputError(
            f"'{name}': expected frames of shape (t, height, width, 3) or (t, height, width, 1), got {array.shape}."
        )
    times, duration_s = np.arange(len(array)) / rate_hz, len(array) / rate_hz
    size_hw = array.shape[1], array.shape[2]
    _check_bounds(len(array), duration_s, size_hw, name)
    frames = np.ascontiguousarray(np.broadcast_to(to_8_bit(array, name), (*array.shape[:3], 3)))
    table = VideoTable(times, (), duration_s, rate_hz, size_hw, "array")
    info = {"times_s": times, "kept": np.arange(len(array)), "table": table, "source": "array"}
    digest = content_digest(f"video{rate_hz:g}", frames)
    return Signal("video", frames, Extent("video", size_hw=size_hw, duration_s=duration_s), name, digest, path, info)


def fits(value: Any) -> bool:
    """Whether a value in memory is a video: four axes, the last of them colours, with or without a rate."""
    frames = value[0] if has_rate(value) else value
    return is_array(frames) and len(frames.shape) == 4 and frames.shape[3] in CHANNELS


def to_tensor(signal: Signal, spec: VideoSpec) -> tuple[Float32[np.ndarray, "frame 3 size size"], Frame]:
    """The frames a spec asks for, and the frame of their places: x, y as in the frame, t over the whole video.

    With "thirds" the places are those of the middle squares.
    """
    frames = chosen_frames(signal, spec)
    size_hw = signal.extent.size_hw
    if spec.fit == "thirds":
        values = np.concatenate([_thirds(frame, spec) for frame in frames])
        height, width = _short_side_size(size_hw, spec.size_px)
        middle = -math.ceil((height - spec.size_px) / 2), -math.ceil((width - spec.size_px) / 2)
        frame = placed_frame(size_hw, (spec.size_px, spec.size_px), (*middle, height, width), "video")
    else:
        values = np.stack([square(frame, spec) for frame in frames])
        frame = square_frame(size_hw, spec, "video")
    return values, video_frame(frame, signal.extent.duration_s)


def chosen_frames(signal: Signal, spec: VideoSpec) -> UInt8[np.ndarray, "moment height width 3"]:
    """The upright frames of the spec's moments: those held in memory, or decoded from the file."""
    wanted = chosen_indices(signal.info["table"], spec)
    kept = {int(index): row for row, index in enumerate(signal.info["kept"])}
    if all(int(index) in kept for index in wanted):
        return signal.values[[kept[int(index)] for index in wanted]]
    path = signal.file
    if path is None or not path.is_file():
        raise InputError(f"'{signal.name}': expected its file at '{path}', which is gone; open the video again.")
    return read_frames(path, signal.name, signal.info["table"], wanted.tolist())


def with_frames(signal: Signal, spec: VideoSpec) -> Signal:
    """The video with the frames of the spec's moments among those in memory: its file is not read for them again."""
    kept = signal.info["kept"]
    missing = np.setdiff1d(chosen_indices(signal.info["table"], spec), kept)
    if signal.file is None or not len(missing):
        return signal
    decoded = read_frames(signal.file, signal.name, signal.info["table"], missing.tolist())
    order = np.argsort(np.concatenate([kept, missing]))
    kept = np.concatenate([kept, missing])[order]
    info = {**signal.info, "kept": kept, "times_s": signal.info["table"].times_s[kept]}
    return replace(signal, values=np.concatenate([signal.values, decoded])[order], info=info)


def chosen_indices(table: VideoTable, spec: VideoSpec) -> Int[np.ndarray, " moment"]:
    """Numbers of the frames that stand for the spec's moments."""
    count = len(table.times_s)
    if spec.moments == "even":
        moments_s = (np.arange(spec.frames) + 0.5) / spec.frames * table.duration_s
        return np.maximum(np.searchsorted(table.times_s, moments_s, side="right") - 1, 0)
    room_s = Fraction(max(count / table.rate_hz - spec.clip_s, 0.0))
    starts_s = [float(room_s * clip / spec.frames) for clip in range(spec.frames)]  # exact, as there: ceil is not
    return np.array([min(math.ceil(table.rate_hz * start_s), count - 1) for start_s in starts_s])


def _spread(count: int, size_hw: tuple[int, int]) -> Int[np.ndarray, " kept"]:
    """Numbers of the frames an opened video holds: all, or the middles of equal parts."""
    bound = max(1, min(KEPT_FRAMES, KEPT_BYTES // (3 * size_hw[0] * size_hw[1])))
    return np.arange(count) if count <= bound else ((np.arange(bound) + 0.5) / bound * count).astype(np.int64)


def _short_side_size(size_hw: tuple[int, int], size_px: int) -> tuple[int, int]:
    """(height, width) with the shorter side size_px and the longer one rounded down."""
    height, width = size_hw
    if width < height:
        return math.floor(height / width * size_px), size_px
    return size_px, math.floor(width / height * size_px)


def _thirds(frame: UInt8[np.ndarray, "height width 3"], spec: VideoSpec) -> Float32[np.ndarray, "3 3 size size"]:
    """Three normalised squares of a frame, along its longer side."""
    height, width = _short_side_size(frame.shape[:2], spec.size_px)
    scaled = bilinear(frame, (height, width))
    size, squares = spec.size_px, []
    for share in (0, 0.5, 1):
        top, left = (math.ceil((side - size) * share) for side in (height, width))
        squares.append(normalised(scaled, (-top, -left, height, width), spec, MAX_8_BIT))
    return np.stack(squares)


def bilinear(
    frame: UInt8[np.ndarray, "height width 3"], size_hw: tuple[int, int]
) -> Float32[np.ndarray, "rows columns 3"]:
    """The frame at another size, each pixel from the four around its centre, whatever the scale: no antialiasing.

    As torch.nn.functional.interpolate(mode="bilinear", align_corners=False) has it.
    """
    values = frame.astype(np.float32)
    for axis, (old, new) in enumerate(zip(frame.shape[:2], size_hw, strict=True)):
        place = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0)
        low = np.minimum(place.astype(np.int64), old - 1)
        share = (place - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        high = np.minimum(low + 1, old - 1)
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return values


def _check_bounds(count: int, duration_s: float, size_hw: tuple[int, int], name: str) -> None:
    check_size(*size_hw, name)
    if duration_s > MAX_DURATION_S or count > MAX_FRAMES:
        hours = MAX_DURATION_S / 3600
        raise InputError(
            f"'{name}': expected a video of at most {hours:g} hours, got {duration_s / 3600:.1f}; cut the file."
        )


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    """Writes frames, uint8 (t, height, width, 3), as an MP4 of H.264, whose colours are nearly the same.

    Raises InputError for another array, and without a rate.
    """
    from deixis.signals.video_files import write_frames

    array = np.asarray(values)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or not array.size:
        raise InputError(f"expected frames as uint8 (t, height, width, 3), got {array.dtype} {array.shape}")
    if rate_hz is None:
        raise InputError("expected the rate of a video, in frames a second, got none")
    write_frames(array, path, check_rate(rate_hz, MIN_RATE_HZ, MAX_RATE_HZ, "frames", str(path)))


VIDEO = Modality(
    name="video",
    noun="a video",
    axes="xyt",
    values_form=("uint8", (None, None, None, 3)),
    suffixes=CODEC_ENDINGS,
    magics=(
        (4, b"ftyp", "an MP4 or QuickTime video"),
        (4, b"moov", "a QuickTime video"),
        (4, b"mdat", "a QuickTime video"),
        (4, b"wide", "a QuickTime video"),
        (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
        (8, b"AVI ", "an AVI video"),
        (0, b"\x00\x00\x01\xba", "an MPEG video"),
        (0, b"GIF8", "a GIF animation"),
        (0, b"OggS", "an OGG video"),
    ),
    spec=VideoSpec,
    options=VideoOptions,
    open_file=open_file,
    open_value=open_value,
    fits=fits,
    to_tensor=to_tensor,
    complete=with_frames,
    tokenizers=dict.fromkeys(("stem", IMAGE), "deixis.model.tokenizers.stems:VideoTokenizer"),
    parameter="rate_hz",
    upsample="deixis.model.masks.pointing_head:Upsample2d",
    cells="deixis.model.masks.cells:FrameCells",
    panel="deixis.visualize.panels.video_panel:draw_video",
    patches=True,
    folder="films",
    has_rate=True,
    file_suffix=".mp4",
    write=write,
)
