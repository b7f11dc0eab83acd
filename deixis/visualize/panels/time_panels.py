"""Signals in time: audio as spectrograms, IMU recordings as six curves, with spans and instants."""

from collections.abc import Sequence

import numpy as np

from deixis.geometry.points import INSTANT_S
from deixis.signals import Signal
from deixis.signals.audio import RATE_HZ, log_mel
from deixis.signals.imu_tables import AXES
from deixis.visualize.canvas import GREY, INK, WHITE, Colour, heat, text_font
from deixis.visualize.drawing import Drawing, Group, Letters, Line, Part, Picture, Placed, Rectangle
from deixis.visualize.panels.panel import Drawn, PanelSize, labels, seconds

AUDIO_HEIGHT = 132 / 256
IMU_HEIGHT = 176 / 256
"""Of the drawing, in its widths, where the caller does not say."""
MEL_BINS = 64
QUIET, LOUD = 5, 99.7
"""Percentiles of the spectrogram that the first and the last of its colours stand for."""
PAPER: Colour = (246, 247, 250)
ROW: Colour = (225, 227, 233)
"""Of the line under a curve."""
IMU_COLOURS: tuple[Colour, ...] = ((198, 60, 60), (40, 140, 80), (50, 96, 190))
"""Of the axes x, y, z."""
ROOM = 0.42
"""Half of the share of its row's height that a curve may take up."""
CURVE_PX = 1.5
COLUMNS_PER_PX = 2
"""Of a curve with more readings, the lowest and the highest of each column are drawn."""
FAINT, TINT = 30 / 255, 70 / 255
"""How much of a colour covers what is near an instant, and what is in a span."""


def draw_audio(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Drawing:
    """A spectrogram with spans and instants marked, over a time axis."""
    width_px, pen = size.width_px, size.pen
    height_px = size.height_px - size.axis_px if size.height_px else round(width_px * AUDIO_HEIGHT)
    whole, duration_s = (0, 0, width_px, height_px), len(signal.values) / RATE_HZ
    spans = [mark_time(item, duration_s, (0, width_px), height_px, pen) for item in drawn]
    marks = [(item, left + 2 * pen, 2 * pen + 1) for item, (_, left) in zip(drawn, spans, strict=True)]
    shapes = [Picture(spectrogram(signal.values), whole), *(group for group, _ in spans)]
    image = Drawing(width_px, height_px, [*shapes, *labels(marks, whole[2:], size.chip_px)])
    axis = seconds(duration_s, (0, width_px), height_px, size.chip_px)
    return Drawing(width_px, height_px + size.axis_px, [Placed(0, 0, image), *axis])


def mark_time(
    item: Drawn, duration_s: float, columns: tuple[float, float], height_px: float, pen: float
) -> tuple[Group, float]:
    """A shaded span, or an instant and faintly what it is taken to mean; and its left edge.

    `columns`: where time begins and ends in the drawing, which is `height_px` high.
    """
    first, last = columns
    scale, parts = (last - first) / duration_s, list[Part]()
    low_s, high_s = item.region.interval_s
    start, end = (first + min(max(v, 0.0), duration_s) * scale for v in (low_s, high_s))
    if low_s == high_s:
        reach = INSTANT_S * scale
        near = max(start - reach, first), 0, min(end + reach, last), height_px
        parts.append(Rectangle(near, WHITE, FAINT))
    start, end = min(start, last - 1.5 * pen), max(end, start + 1.5 * pen)
    parts.append(Rectangle((start, 0, end, height_px), item.colour if item.filled else WHITE, TINT))
    for x in (start, end):
        edge = np.array([(x, 0), (x, height_px)])
        parts += [Line(edge, WHITE, 1.5 * pen), Line(edge, item.colour, pen)]
    parts.append(Rectangle((start - pen / 2, 0, end + pen / 2, 2 * pen), item.colour))
    return item.group(parts), start


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """Log-mel energies of 16 kHz mono samples as colours (mel, time, 3) uint8; time to the right, low tones below."""
    mel = log_mel(samples.astype(np.float32), MEL_BINS).T[::-1]  # (mel, time)
    low, high = np.percentile(mel, (QUIET, LOUD))
    return heat((mel - low) / max(high - low, 1e-6))


def draw_imu(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Drawing:
    """Six curves over a time axis, each scaled to its row, spans and instants marked."""
    times_s, duration_s = signal.info["times_s"], float(signal.extent.duration_s or 0)
    width_px, chip_px, pen, font = size.width_px, size.chip_px, size.pen, text_font(size.chip_px)
    left = round(max(font.getlength(name) for name in AXES)) + chip_px
    height, columns = (size.height_px or round(width_px * IMU_HEIGHT)) - size.axis_px, (left, width_px)
    step = height / len(AXES)
    spans = [mark_time(item, duration_s, columns, height, pen) for item in drawn]
    marks = [(item, start + 2 * pen, 2 * pen + 1) for item, (_, start) in zip(drawn, spans, strict=True)]
    parts = [Rectangle((left, 0, width_px, height), PAPER), *(group for group, _ in spans)]  # under the curves
    x, names = left + times_s / duration_s * (width_px - left), list[Part]()
    for number, (name, values) in enumerate(zip(AXES, signal.values.T, strict=True)):
        middle, low, high = (number + 0.5) * step, float(values.min()), float(values.max())
        y = middle - (values - (low + high) / 2) / max(high - low, 1e-9) * 2 * ROOM * step
        parts.append(Line(np.array([(left, middle + step / 2), (width_px, middle + step / 2)]), ROW, 0.5))
        parts.append(Line(_thinned(np.stack([x, y], -1)), IMU_COLOURS[number % 3], CURVE_PX))
        names.append(Letters(left - chip_px // 2, middle, name, GREY, chip_px, "rm"))
    parts.append(Line(np.array([(left + 0.5, 0), (left + 0.5, height)]), INK, 1))
    image = Drawing(width_px, height, [*parts, *labels(marks, (width_px, height), chip_px)])
    axis = seconds(duration_s, columns, height, chip_px)
    return Drawing(width_px, height + size.axis_px, [Placed(0, 0, image), *names, *axis])


def _thinned(points: np.ndarray) -> np.ndarray:
    """The lowest and the highest of the points (n, 2) in each column, in their order; x does not decrease."""
    column = np.floor(points[:, 0] * COLUMNS_PER_PX)
    if len(points) <= 2 * len(np.unique(column)):
        return points
    by_height = np.lexsort((points[:, 1], column))
    changes = np.flatnonzero(np.diff(column[by_height]))
    return points[np.unique(by_height[np.concatenate([[0], changes, changes + 1, [len(points) - 1]])])]
