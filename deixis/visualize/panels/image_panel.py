"""An image with its regions: boxes, points, scribbles, outlines and tinted masks; depth and normal maps as colours."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from deixis.geometry import bounding_box
from deixis.geometry.extent import Extent
from deixis.signals import Signal
from deixis.signals.normal import normal_colours
from deixis.visualize.canvas import GREY, WHITE, Colour, contrast, draw_spot, heat, text_font
from deixis.visualize.panels.panel import OVERSAMPLE, Drawn, PanelSize, with_tags

SMOOTH = 0.4  # of a mask's edge, in its pixels; more would lose single pixels
LABEL_SHIFT = 6  # of a mask's label, to the left of the mask's highest place, in sizes of its letters
TINT = 0.38
"""How much of its colour covers what is inside a mask."""
NEAREST, FARTHEST = 1, 99
"""Percentiles of a depth map's readings that its brightest and darkest colours stand for."""
NO_READING = (58, 61, 72)


def draw_image(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Image.Image:
    return image_panel(signal.values, drawn, size)


def draw_normals(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Image.Image:
    return image_panel(normal_colours(signal.values), drawn, size)


def draw_depth(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Image.Image:
    """Near is bright; grey has no reading. Under it, what the colours stand for."""
    values, chip_px = signal.values, size.chip_px
    inverse = 1 / np.where(values > 0, values, 1)
    far, near = np.percentile(inverse[values > 0], (100 - FARTHEST, 100 - NEAREST))
    rgb = heat((inverse - far) / max(float(near - far), 1e-9))
    rgb[values <= 0] = NO_READING
    image = image_panel(rgb, drawn, size)
    scale = Image.new("RGB", (image.width, image.height + size.axis_px), WHITE)
    scale.paste(image)
    draw, font, top = ImageDraw.Draw(scale), text_font(chip_px), image.height + 4
    draw.text((1, top), f"{1 / near:.3g} m", font=font, fill=GREY, anchor="lt")
    draw.text((image.width - 2, top), f"{1 / far:.3g} m", font=font, fill=GREY, anchor="rt")
    bar = heat(np.linspace(1, 0, image.width // 2))[None].repeat(max(chip_px - 4, 2), 0)
    scale.paste(Image.fromarray(bar), (image.width // 4, top + 1))
    return scale


def image_panel(rgb: np.ndarray, drawn: Sequence[Drawn], panel_size: PanelSize) -> Image.Image:
    """An RGB image of pixels (height, width, 3) uint8 at a width, with its regions and their labels."""
    width_px, chip_px, pen = panel_size.width_px, panel_size.chip_px, panel_size.pen
    scale = width_px * OVERSAMPLE / rgb.shape[1]
    size = (width_px * OVERSAMPLE, OVERSAMPLE * max(1, round(rgb.shape[0] * scale / OVERSAMPLE)))
    image = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC)
    extent = Extent("image", size_hw=rgb.shape[:2])
    items = [replace(item, region=item.region.decoded()) for item in drawn]
    shown = [item for item in items if item.region.form != "mask" or item.region.mask.any()]
    for item in shown:  # masks first, so that no tint covers a line
        if item.region.form == "mask":
            image = _with_mask(image, item.region.mask, item, pen, scale)
    marks = []
    for item in shown:
        draw, region, form = ImageDraw.Draw(image), item.region, item.region.form
        if form == "box":
            _draw_box(draw, [value * scale for value in region.box], item.colour, pen)
        elif form == "point":
            draw_spot(draw, *(value * scale for value in region.point), item.colour, pen)
        elif form in ("polygon", "scribble"):
            _draw_path(draw, getattr(region, form) * scale, form == "polygon", item.colour, pen)
        left, top = bounding_box(region, extent)[:2].tolist()
        if form == "mask":  # over its highest part, which need not be at the corner of its box
            left = max(left, float(np.flatnonzero(region.mask[int(top)]).mean()) - LABEL_SHIFT * chip_px / scale)
        x, y = left * scale, top * scale
        gap = 4 * pen if form == "point" else 0
        marks.append((item, x + gap, y - gap))
    return with_tags(image, marks, chip_px)


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
    """The image with a tinted mask inside a contour of its colour and a thin light or dark one."""
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
