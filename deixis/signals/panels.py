"""One signal as a picture with regions drawn into it: pictures, sounds as spectrograms, clouds as scatter plots.

Everything is drawn `OVERSAMPLE` times too large and then reduced, which makes its edges smooth. Regions are the types
of `deixis.geometry`, in the units of their file, and are taken as checked; which question or answer they come from is
not known here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from deixis.geometry import Box, Mask, Point, Polygon, Region, Scribble, Span, bounding_box
from deixis.geometry.extent import Extent
from deixis.geometry.points import INSTANT_S
from deixis.signals.audio import RATE_HZ, log_mel
from deixis.signals.canvas import CHIP_TEXT_PX, GREY, WHITE, Colour, Tag, contrast, draw_spot, place_tags, text_font
from deixis.signals.cloud_panel import cloud_panel

OVERSAMPLE = 2
SOUND_HEIGHT = 132 / 256
CLOUD_HEIGHT = 208 / 256
"""Of the drawing, in its widths, where the caller does not say."""
MEL_BINS = 64
HEAT = np.array([[13, 14, 38], [52, 24, 96], [128, 38, 118], [206, 70, 96], [247, 136, 82], [253, 231, 170]], float)
"""Stops of the spectrogram's colours, quiet to loud."""
QUIET, LOUD = 5, 99.7
"""Percentiles of the spectrogram that the first and the last of its colours stand for."""
TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
MAX_TICKS = 10
PEN = 4 / 11
"""Width of a line on the large drawing, in sizes of the labels' letters."""
SMOOTH = 0.4  # of a mask's edge, in its pixels; more would lose single pixels
LABEL_SHIFT = 6  # of a mask's label, to the left of the mask's highest place, in sizes of its letters
TINT = 0.38
"""How much of its colour covers what is inside a mask."""


@dataclass(frozen=True)
class Drawn:
    """One region to draw, its label (none if empty) and colour; `filled`: tinted inside, not only outlined."""

    region: Region
    label: str
    colour: Colour
    filled: bool = True


def panel(
    kind: str,
    values: np.ndarray,
    drawn: Sequence[Drawn],
    width_px: int,
    height_px: int | None = None,
    chip_px: int = CHIP_TEXT_PX,
) -> Image.Image:
    """An RGB picture of a signal's values (as `Signal.values` has them) with regions on it and labels of `chip_px`.

    A picture keeps its shape, whatever the height. Raises ValueError for a kind that nothing draws.
    """
    if kind not in PANELS:
        raise ValueError(f"kind of the signal: expected one of {', '.join(PANELS)} to draw, got {kind!r}")
    return PANELS[kind](np.asarray(values), drawn, width_px, height_px, chip_px)


def _reduced(big: Image.Image) -> Image.Image:
    return big.resize((big.width // OVERSAMPLE, big.height // OVERSAMPLE), Image.Resampling.LANCZOS)


def _with_tags(image: Image.Image, marks: Sequence[tuple[Drawn, float, float]], chip_px: int) -> Image.Image:
    """The reduced drawing with labels; places are in pixels of the large one."""
    tags = [Tag(d.label, d.colour, x / OVERSAMPLE, y / OVERSAMPLE) for d, x, y in marks if d.label]
    return place_tags(_reduced(image), tags, chip_px)


def _picture_panel(
    rgb: np.ndarray, drawn: Sequence[Drawn], width_px: int, height_px: int | None, chip_px: int
) -> Image.Image:
    del height_px
    scale = width_px * OVERSAMPLE / rgb.shape[1]
    size = (width_px * OVERSAMPLE, OVERSAMPLE * max(1, round(rgb.shape[0] * scale / OVERSAMPLE)))
    image = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC)
    extent, pen = Extent("image", size_hw=rgb.shape[:2]), PEN * chip_px
    shown = [item for item in drawn if not isinstance(item.region, Mask) or item.region.array.any()]
    for item in shown:  # masks first, so that no tint covers a line
        if isinstance(item.region, Mask):
            image = _with_mask(image, item.region.array, item, pen, scale)
    marks = []
    for item in shown:
        draw, region = ImageDraw.Draw(image), item.region
        if isinstance(region, Box):
            _draw_box(draw, [v * scale for v in (region.x1, region.y1, region.x2, region.y2)], item.colour, pen)
        elif isinstance(region, Point):
            draw_spot(draw, *(v * scale for v in region.coords), item.colour, pen)
        elif isinstance(region, Polygon | Scribble):
            _draw_path(draw, region.points * scale, isinstance(region, Polygon), item.colour, pen)
        left, top = bounding_box(region, extent)[:2].tolist()
        if isinstance(region, Mask):  # over its highest part, which need not be at the corner of its box
            left = max(left, float(np.flatnonzero(region.array[int(top)]).mean()) - LABEL_SHIFT * chip_px / scale)
        x, y = left * scale, top * scale
        gap = 4 * pen if isinstance(region, Point) else 0
        marks.append((item, x + gap, y - gap))
    return _with_tags(image, marks, chip_px)


def _draw_box(draw: ImageDraw.ImageDraw, box_xyxy: Sequence[float], colour: Colour, pen: float) -> None:
    x1, y1, x2, y2 = box_xyxy
    x2, y2, line = max(x2 - 1, x1), max(y2 - 1, y1), round(pen)
    halo = contrast(colour)
    for grow in (line // 2, -line - line // 2):  # a thin line on either side of the coloured one
        frame = (x1 - grow, y1 - grow, x2 + grow, y2 + grow)
        if frame[2] > frame[0] and frame[3] > frame[1]:
            draw.rectangle(frame, outline=halo, width=max(1, line // 2))
    draw.rectangle((x1, y1, x2, y2), outline=colour, width=line)


def _draw_path(draw: ImageDraw.ImageDraw, points: np.ndarray, closed: bool, colour: Colour, pen: float) -> None:
    path = [tuple(point) for point in (*points, *(points[:2] if closed else ()))]  # over the first edge again
    for width, fill in ((2 * pen, contrast(colour)), (1.2 * pen, colour)):
        for x, y in path:
            draw.circle((x, y), width / 2, fill=fill)
        draw.line(path, fill=fill, width=round(width), joint="curve")


def _with_mask(image: Image.Image, inside: np.ndarray, item: Drawn, pen: float, scale: float) -> Image.Image:
    """The picture with a tinted mask inside a contour of its colour and a thin pale or dark one."""
    mask = Image.fromarray((inside * 255).astype(np.uint8))
    if scale > 1:  # the steps of its pixels are not its shape
        large = mask.resize(image.size, Image.Resampling.NEAREST).filter(ImageFilter.GaussianBlur(SMOOTH * scale))
    else:
        large = mask.resize(image.size, Image.Resampling.BOX)
    brightest = int(np.asarray(large).max())
    shape = large.point(lambda value: 255 * (value > min(127, brightest - 1)))
    ring, halo = _grown(shape, round(pen * 0.75)), _grown(shape, round(pen * 0.75) + 2)
    flat = Image.new("RGB", image.size, item.colour)
    tinted = Image.composite(Image.blend(image, flat, TINT), image, shape) if item.filled else image
    pale = Image.composite(Image.new("RGB", image.size, contrast(item.colour)), tinted, halo)
    return Image.composite(tinted, Image.composite(flat, pale, ring), shape)


def _grown(shape: Image.Image, by_px: int) -> Image.Image:
    return shape.filter(ImageFilter.BoxBlur(by_px)).point(lambda value: 255 * (value > 0))


def _sound_panel(
    samples: np.ndarray, drawn: Sequence[Drawn], width_px: int, height_px: int | None, chip_px: int
) -> Image.Image:
    axis_px = round(18 * chip_px / CHIP_TEXT_PX)
    size = (
        width_px * OVERSAMPLE,
        ((height_px - axis_px) if height_px else round(width_px * SOUND_HEIGHT)) * OVERSAMPLE,
    )
    duration_s, pen = len(samples) / RATE_HZ, PEN * chip_px
    image, marks = spectrogram(samples, size), []
    for item in drawn:
        region = item.region
        low_s, high_s = (region.start_s, region.end_s) if isinstance(region, Span) else region.coords * 2
        start, end = (min(max(v, 0.0), duration_s) * size[0] / duration_s for v in (low_s, high_s))
        if isinstance(region, Point):  # the instant, and faintly what it is taken to mean
            reach = INSTANT_S * size[0] / duration_s
            _shade(image, (start - reach, 0, end + reach, size[1]), WHITE, 30)
        start, end = min(start, size[0] - 1.5 * pen), max(end, start + 1.5 * pen)
        _shade(image, (start, 0, end, size[1]), item.colour if item.filled else WHITE, 70)
        draw, halo = ImageDraw.Draw(image), WHITE
        for x in (start, end):
            draw.line((x, 0, x, size[1]), fill=halo, width=round(1.5 * pen))
            draw.line((x, 0, x, size[1]), fill=item.colour, width=round(pen))
        draw.rectangle((start - pen / 2, 0, end + pen / 2, 2 * pen), fill=item.colour)
        marks.append((item, start + 2 * pen, 2 * pen + 2))
    drawing = Image.new("RGB", (width_px, size[1] // OVERSAMPLE + axis_px), WHITE)
    drawing.paste(_with_tags(image, marks, chip_px))
    _seconds(drawing, duration_s, size[1] // OVERSAMPLE, chip_px)
    return drawing


def _shade(image: Image.Image, corners: tuple[float, ...], colour: Colour, strength: int) -> None:
    """Mixes a colour into a rectangle of the picture, `strength` of 255."""
    area = Image.new("L", image.size, 0)
    ImageDraw.Draw(area).rectangle(corners, fill=strength)
    image.paste(colour, mask=area)


def spectrogram(samples: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Log-mel energies of 16 kHz mono samples as colours, (width, height); time to the right, low tones below."""
    mel = log_mel(samples.astype(np.float32), MEL_BINS).T[::-1]  # (mel, time)
    low, high = np.percentile(mel, (QUIET, LOUD))
    level = np.clip((mel - low) / max(high - low, 1e-6), 0, 1) * (len(HEAT) - 1)
    rgb = np.stack([np.interp(level, range(len(HEAT)), HEAT[:, channel]) for channel in range(3)], -1)
    return Image.fromarray(rgb.round().astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)


def _seconds(image: Image.Image, duration_s: float, top: int, chip_px: int) -> None:
    """Ticks and numbers under the spectrogram, at most some ten of them."""
    draw, font, unit = ImageDraw.Draw(image), text_font(chip_px), chip_px / CHIP_TEXT_PX
    step_s = next((step for step in TICKS_S if duration_s / step <= MAX_TICKS), duration_s)
    for tick in range(int(duration_s / step_s) + 1):
        x = tick * step_s / duration_s * (image.width - 1)
        draw.line((x, top, x, top + 3 * unit), fill=GREY, width=max(1, round(unit)))
        label, anchor = (f"{tick * step_s:g}", "mt") if tick else ("0 s", "lt")
        if x < image.width - 8 * unit:
            draw.text((max(x, 1), top + 6 * unit), label, font=font, fill=GREY, anchor=anchor)


def _cloud_panel(
    values: np.ndarray, drawn: Sequence[Drawn], width_px: int, height_px: int | None, chip_px: int
) -> Image.Image:
    size = (width_px * OVERSAMPLE, (height_px or round(width_px * CLOUD_HEIGHT)) * OVERSAMPLE)
    image, places = cloud_panel(values, [(item.region, item.colour) for item in drawn], size, PEN * chip_px)
    marks = [(item, *place) for item, place in zip(drawn, places, strict=True) if place is not None]
    return _with_tags(image, marks, chip_px)


PANELS: dict[str, Callable[..., Image.Image]] = {
    "image": _picture_panel,
    "audio": _sound_panel,
    "point_cloud": _cloud_panel,
}
"""Kind of signal -> what draws it: (values, drawn, width_px, height_px, chip_px) -> picture."""
