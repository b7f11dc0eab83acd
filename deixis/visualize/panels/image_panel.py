"""An image with its regions: boxes, points, scribbles, outlines and tinted masks; depth and normal maps as colours."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deixis.geometry import bounding_box
from deixis.geometry.extent import Extent
from deixis.signals import Signal
from deixis.signals.normal import normal_colours
from deixis.visualize.canvas import GREY, heat
from deixis.visualize.drawing import Drawing, Frame, Letters, MaskArea, Outline, Part, Picture, Placed, Spot
from deixis.visualize.panels.panel import Drawn, PanelSize, labels

LABEL_SHIFT = 3  # of a mask's label, to the left of the mask's highest place, in sizes of its letters
NEAREST, FARTHEST = 1, 99
"""Percentiles of a depth map's readings that its brightest and darkest colours stand for."""
NO_READING = (58, 61, 72)


def draw_image(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Drawing:
    return image_panel(signal.values, drawn, size)


def draw_normals(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Drawing:
    return image_panel(normal_colours(signal.values), drawn, size)


def draw_depth(signal: Signal, drawn: Sequence[Drawn], size: PanelSize) -> Drawing:
    """Near is bright; grey has no reading. Under it, what the colours stand for."""
    values, chip_px = signal.values, size.chip_px
    rgb, near_m, far_m = depth_colours(values)
    image = image_panel(rgb, drawn, size)
    width, top = image.width_px, image.height_px + 4
    bar = heat(np.linspace(1, 0, max(width // 2, 1)))[None].repeat(max(chip_px - 4, 2), 0)
    parts = [
        Placed(0, 0, image),
        Letters(1, top, f"{near_m:.3g} m", GREY, chip_px, "lt"),
        Letters(width - 2, top, f"{far_m:.3g} m", GREY, chip_px, "rt"),
        Picture(bar, (width // 4, top + 1, width // 4 + bar.shape[1], top + 1 + bar.shape[0])),
    ]
    return Drawing(width, image.height_px + size.axis_px, parts)


def depth_colours(depth_m: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(colours (height, width, 3) uint8, near_m, far_m): near is bright, grey has no reading; the brightest colour
    stands for near_m, the darkest for far_m."""
    inverse = 1 / np.where(depth_m > 0, depth_m, 1)
    far, near = np.percentile(inverse[depth_m > 0], (100 - FARTHEST, 100 - NEAREST))
    rgb = heat((inverse - far) / max(float(near - far), 1e-9))
    rgb[depth_m <= 0] = NO_READING
    return rgb, float(1 / near), float(1 / far)


def image_panel(rgb: np.ndarray, drawn: Sequence[Drawn], panel_size: PanelSize) -> Drawing:
    """An RGB image of pixels (height, width, 3) uint8 at a width, with its regions and their labels."""
    width_px, chip_px, pen = panel_size.width_px, panel_size.chip_px, panel_size.pen
    scale = width_px / rgb.shape[1]
    size = width_px, max(1, round(rgb.shape[0] * scale))
    extent = Extent("image", size_hw=rgb.shape[:2])
    items = [replace(item, region=item.region.decoded()) for item in drawn]
    shown = [item for item in items if item.region.form != "mask" or item.region.mask.any()]
    # masks first, so that no tint covers a line
    shapes = [item.group([_shape(item, pen)], scale) for item in sorted(shown, key=lambda i: i.region.form != "mask")]
    marks = []
    for item in shown:
        region, form = item.region, item.region.form
        left, top = bounding_box(region, extent)[:2].tolist()
        if form == "mask":  # over its highest part, which need not be at the corner of its box
            left = max(left, float(np.flatnonzero(region.mask[int(top)]).mean()) - LABEL_SHIFT * chip_px / scale)
        gap = 4 * pen if form == "point" else 0
        marks.append((item, left * scale + gap, top * scale - gap))
    return Drawing(*size, [Picture(rgb, (0, 0, *size)), *shapes, *labels(marks, size, chip_px)])


def _shape(item: Drawn, pen_px: float) -> Part:
    """A region in pixels of its image."""
    region, colour = item.region, item.colour
    match region.form:
        case "box":
            return Frame(region.box, colour, pen_px)
        case "point":
            return Spot(*region.point, colour, pen_px)
        case "mask":
            return MaskArea(region.mask, colour, item.filled, pen_px)
    return Outline(getattr(region, region.form), region.form == "polygon", colour, pen_px)
