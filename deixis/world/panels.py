"""The media of samples as small pictures with their regions drawn in, for contact sheets.

Turns records of the sample format into regions; `deixis.signals.panels` draws them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from deixis.data.sample import Medium, RegionRecord
from deixis.geometry import Box, Box3D, Mask, Point, PointSet, Region, Span
from deixis.signals import open_signal, panels
from deixis.signals.canvas import PALETTE, Colour

WIDTH_PX = 256


@dataclass(frozen=True)
class Shown:
    """One region to draw: its number in the sample, its record, and which of its fields to draw."""

    number: int
    record: RegionRecord
    fields: tuple[str, ...]

    @property
    def colour(self) -> Colour:
        return PALETTE[self.number % len(PALETTE)]

    def drawn(self) -> Iterator[panels.Drawn]:
        """The fields as regions, each with the number for its label."""
        for field in self.fields:
            yield panels.Drawn(REGIONS[field](getattr(self.record, field)), str(self.number), self.colour)


def panel(medium: Medium, regions: Sequence[Shown]) -> Image.Image:
    """An RGB picture, `WIDTH_PX` wide, of a medium with its regions; opens the medium's file if it has no values."""
    values = medium.values if medium.values is not None else open_signal(medium.path, medium.kind).values
    if medium.kind not in panels.PANELS:
        known = ", ".join(panels.PANELS)
        raise ValueError(f"kind of the medium {medium.id!r}: expected one of {known}, got {medium.kind!r}")
    drawn = [item for shown in regions for item in shown.drawn()]
    return panels.panel(medium.kind, np.asarray(values), drawn, WIDTH_PX)


def _mask(value: dict | np.ndarray) -> Region:
    return Mask(value) if isinstance(value, np.ndarray) else Mask.from_rle(value)


REGIONS = {
    "mask": _mask,
    "box": lambda value: Box(*value),
    "point": lambda value: Point(*value),
    "span": lambda value: Span(*value),
    "points": lambda value: PointSet(np.asarray(value)),
    "box3d": lambda value: Box3D(*value),
}
"""Field of a record -> the region it is."""
