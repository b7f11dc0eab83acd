"""One signal as a small picture with regions drawn into it: pictures, sounds as spectrograms, clouds as scatter plots.

For people to look at samples of the world. Everything is drawn `OVERSAMPLE` times too large and then reduced, which
makes its edges smooth. Knows regions as records of the sample format; knows no text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from deixis.data.sample import Medium, RegionRecord
from deixis.geometry import rle_to_mask
from deixis.signals import open_signal
from deixis.signals.audio import log_mel

Colour = tuple[int, int, int]

WIDTH_PX = 256
OVERSAMPLE = 2
SOUND_HEIGHT_PX = 132
CLOUD_HEIGHT_PX = 208
AXIS_PX = 18  # under a sound, for the seconds
PALETTE: tuple[Colour, ...] = ((221, 44, 87), (22, 108, 214), (0, 143, 92), (201, 98, 0), (133, 63, 190), (0, 137, 160))
"""Colours of regions 0, 1, 2, ...: dark enough for white numbers on them."""
HEAT = np.array([[13, 14, 38], [52, 24, 96], [128, 38, 118], [206, 70, 96], [247, 136, 82], [253, 231, 170]], float)
"""Stops of the spectrogram's colours, quiet to loud."""
GREY: Colour = (122, 124, 132)
PAPER = np.array([242, 243, 247], float)
CLOUD_AZIMUTH_DEG, CLOUD_ELEVATION_DEG = -52.0, 34.0
CLOUD_DISTANCE = 2.6  # of the eye from the middle, in sides of the cloud's cube
CLOUD_BORDER_PX = 8
LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601: how bright a colour looks."""
CHIP_TEXT_PX = 11


@dataclass(frozen=True)
class Shown:
    """One region to draw: its number in the sample, its record, and which of its fields to draw."""

    number: int
    record: RegionRecord
    fields: tuple[str, ...]

    @property
    def colour(self) -> Colour:
        return PALETTE[self.number % len(PALETTE)]


def panel(medium: Medium, regions: Sequence[Shown]) -> Image.Image:
    """An RGB picture, `WIDTH_PX` wide, of a medium with its regions; opens the medium's file if it has no values."""
    values = medium.values if medium.values is not None else open_signal(medium.path, medium.kind).values
    if medium.kind not in PANELS:
        raise ValueError(f"kind of the medium {medium.id!r}: expected one of {', '.join(PANELS)}, got {medium.kind!r}")
    return PANELS[medium.kind](np.asarray(values), medium, regions)


def chip(draw: ImageDraw.ImageDraw, left: float, top: float, label: str, colour: Colour) -> float:
    """Draw a label in a rounded box with its upper left corner at (left, top); its width."""
    font = text_font(CHIP_TEXT_PX)
    width = max(15.0, font.getlength(label) + 8)
    draw.rounded_rectangle((left, top, left + width - 1, top + 14), 4, fill=colour)
    draw.text((left + width / 2, top + 7.5), label, font=font, fill=(255, 255, 255), anchor="mm")
    return width


@cache
def text_font(size_px: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font; each size is read once."""
    return ImageFont.load_default(size=size_px)


def _reduced(big: Image.Image) -> Image.Image:
    return big.resize((big.width // OVERSAMPLE, big.height // OVERSAMPLE), Image.Resampling.LANCZOS)


def _chips(image: Image.Image, corners: Sequence[tuple[Shown, float, float]]) -> Image.Image:
    """Number the regions at their upper left corners, kept inside the picture and off each other."""
    draw, used = ImageDraw.Draw(image), []
    for shown, x, y in corners:
        left, top = min(max(x, 2), image.width - 17), min(max(y, 2), image.height - 17)
        while any(abs(left - x0) < 16 and abs(top - y0) < 16 for x0, y0 in used) and left < image.width - 33:
            left += 17
        chip(draw, left, top, str(shown.number), shown.colour)
        used.append((left, top))
    return image


def _picture_panel(rgb: UInt8[np.ndarray, "h w 3"], medium: Medium, regions: Sequence[Shown]) -> Image.Image:
    scale = WIDTH_PX * OVERSAMPLE / rgb.shape[1]
    size = (WIDTH_PX * OVERSAMPLE, OVERSAMPLE * max(1, round(rgb.shape[0] * scale / OVERSAMPLE)))
    image = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC)
    corners = []
    for shown in regions:
        record = shown.record
        if "mask" in shown.fields:
            image = _with_mask(image, _mask_array(record), shown.colour)
            rows, columns = np.nonzero(_mask_array(record))
            corners.append((shown, columns.min() * scale, rows.min() * scale))
        draw = ImageDraw.Draw(image)
        if "box" in shown.fields:
            x1, y1, x2, y2 = (value * scale for value in record.box)
            draw.rectangle((x1 - 2, y1 - 2, x2 + 1, y2 + 1), outline=(255, 255, 255), width=7)
            draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=shown.colour, width=4)
            corners.append((shown, x1, y1))
        if "point" in shown.fields:
            x, y = (value * scale for value in record.point)
            _draw_spot(draw, x, y, shown.colour)
            corners.append((shown, x + 18, y - 30))
    return _chips(_reduced(image), [(shown, x / OVERSAMPLE, y / OVERSAMPLE) for shown, x, y in corners])


def _draw_spot(draw: ImageDraw.ImageDraw, x: float, y: float, colour: Colour) -> None:
    for radius, fill in ((13, "white"), (10, colour), (4, "white")):
        draw.circle((x, y), radius, fill=fill)


def _mask_array(record: RegionRecord) -> np.ndarray:
    return record.mask if isinstance(record.mask, np.ndarray) else rle_to_mask(record.mask)


def _with_mask(image: Image.Image, mask: np.ndarray, colour: Colour) -> Image.Image:
    """The picture with a tinted mask inside a contour of its colour and a thin white one."""
    smooth = Image.fromarray((mask * 255).astype(np.uint8)).resize(image.size, Image.Resampling.BICUBIC)
    inside = smooth.point(lambda value: 255 * (value > 127))
    ring, halo = inside.filter(ImageFilter.MaxFilter(7)), inside.filter(ImageFilter.MaxFilter(11))
    flat = Image.new("RGB", image.size, colour)
    tinted = Image.composite(Image.blend(image, flat, 0.35), image, inside)
    framed = Image.composite(flat, Image.composite(Image.new("RGB", image.size, "white"), tinted, halo), ring)
    return Image.composite(tinted, framed, inside)


def _sound_panel(samples: Float[np.ndarray, " samples"], medium: Medium, regions: Sequence[Shown]) -> Image.Image:
    mel = log_mel(samples.astype(np.float32), 64).T[::-1]  # (mel, time), low tones below
    low, high = np.percentile(mel, (5, 99.7))
    level = np.clip((mel - low) / max(high - low, 1e-6), 0, 1) * (len(HEAT) - 1)
    rgb = np.stack([np.interp(level, range(len(HEAT)), HEAT[:, channel]) for channel in range(3)], -1)
    duration_s = medium.duration_s or len(samples) / (medium.rate_hz or 16_000)
    per_s = WIDTH_PX * OVERSAMPLE / duration_s
    size = (WIDTH_PX * OVERSAMPLE, SOUND_HEIGHT_PX * OVERSAMPLE)
    image = Image.fromarray(rgb.round().astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    marks = []
    for shown in regions:
        instant = shown.record.point if "point" in shown.fields else None
        start, end = (value * per_s for value in (shown.record.span if instant is None else (*instant, *instant)))
        start, end = min(start, size[0] - 6), max(end, start + 6)
        area = Image.new("L", size, 0)
        ImageDraw.Draw(area).rectangle((start, 0, end, size[1]), fill=60)
        image.paste((255, 255, 255), mask=area)
        draw = ImageDraw.Draw(image)
        for x in (start, end):
            draw.line((x, 0, x, size[1]), fill=(255, 255, 255), width=6)
            draw.line((x, 0, x, size[1]), fill=shown.colour, width=4)
        draw.rectangle((start - 2, 0, end + 2, 8), fill=shown.colour)
        marks.append((shown, start / OVERSAMPLE + 4, 7))
    with_axis = Image.new("RGB", (WIDTH_PX, SOUND_HEIGHT_PX + AXIS_PX), "white")
    with_axis.paste(_chips(_reduced(image), marks))
    _seconds(with_axis, duration_s)
    return with_axis


def _seconds(image: Image.Image, duration_s: float) -> None:
    """Ticks and numbers along the lower edge, some five to ten of them."""
    draw, font = ImageDraw.Draw(image), text_font(CHIP_TEXT_PX)
    step_s = next((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if duration_s / step <= 10), duration_s)
    for tick in range(int(duration_s / step_s) + 1):
        x = tick * step_s / duration_s * (image.width - 1)
        draw.line((x, SOUND_HEIGHT_PX, x, SOUND_HEIGHT_PX + 3), fill=GREY)
        label, anchor = (f"{tick * step_s:g}", "mt") if tick else ("0 s", "lt")
        if x < image.width - 8:
            draw.text((max(x, 1), SOUND_HEIGHT_PX + 6), label, font=font, fill=GREY, anchor=anchor)


def _cloud_panel(values: Float[np.ndarray, "n 6"], medium: Medium, regions: Sequence[Shown]) -> Image.Image:
    xyz, rgb = values[:, :3].astype(np.float64), values[:, 3:].astype(np.float64) * 255
    size = (WIDTH_PX * OVERSAMPLE, CLOUD_HEIGHT_PX * OVERSAMPLE)
    project = _camera(xyz, size)
    x, y, depth = project(xyz)
    owner = np.full(len(xyz), -1)
    for shown in regions:
        if "points" in shown.fields:
            owner[np.asarray(shown.record.points)] = shown.number
        elif "box3d" in shown.fields:
            low, high = np.split(np.asarray(shown.record.box3d), 2)
            owner[((xyz >= low) & (xyz <= high)).all(1)] = shown.number
    marked = owner >= 0
    if marked.any():  # the rest steps back
        rgb = np.where(marked[:, None], rgb, PAPER * 0.62 + (rgb @ LUMA)[:, None] * 0.2 + rgb * 0.18)
    glow = np.array(PALETTE, float)[owner[marked] % len(PALETTE)]
    layers = [(x, y, depth, rgb, 6.0), (x[marked], y[marked], depth[marked] + 0.05, glow, 11.0)]
    image = Image.fromarray(_splatted(layers, size))
    draw, corners = ImageDraw.Draw(image), []
    for shown in regions:
        own = owner == shown.number
        if "point" in shown.fields:
            across, down, _ = (float(value[0]) for value in project(np.array([shown.record.point], float)))
            _draw_spot(draw, across, down, shown.colour)
            corners.append((shown, across / OVERSAMPLE + 9, down / OVERSAMPLE - 15))
        elif own.any():
            corners.append((shown, x[own].min() / OVERSAMPLE - 14, y[own].min() / OVERSAMPLE - 14))
    return _chips(_reduced(image), corners)


def _camera(
    xyz: np.ndarray, size: tuple[int, int]
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What takes places (n, 3) to pixels x, y and a depth: from above at an angle, all of the cloud `xyz` in sight.

    Depth is in sides of the cloud's cube, `CLOUD_DISTANCE` at its middle.
    """
    azimuth, elevation = np.deg2rad(CLOUD_AZIMUTH_DEG), np.deg2rad(CLOUD_ELEVATION_DEG)
    towards = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    middle, side = (xyz.min(0) + xyz.max(0)) / 2, max(float(np.ptp(xyz, axis=0).max()), 1e-9)

    def flat(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        unit = (places - middle) / side
        depth = CLOUD_DISTANCE - unit @ towards
        return np.stack([unit @ right, -unit @ np.cross(towards, right)], -1) / depth[:, None], depth

    on_plane, _ = flat(xyz)
    low, high = on_plane.min(0), on_plane.max(0)
    room = np.array(size) - 2 * CLOUD_BORDER_PX * OVERSAMPLE
    zoom = (room / np.maximum(high - low, 1e-3)).min()

    def project(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        plane, depth = flat(places)
        x, y = ((plane - (low + high) / 2) * zoom + np.array(size) / 2).T
        return x, y, depth

    return project


def _splatted(layers: Sequence[tuple], size: tuple[int, int]) -> np.ndarray:
    """Discs of all layers (x, y, depth, colours, radius), painted from far to near over paper: (h, w, 3) uint8."""
    canvas = np.tile(PAPER, (size[1] * size[0], 1))
    pixels, colours, depths = [], [], []
    for x, y, depth, colour, radius in layers:
        reach = np.arange(-int(radius), int(radius) + 1)
        dx, dy = (grid.ravel() for grid in np.meshgrid(reach, reach))
        disc = dx**2 + dy**2 <= radius**2
        column = (np.round(x)[:, None] + dx[disc]).astype(np.int64)
        row = (np.round(y)[:, None] + dy[disc]).astype(np.int64)
        inside = (column >= 0) & (column < size[0]) & (row >= 0) & (row < size[1])
        pixels.append((row * size[0] + column)[inside])
        haze = np.clip((depth - CLOUD_DISTANCE + 0.5) * 0.28, 0, 0.35)[:, None]  # what is far is paler
        colours.append(np.broadcast_to((colour * (1 - haze) + PAPER * haze)[:, None], (*inside.shape, 3))[inside])
        depths.append(np.broadcast_to(depth[:, None], inside.shape)[inside])
    pixel, colour = np.concatenate(pixels), np.concatenate(colours)
    order = np.argsort(-np.concatenate(depths), kind="stable")
    pixel = pixel[order]
    nearest = len(pixel) - 1 - np.unique(pixel[::-1], return_index=True)[1]  # the last one painted on each pixel
    canvas[pixel[nearest]] = colour[order][nearest]
    return np.clip(canvas, 0, 255).round().astype(np.uint8).reshape(size[1], size[0], 3)


PANELS: dict[str, Callable[[np.ndarray, Medium, Sequence[Shown]], Image.Image]] = {
    "image": _picture_panel,
    "audio": _sound_panel,
    "point_cloud": _cloud_panel,
}
