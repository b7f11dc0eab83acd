"""IMU recordings: a CSV, NPY or array of accelerometer and gyroscope becomes six channels, and those the network's.

Does not know the network: an `ImuSpec` says what tensor it wants. Coordinates are seconds from the first row; values
keep the file's units (usually m/s^2 or g, and rad/s) and its order of axes: acceleration x, y, z, then rotation.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, no_type_check

import numpy as np
from jaxtyping import Float, Float32

from deixis.errors import InputError
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame, window_frame
from deixis.options import Checked, Count, Natural
from deixis.signals.imu_tables import AXES, read_csv
from deixis.signals.modality import Modality
from deixis.signals.npy_files import load_npy
from deixis.signals.signal import Signal, as_array, check_rate, content_digest, has_rate, is_array
from deixis.signals.tokenizer_options import FINE_STRIDE, check_stem

MIN_ROWS = 10
"""Fewer are no motion; OneLLM refuses them too (data/imu_utils.py@8587a47)."""
MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 20_000.0
SOUND_RATE_HZ = 1000.0
"""An array of six channels below this rate is a recording, at or above it audio: no audio file has so low a rate."""
SINC_WIDTH, SINC_ROLLOFF = 6, 0.99
"""torchaudio's resampling: zero crossings of the filter on each side, and its cutoff as a share of the lower rate."""
FLAT = 1e-6
"""A recording that deviates less than this stands still: it is centred, not scaled."""


@no_type_check
@dataclass(frozen=True)
class ImuSpec(Checked):
    """The IMU recording that a network requires: window_s seconds at rate_hz, zeros after the end.

    resampling: "linear", at the file's own times; or "sinc", OneLLM's: torchaudio's windowed sinc from the mean rate in
        whole Hz, and nothing where that is rate_hz already (data/imu_utils.py@8587a47).
    normalise: "none" (OneLLM), or "standard": each channel less its mean over its deviation, before padding.
    too_long: "refuse" a longer recording, or "cut" it to its first window_s (OneLLM).
    """

    rate_hz: float = 200.0
    window_s: float = 2.0
    resampling: Literal["linear", "sinc"] = "linear"
    normalise: Literal["none", "standard"] = "none"
    too_long: Literal["refuse", "cut"] = "refuse"


@no_type_check
@dataclass(frozen=True)
class ImuOptions(ImuSpec):
    """The preparation of IMU recordings, and the options of their tokenizers.

    Attributes:
        tokenizer: "conv" (OneLLM's single convolution) or "stem" (strided convolutions with an early feature map).
        kernel: samples under the convolution, of "conv".
        stride: samples per token.
        early_dim: channels of the early feature map, four samples per cell, of "stem"; 0 for none.
    """

    tokenizer: Literal["conv", "stem"] = "conv"
    kernel: Count = 10
    stride: Count = 1
    early_dim: Natural = 0
    has_places = True  # tokens have positions in time

    def __post_init__(self):
        super().__post_init__()
        if self.tokenizer == "stem":
            check_stem("stride", self.stride, self.samples)

    @property
    def samples(self) -> int:
        """Samples of the window."""
        return round(self.window_s * self.rate_hz)

    @property
    def token_count(self) -> int:
        """Tokens in time."""
        if self.tokenizer == "stem":
            return self.samples // self.stride
        return (self.samples - self.kernel) // self.stride + 1

    @property
    def cell_count(self) -> int:
        """Cells in time; 0 without an early feature map."""
        return self.samples // FINE_STRIDE if self.early_dim else 0


def open_file(path: Path, name: str, rate_hz: float | None = None) -> Signal:
    """The recordings in a CSV with a time column, or in a CSV or NPY of six columns whose rate is given."""
    if path.suffix.lower() == ".npy":
        return open_value(load_npy(path, "an IMU recording"), name, str(path), rate_hz)
    rows, times_s = read_csv(path, name)
    if times_s is not None:
        return _signal(rows, times_s, name, str(path), {"source": "csv with times"})
    return _signal(rows, _even_times(len(rows), rate_hz, name), name, str(path), {"source": "csv"})


def open_value(value: Any, name: str, path: str | None = None, rate_hz: float | None = None) -> Signal:
    """The recordings in (rows, rate_hz), or rows with `rate_hz`; rows are an array or tensor (n, 6) or (6, n)."""
    if has_rate(value):
        value, rate_hz = value
    rows = as_array(value, name)
    if rows.ndim == 2 and rows.shape[0] == len(AXES) and rows.shape[1] != len(AXES):
        rows = rows.T
    if rows.ndim != 2 or rows.shape[1] != len(AXES):
        raise InputError(
            f"'{name}': expected an IMU recording of shape (n, 6) or (6, n), got {rows.shape}; columns are "
            f"{', '.join(AXES)}."
        )
    return _signal(rows, _even_times(len(rows), rate_hz, name), name, path, {"source": "array"})


def fits(value: Any) -> bool:
    """Whether a value in memory is a recording: (rows, rate_hz) of six columns or rows, at a rate too low for audio."""
    if not has_rate(value) or not is_array(value[0]) or len(value[0].shape) != 2:
        return False
    return len(AXES) in value[0].shape and value[1] < SOUND_RATE_HZ


def to_tensor(signal: Signal, spec: ImuSpec) -> tuple[Float32[np.ndarray, "axis sample"], Frame]:
    """(6, window_s * rate_hz) samples, and the frame that leads back to seconds."""
    count, duration_s = round(spec.window_s * spec.rate_hz), float(signal.extent.duration_s or 0)
    times_s = signal.info["times_s"]
    if spec.too_long == "refuse" and duration_s > spec.window_s + 1.5 * duration_s / len(times_s):
        raise InputError(
            f"'{signal.name}': expected a recording of at most {spec.window_s:g} s, got {duration_s:.2f} s; cut the "
            "file or choose a model with a longer window."
        )
    rows = signal.values.astype(np.float64)
    if spec.resampling == "sinc":
        own_rate_hz = int(1 / np.diff(times_s).mean() + 1e-9)
        if own_rate_hz != spec.rate_hz:
            rows = resample_sinc(rows, own_rate_hz, round(spec.rate_hz))
    else:
        wanted_s = np.arange(int(duration_s * spec.rate_hz + 1e-6)) / spec.rate_hz
        rows = np.stack([np.interp(wanted_s, times_s, column) for column in rows.T], axis=1)
    rows = rows[:count]
    if spec.normalise == "standard":
        deviation = rows.std(axis=0)
        rows = (rows - rows.mean(axis=0)) / np.where(deviation > FLAT, deviation, 1)
    values = np.zeros((len(AXES), count), dtype=np.float32)
    values[:, : len(rows)] = rows.T
    return values, window_frame(duration_s, spec.window_s, modality="imu")


def resample_sinc(
    rows: Float[np.ndarray, "row column"], rate_hz: int, new_rate_hz: int
) -> Float[np.ndarray, "sample column"]:
    """Rows at another rate, low-passed: sample j is the sum of rows k weighted by a windowed sinc around j.

    With u = (k / rate_hz - j / new_rate_hz) * base and base = 0.99 * the lower rate, the weight is
    base / rate_hz * sinc(u) * cos(pi u / 12)^2 for |u| < 6; beyond the ends the values are 0. These are the defaults of
    torchaudio.functional.resample. ceil(rows * new_rate_hz / rate_hz) samples.
    """
    base = SINC_ROLLOFF * min(rate_hz, new_rate_hz)
    reach = math.ceil(SINC_WIDTH * rate_hz / base)
    centres = np.arange(math.ceil(len(rows) * new_rate_hz / rate_hz)) * (rate_hz / new_rate_hz)  # in rows
    near = np.floor(centres).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)
    u = (near - centres[:, None]) * (base / rate_hz)
    weights = np.where(np.abs(u) < SINC_WIDTH, np.sinc(u) * np.cos(np.pi * u / (2 * SINC_WIDTH)) ** 2, 0.0)
    inside = (near >= 0) & (near < len(rows))
    picked = rows[np.clip(near, 0, len(rows) - 1)] * inside[..., None]
    return np.einsum("jk,jkc->jc", weights * (base / rate_hz), picked)


def _even_times(count: int, rate_hz: float | None, name: str) -> Float[np.ndarray, " row"]:
    if rate_hz is None:
        raise InputError(
            f"'{name}': expected an IMU recording with a time column or a rate, got neither; pass rate_hz=, or "
            f"imu@50:{name} for 50 rows a second."
        )
    return np.arange(count) / check_rate(rate_hz, MIN_RATE_HZ, MAX_RATE_HZ, "rows", name)


def _signal(rows: np.ndarray, times_s: np.ndarray, name: str, path: str | None, info: dict[str, Any]) -> Signal:
    if len(rows) < MIN_ROWS:
        raise InputError(f"'{name}': expected an IMU recording of at least {MIN_ROWS} rows, got {len(rows)}.")
    values = np.ascontiguousarray(rows, dtype=np.float32)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise InputError(
            f"'{name}': expected finite numbers, got NaN, infinity or nothing in {int(bad.sum())} of {len(values)} "
            f"rows, the first of them row {int(np.argmax(bad)) + 1}; fill the gaps or cut there."
        )
    if not (np.ptp(values, axis=0) > 0).any():
        raise InputError(f"'{name}': expected an IMU recording, got six constant columns; nothing was recorded.")
    step_s = float(np.median(np.diff(times_s)))
    extent = Extent("imu", duration_s=float(times_s[-1]) + step_s)
    digest = content_digest("imu", np.column_stack([times_s, values]))
    info |= {"times_s": times_s, "source_rate_hz": 1 / step_s}
    return Signal("imu", values, extent, name, digest, path, info)


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    """Writes rows, floats (n, 6), as NPY. Raises InputError for another array."""
    array = np.asarray(values)
    if array.dtype.kind != "f" or array.ndim != 2 or array.shape[1] != 6:
        raise InputError(f"expected an IMU recording as floats (rows, 6), got {array.dtype} {array.shape}")
    with path.open("wb") as file:  # given a name, numpy would append its own suffix
        np.save(file, array.astype(np.float32), allow_pickle=False)


IMU = Modality(
    name="imu",
    noun="an IMU recording",
    axes="t",
    values_form=("float32", (None, 6)),
    suffixes=(".csv",),
    magics=(),
    spec=ImuSpec,
    options=ImuOptions,
    open_file=open_file,
    open_value=open_value,
    fits=fits,
    to_tensor=to_tensor,
    parameter="rate_hz",
    tokenizers={
        "stem": "deixis.model.tokenizers.stems:MotionTokenizer",
        "conv": "deixis.model.tokenizers.published_tokenizers:ImuPatches",
    },
    upsample="deixis.model.masks.pointing_head:Upsample1d",
    cells="deixis.model.masks.cells:TimeCells",
    panel="deixis.visualize.panels.time_panels:draw_imu",
    panel_height_px=360,
    is_line_drawing=True,
    folder="traces",
    file_suffix=".npy",
    write=write,
    has_rate=True,
)
