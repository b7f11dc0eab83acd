"""One signal of any modality as a drawing with its regions, and what the panels of all modalities share.

Images as they are, audio as spectrograms, clouds as scatter plots, videos as strips, depth and normals as colours,
IMU recordings as curves, fMRI as slices. Regions are those of `deixis.geometry`, in the units of their file, and are
taken as checked; which question or answer they come from is not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deixis.geometry import Region
from deixis.signals import MODALITIES, Signal
from deixis.signals.modality import load
from deixis.visualize.canvas import CHIP_TEXT_PX, GREY, Colour, Tag, place_tags
from deixis.visualize.drawing import Drawing, Group, Label, Letters, Line, Part

PEN = 2 / 11
"""Width of a line, in sizes of the labels' letters."""
AXIS_PX = 18
"""Height of a time axis where labels have their usual size."""
TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
MAX_TICKS = 10


@dataclass(frozen=True)
class Drawn:
    """One region to draw, its label (none if empty) and colour.

    filled: tinted inside, not only outlined. name: identifies it in the drawing. labelled: whether the label is shown.
    """

    region: Region
    label: str
    colour: Colour
    filled: bool = True
    name: str = "region"
    labelled: bool = True

    def group(self, parts: Sequence[Part], scale: float = 1.0) -> Group:
        """The parts that show this region."""
        return Group(self.name, self.label, parts, scale)


@dataclass(frozen=True)
class PanelSize:
    """Width of a drawing, its height where that is free (None: by the width), and the size of its labels, in pixels.

    Images, maps, videos and fMRI keep their aspect ratio, whatever the height.
    """

    width_px: int
    height_px: int | None = None
    chip_px: int = CHIP_TEXT_PX

    @property
    def axis_px(self) -> int:
        """Height of a time axis."""
        return round(AXIS_PX * self.chip_px / CHIP_TEXT_PX)

    @property
    def pen(self) -> float:
        """Width of a line."""
        return PEN * self.chip_px


Mark = tuple[Drawn, float, float]
"""A region and the place of its label."""


def panel(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Drawing:
    """A signal with regions and their labels on it."""
    return load(MODALITIES[signal.modality].panel)(signal, drawn, size)


def labels(marks: Sequence[Mark], size: tuple[int, int], chip_px: int) -> list[Group]:
    """The labels of regions in a drawing of (width, height) `size`."""
    shown = [mark for mark in marks if mark[0].label and mark[0].labelled]
    tags = place_tags([Tag(item.label, item.colour, x, y) for item, x, y in shown], size, chip_px)
    return [
        Group(f"{item.name}-label", item.label, [Label(tag.x, tag.y, tag.label, tag.colour, chip_px)])
        for (item, _, _), tag in zip(shown, tags, strict=True)
    ]


def seconds(duration_s: float, columns: tuple[float, float], top: float, chip_px: int) -> list[Part]:
    """Ticks and numbers under a drawing of time, at most some ten of them; time begins and ends at the `columns`."""
    (first, last), unit, parts = columns, chip_px / CHIP_TEXT_PX, []
    step_s = next((step for step in TICKS_S if duration_s / step <= MAX_TICKS), duration_s)
    for tick in range(int(duration_s / step_s) + 1):
        x = first + tick * step_s / duration_s * (last - first - 1)
        parts.append(Line(np.array([(x + 0.5, top), (x + 0.5, top + 3 * unit)]), GREY, max(1, round(unit))))
        label, anchor = (f"{tick * step_s:g}", "mt") if tick else ("0 s", "lt")
        if x < last - 8 * unit:
            parts.append(Letters(max(x, 1), top + 6 * unit, label, GREY, chip_px, anchor))
    return parts
