"""What all drawings of signals share: a region to draw, drawing large and reducing, labels, shades and a time axis.

Everything is drawn `OVERSAMPLE` times too large and then reduced, which makes its edges smooth. It knows no kind of
signal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from deixis.geometry import Region
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


Mark = tuple[Drawn, float, float]
"""A region and the place of its label, in pixels of the large drawing."""


def reduced(big: Image.Image) -> Image.Image:
    """The large drawing at its true size."""
    return big.resize((big.width // OVERSAMPLE, big.height // OVERSAMPLE), Image.Resampling.LANCZOS)


def with_tags(image: Image.Image, marks: Sequence[Mark], chip_px: int) -> Image.Image:
    """The reduced drawing with labels; places are in pixels of the large one."""
    tags = [Tag(d.label, d.colour, x / OVERSAMPLE, y / OVERSAMPLE) for d, x, y in marks if d.label]
    return place_tags(reduced(image), tags, chip_px)


def shade(image: Image.Image, corners: tuple[float, ...], colour: Colour, strength: int) -> None:
    """Mixes a colour into a rectangle of the image, `strength` of 255."""
    area = Image.new("L", image.size, 0)
    ImageDraw.Draw(area).rectangle(corners, fill=strength)
    image.paste(colour, mask=area)


def axis_px(chip_px: int) -> int:
    """Height of a time axis, in pixels."""
    return round(AXIS_PX * chip_px / CHIP_TEXT_PX)


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
