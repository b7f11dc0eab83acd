"""A video as rows of frames, each with its time, over a bar of the whole duration.

A region is drawn on the frames it holds for, and its time on the bar.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from deixis.signals import Signal
from deixis.visualize.canvas import CHIP_HEIGHT, GREY, WHITE, Colour, text_font
from deixis.visualize.panels.image_panel import image_panel
from deixis.visualize.panels.panel import OVERSAMPLE, Drawn, PanelSize, draw_seconds, with_tags
from deixis.visualize.panels.time_panels import mark_time

SHOWN = 9
"""How many frames are shown at most."""
ROW_ASPECT = 4.9
"""Aspect ratio of a row of frames, which decides how many are in it."""
MAX_COLUMNS = 6
GAP_PX = 6
BAR: Colour = (52, 56, 70)


def draw_video(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Image.Image:
    """The drawing of the frames that the signal holds, of the given width, as high as needed."""
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
        border = next((item.colour for item in own if item.region.form == "span"), None)
        on_frame = [item for item in places if item is not None]
        frame_size = PanelSize(cell, chip_px=chip_px)
        cells.append(_cell(frames[index], f"{times_s[index]:.2f} s", on_frame, frame_size, border))
        labelled |= {(item.label, item.colour) for item in own}
    rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
    bar, below = round(CHIP_HEIGHT * chip_px) + 6, size.axis_px
    height = sum(row[0].height + GAP_PX for row in rows) + bar + below
    drawing, top = Image.new("RGB", (width_px, height), WHITE), 0
    for row in rows:
        for number, image in enumerate(row):
            drawing.paste(image, (number * (cell + GAP_PX), top))
        top += row[0].height + GAP_PX
    drawing.paste(_time_bar(drawn, times_s[indices], duration_s, bar, size), (0, top))
    draw_seconds(drawing, duration_s, top + bar, chip_px)
    return drawing


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
    return replace(item, region=region, label=item.label if named else "")


def _cell(frame: np.ndarray, time: str, drawn: Sequence[Drawn], size: PanelSize, border: Colour | None) -> Image.Image:
    """One frame above its time."""
    image, width_px, chip_px = image_panel(frame, drawn, size), size.width_px, size.chip_px
    if border is not None:
        ImageDraw.Draw(image).rectangle((0, 0, image.width - 1, image.height - 1), outline=border, width=4)
    cell = Image.new("RGB", (width_px, image.height + round(1.5 * chip_px)), WHITE)
    cell.paste(image)
    place = width_px / 2, image.height + 0.2 * chip_px
    ImageDraw.Draw(cell).text(place, time, font=text_font(chip_px), fill=GREY, anchor="mt")
    return cell


def _time_bar(
    drawn: Sequence[Drawn], frame_times_s: np.ndarray, duration_s: float, height_px: int, size: PanelSize
) -> Image.Image:
    """The whole video as a bar, with a tick per frame shown, and the interval of each region that has one."""
    image, pen = Image.new("RGB", (size.width_px * OVERSAMPLE, height_px * OVERSAMPLE), BAR), size.pen
    draw, marks = ImageDraw.Draw(image), []
    for time_s in frame_times_s:
        x = float(time_s) / duration_s * (image.width - 1)
        draw.line((x, image.height * 0.8, x, image.height), fill=WHITE, width=OVERSAMPLE)
    named: set[tuple[str, Colour]] = set()
    for item in drawn:
        if item.region.interval_s is not None:
            left = mark_time(image, item, duration_s, (0, image.width), pen)
            if (item.label, item.colour) not in named:
                marks.append((item, left + 2 * pen, image.height - 2 * pen))
            named.add((item.label, item.colour))
    return with_tags(image, marks, size.chip_px)
