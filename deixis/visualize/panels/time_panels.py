"""Signals in time: audio as spectrograms, IMU recordings as six curves, with spans and instants."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from deixis.geometry.points import INSTANT_S
from deixis.signals import Signal
from deixis.signals.audio import RATE_HZ, log_mel
from deixis.signals.imu_tables import AXES
from deixis.visualize.canvas import GREY, INK, WHITE, Colour, heat, text_font
from deixis.visualize.panels.panel import OVERSAMPLE, Drawn, PanelSize, draw_seconds, shade, with_tags

AUDIO_HEIGHT = 132 / 256
IMU_HEIGHT = 176 / 256
"""Of the drawing, in its widths, where the caller does not say."""
MEL_BINS = 64
QUIET, LOUD = 5, 99.7
"""Percentiles of the spectrogram that the first and the last of its colours stand for."""
PAPER: Colour = (246, 247, 250)
IMU_COLOURS: tuple[Colour, ...] = ((198, 60, 60), (40, 140, 80), (50, 96, 190))
"""Of the axes x, y, z."""
ROOM = 0.42
"""Half of the share of its row's height that a curve may take up."""


def draw_audio(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Image.Image:
    """A spectrogram with spans and instants marked, over a time axis."""
    below, width_px, pen = size.axis_px, size.width_px, size.pen
    height_px = size.height_px - below if size.height_px else round(width_px * AUDIO_HEIGHT)
    image, marks = spectrogram(signal.values, (width_px * OVERSAMPLE, height_px * OVERSAMPLE)), []
    duration_s = len(signal.values) / RATE_HZ
    for item in drawn:
        left = mark_time(image, item, duration_s, (0, image.width), pen)
        marks.append((item, left + 2 * pen, 2 * pen + 2))
    drawing = Image.new("RGB", (width_px, height_px + below), WHITE)
    drawing.paste(with_tags(image, marks, size.chip_px))
    draw_seconds(drawing, duration_s, height_px, size.chip_px)
    return drawing


def mark_time(image: Image.Image, item: Drawn, duration_s: float, columns: tuple[float, float], pen: float) -> float:
    """Shades a span, or marks an instant and faintly what it is taken to mean; the left edge of it.

    `columns`: where time begins and ends in the image.
    """
    (first, last), bottom = columns, image.height
    scale = (last - first) / duration_s
    low_s, high_s = item.region.interval_s
    start, end = (first + min(max(v, 0.0), duration_s) * scale for v in (low_s, high_s))
    if low_s == high_s:
        reach = INSTANT_S * scale
        shade(image, (start - reach, 0, end + reach, bottom), WHITE, 30)
    start, end = min(start, last - 1.5 * pen), max(end, start + 1.5 * pen)
    shade(image, (start, 0, end, bottom), item.colour if item.filled else WHITE, 70)
    draw = ImageDraw.Draw(image)
    for x in (start, end):
        draw.line((x, 0, x, bottom), fill=WHITE, width=round(1.5 * pen))
        draw.line((x, 0, x, bottom), fill=item.colour, width=round(pen))
    draw.rectangle((start - pen / 2, 0, end + pen / 2, 2 * pen), fill=item.colour)
    return start


def spectrogram(samples: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Log-mel energies of 16 kHz mono samples as colours, (width, height); time to the right, low tones below."""
    mel = log_mel(samples.astype(np.float32), MEL_BINS).T[::-1]  # (mel, time)
    low, high = np.percentile(mel, (QUIET, LOUD))
    rgb = heat((mel - low) / max(high - low, 1e-6))
    return Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC)


def draw_imu(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Image.Image:
    """Six curves over a time axis, each scaled to its row, spans and instants marked."""
    times_s, duration_s = signal.info["times_s"], float(signal.extent.duration_s or 0)
    width_px, chip_px, pen, below, font = size.width_px, size.chip_px, size.pen, size.axis_px, text_font(size.chip_px)
    left = round(max(font.getlength(name) for name in AXES)) + chip_px
    height = ((size.height_px or round(width_px * IMU_HEIGHT)) - below) * OVERSAMPLE
    image = Image.new("RGB", (width_px * OVERSAMPLE, height), PAPER)
    columns, step, marks = (left * OVERSAMPLE, image.width), height / len(AXES), []
    for item in drawn:  # under the curves
        place = mark_time(image, item, duration_s, columns, pen)
        marks.append((item, place + 2 * pen, 2 * pen + 2))
    draw = ImageDraw.Draw(image)
    x = columns[0] + times_s / duration_s * (columns[1] - columns[0])
    for number, values in enumerate(signal.values.T):
        middle, low, high = (number + 0.5) * step, float(values.min()), float(values.max())
        y = middle - (values - (low + high) / 2) / max(high - low, 1e-9) * 2 * ROOM * step
        draw.line((columns[0], middle + step / 2, image.width, middle + step / 2), fill=(225, 227, 233), width=1)
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=IMU_COLOURS[number % 3], width=3, joint="curve")
    drawing = Image.new("RGB", (width_px, height // OVERSAMPLE + below), WHITE)
    drawing.paste(with_tags(image, marks, chip_px))
    words = ImageDraw.Draw(drawing)
    words.rectangle((0, 0, left - 1, height // OVERSAMPLE), fill=WHITE)
    for number, name in enumerate(AXES):
        words.text((left - chip_px // 2, (number + 0.5) * step / OVERSAMPLE), name, font=font, fill=GREY, anchor="rm")
    words.line((left, 0, left, height // OVERSAMPLE), fill=INK, width=1)
    draw_seconds(drawing, duration_s, height // OVERSAMPLE, chip_px, left)
    return drawing
