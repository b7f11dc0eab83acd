"""A ninth modality in one file: the air pressure that a barometer logs, whose record `test_ninth_modality` adds.

It reuses the codec and the upsampling of signals in time; reader, tokenizer and drawing are its own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, no_type_check

import numpy as np
from torch import nn

from deixis.errors import InputError
from deixis.geometry.extent import Extent
from deixis.geometry.frames import window_frame
from deixis.model.tokenizers.stems import Tokens, grid_tokens
from deixis.options import Count, Natural, Positive, check_fields
from deixis.signals.modality import Modality
from deixis.signals.signal import Signal, content_digest

STEPS = 64


@dataclass(frozen=True)
class PressureSpec:
    """STEPS readings of a window of window_s seconds, less the mean."""

    window_s: Positive = 8.0


@no_type_check
@dataclass(frozen=True)
class PressureOptions(PressureSpec):
    tokenizer: Literal["conv"] = "conv"
    stride: Count = 16
    early_dim: Natural = 8

    def __post_init__(self):
        check_fields(self)

    token_count = property(lambda self: STEPS // self.stride)
    cell_count = property(lambda self: STEPS // 4 if self.early_dim else 0)
    has_places = True


class PressureTokenizer(nn.Module):
    def __init__(self, dim: int, stride: int, early_dim: int):
        super().__init__()
        self.stem = nn.Conv1d(1, early_dim, 4, 4)
        self.patch = nn.Conv1d(early_dim, dim, stride // 4, stride // 4)

    def forward(self, values) -> Tokens:
        early = self.stem(values.unsqueeze(1))
        return grid_tokens(self.patch(early), early)


def open_value(value: Any, name: str, path: str | None = None, rate_hz: float | None = None) -> Signal:
    readings, rate_hz = value if isinstance(value, tuple) else (value, rate_hz)
    readings = np.asarray(readings, dtype=np.float32)
    if readings.ndim != 1 or not rate_hz:
        raise InputError(f"'{name}': expected pressures as (readings, rate_hz), got {readings.shape}.")
    extent = Extent("pressure", duration_s=len(readings) / rate_hz)
    return Signal("pressure", readings, extent, name, content_digest("pressure", readings), path)


def open_file(path: Path, name: str, rate_hz: float | None = None) -> Signal:
    return open_value(np.loadtxt(path), name, str(path), rate_hz)


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    np.savetxt(path, values)


def to_tensor(signal: Signal, spec: PressureSpec):
    times_s = (np.arange(STEPS) + 0.5) * spec.window_s / STEPS
    own_s = (np.arange(len(signal.values)) + 0.5) * signal.extent.duration_s / len(signal.values)
    values = np.interp(times_s, own_s, signal.values).astype(np.float32)
    return values - values.mean(), window_frame(signal.extent.duration_s, spec.window_s, modality="pressure")


def draw(signal, drawn, size):
    from deixis.visualize.drawing import Drawing, Rectangle

    height_px, parts = size.height_px or 100, []
    for item in drawn:
        left, right = (second / signal.extent.duration_s * size.width_px for second in item.region.span)
        parts.append(item.group([Rectangle((left, 0, right, height_px), item.colour)]))
    return Drawing(size.width_px, height_px, parts)


PRESSURE = Modality(
    name="pressure",
    noun="a barometer log",
    axes="t",
    values_form=("float32", (None,)),
    spec=PressureSpec,
    options=PressureOptions,
    open_file=open_file,
    open_value=open_value,
    fits=lambda value: False,
    to_tensor=to_tensor,
    upsample="deixis.model.masks.pointing_head:Upsample1d",
    cells="deixis.model.masks.cells:TimeCells",
    panel="tests.ninth_modality:draw",
    tokenizers={"conv": "tests.ninth_modality:PressureTokenizer"},
    suffixes=(".pressure",),
    parameter="rate_hz",
    has_rate=True,
    folder="pressures",
    file_suffix=".pressure",
    write=write,
)
