"""One signal of any modality as an image with its regions, and what the panels of all modalities share.

Images as they are, audio as spectrograms, clouds as scatter plots, videos as strips, depth and normals as colours,
IMU recordings as curves, fMRI as slices. Regions are those of `deixis.geometry`, in the units of their file, and are
taken as checked; which question or answer they come from is not known here. Everything is drawn `OVERSAMPLE` times too
large and then reduced, which makes its edges smooth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from deixis.geometry import Region
from deixis.signals import MODALITIES, Signal
from deixis.signals.modality import load
from deixis.visualize.canvas import CHIP_TEXT_PX, GREY, Colour, Tag, place_tags, text_font

OVERSAMPLE = 2
PEN = 4 / 11
"""Width of a line on the large drawing, in sizes of the labels' letters."""
AXIS_PX = 18
"""Height of a time axis where labels have their usual size."""
TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
MAX_TICKS = 10


@dataclass(frozen=True)
class Drawn:
    """One region to draw, its label (none if empty) and colour; `filled`: tinted inside, not only outlined."""

    region: Region
    label: str
    colour: Colour
    filled: bool = True


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
        """Width of a line on the large drawing."""
        return PEN * self.chip_px


Mark = tuple[Drawn, float, float]
"""A region and the place of its label, in pixels of the large drawing."""


def panel(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Image.Image:
    """An RGB image of a signal with regions and their labels on it."""
    return load(MODALITIES[signal.modality].panel)(signal, drawn, size)


def with_tags(image: Image.Image, marks: Sequence[Mark], chip_px: int) -> Image.Image:
    """The large drawing at its true size, with labels; their places are in pixels of the large one."""
    reduced = image.resize((image.width // OVERSAMPLE, image.height // OVERSAMPLE), Image.Resampling.LANCZOS)
    tags = [Tag(d.label, d.colour, x / OVERSAMPLE, y / OVERSAMPLE) for d, x, y in marks if d.label]
    return place_tags(reduced, tags, chip_px)


def shade(image: Image.Image, corners: tuple[float, ...], colour: Colour, strength: int) -> None:
    """Mixes a colour into a rectangle of the image, `strength` of 255."""
    area = Image.new("L", image.size, 0)
    ImageDraw.Draw(area).rectangle(corners, fill=strength)
    image.paste(colour, mask=area)


def draw_seconds(image: Image.Image, duration_s: float, top: int, chip_px: int, left: int = 0) -> None:
    """Ticks and numbers under a drawing of time that begins at `left`, at most some ten of them."""
    draw, font, unit = ImageDraw.Draw(image), text_font(chip_px), chip_px / CHIP_TEXT_PX
    step_s = next((step for step in TICKS_S if duration_s / step <= MAX_TICKS), duration_s)
    for tick in range(int(duration_s / step_s) + 1):
        x = left + tick * step_s / duration_s * (image.width - left - 1)
        draw.line((x, top, x, top + 3 * unit), fill=GREY, width=max(1, round(unit)))
        label, anchor = (f"{tick * step_s:g}", "mt") if tick else ("0 s", "lt")
        if x < image.width - 8 * unit:
            draw.text((max(x, 1), top + 6 * unit), label, font=font, fill=GREY, anchor=anchor)
