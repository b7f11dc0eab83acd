"""A video as rows of frames, each with its time, over a bar of the whole duration.

A region is drawn on the frames it holds for, and its time on the bar.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deixis.signals import Signal
from deixis.visualize.canvas import CHIP_HEIGHT, GREY, WHITE, Colour
from deixis.visualize.drawing import Drawing, Letters, Line, Part, Placed, Rectangle
from deixis.visualize.panels.image_panel import image_panel
from deixis.visualize.panels.panel import Drawn, PanelSize, labels, seconds
from deixis.visualize.panels.time_panels import mark_time

SHOWN = 9
"""How many frames are shown at most."""
ROW_ASPECT = 4.9
"""Aspect ratio of a row of frames, which decides how many are in it."""
MAX_COLUMNS = 6
GAP_PX = 6
BAR: Colour = (52, 56, 70)
BORDER_PX = 4
"""Of a frame within a span."""


def draw_video(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Drawing:
    """The frames that the signal holds, of the given width, as high as needed."""
    frames, times_s, duration_s = signal.values, signal.info["times_s"], float(signal.extent.duration_s or 0)
    width_px, chip_px = size.width_px, size.chip_px
    indices = _frame_indices(times_s, duration_s, drawn)
    aspect = frames.shape[2] / frames.shape[1]
    columns = min(len(indices), max(1, min(round(ROW_ASPECT / aspect), MAX_COLUMNS)))
    cell = (width_px - GAP_PX * (columns - 1)) // columns
    labelled: set[tuple[str, Colour]] = set()
    cells = []
    for index in indices:
        own = [item for item in drawn if _holds(item, index, times_s)]
        places = [_on_frame(item, (item.label, item.colour) not in labelled) for item in own]
        border = next((item for item in own if item.region.form == "span"), None)
        on_frame = [item for item in places if item is not None]
        frame_size = PanelSize(cell, chip_px=chip_px)
        cells.append(_cell(frames[index], f"{times_s[index]:.2f} s", on_frame, frame_size, border))
        labelled |= {(item.label, item.colour) for item in own}
    parts, top = list[Part](), 0
    for first in range(0, len(cells), columns):
        row = cells[first : first + columns]
        parts += [Placed(number * (cell + GAP_PX), top, frame) for number, frame in enumerate(row)]
        top += row[0].height_px + GAP_PX
    bar = round(CHIP_HEIGHT * chip_px) + 6
    parts.append(Placed(0, top, _time_bar(drawn, times_s[indices], duration_s, bar, size)))
    parts += seconds(duration_s, (0, width_px), top + bar, chip_px)
    return Drawing(width_px, top + bar + size.axis_px, parts)


def _frame_indices(times_s: np.ndarray, duration_s: float, drawn: Sequence[Drawn]) -> list[int]:
    """Indices of the frames to show: evenly spaced, with at least one in each region's interval."""
    count = min(SHOWN, len(times_s))
    chosen = sorted({int(number) for number in (np.arange(count) + 0.5) / count * len(times_s)})
    for item in drawn:
        if not any(_holds(item, index, times_s) for index in chosen):
            middle = sum(item.region.interval_s or (0.0, duration_s)) / 2
            away = min(range(len(chosen)), key=lambda place: abs(times_s[chosen[place]] - middle))
            chosen[away] = _nearest(middle, times_s)
    return sorted(set(chosen))


def _nearest(time_s: float, times_s: np.ndarray) -> int:
    return int(np.argmin(np.abs(times_s - time_s)))


def _holds(item: Drawn, index: int, times_s: np.ndarray) -> bool:
    """Whether a region is drawn on this frame: one of its interval, or the nearest one where none lies in it."""
    time = item.region.interval_s
    if time is None:
        return True
    inside = np.flatnonzero((times_s >= time[0]) & (times_s <= time[1]))
    return index in inside if len(inside) else index == _nearest(sum(time) / 2, times_s)


def _on_frame(item: Drawn, named: bool) -> Drawn | None:
    """The region without its time, labelled on the first frame only; None for a span, which is drawn as a border."""
    region = item.region
    if region.form == "span":
        return None
    region = replace(region, time_s=None, point=region.point and region.point[:2])
    return replace(item, region=region, labelled=named)


def _cell(frame: np.ndarray, time: str, drawn: Sequence[Drawn], size: PanelSize, border: Drawn | None) -> Drawing:
    """One frame above its time; in a border where it lies in the span `border`."""
    image = image_panel(frame, drawn, size)
    width, height, chip_px = image.width_px, image.height_px, size.chip_px
    if border is not None:
        near, right, bottom = BORDER_PX / 2, width - BORDER_PX / 2, height - BORDER_PX / 2
        sides = np.array([(near, near), (right, near), (right, bottom), (near, bottom), (near, near), (right, near)])
        image = replace(image, parts=[*image.parts, border.group([Line(sides, border.colour, BORDER_PX)])])
    time_below = Letters(width / 2, height + 0.2 * chip_px, time, GREY, chip_px, "mt")
    return Drawing(width, height + round(1.5 * chip_px), [Placed(0, 0, image), time_below])


def _time_bar(
    drawn: Sequence[Drawn], frame_times_s: np.ndarray, duration_s: float, height_px: int, size: PanelSize
) -> Drawing:
    """The whole video as a bar, with a tick per frame shown, and the interval of each region that has one."""
    width_px, pen, marks = size.width_px, size.pen, []
    parts: list[Part] = [Rectangle((0, 0, width_px, height_px), BAR)]
    for time_s in frame_times_s:
        x = float(time_s) / duration_s * (width_px - 0.5)
        parts.append(Line(np.array([(x, height_px * 0.8), (x, height_px)]), WHITE, 1))
    named: set[tuple[str, Colour]] = set()
    for item in drawn:
        if item.region.interval_s is not None:
            group, left = mark_time(item, duration_s, (0, width_px), height_px, pen)
            parts.append(group)
            if (item.label, item.colour) not in named:
                marks.append((item, left + 2 * pen, height_px - 2 * pen))
            named.add((item.label, item.colour))
    return Drawing(width_px, height_px, [*parts, *labels(marks, (width_px, height_px), size.chip_px)])
