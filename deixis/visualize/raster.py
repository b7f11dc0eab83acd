"""Drawings as pixels. Lines and areas are drawn `OVERSAMPLE` times too large and then reduced, which smooths them."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from deixis.visualize.canvas import (
    CHIP_CORNER,
    CHIP_HEIGHT,
    CHIP_TEXT_PX,
    LINE_HEIGHT,
    Colour,
    Word,
    chip_width,
    contrast,
    text_font,
)
from deixis.visualize.drawing import (
    OVERSAMPLE,
    TINT,
    Drawing,
    Frame,
    Group,
    Label,
    Letters,
    Line,
    MaskArea,
    Outline,
    Part,
    Picture,
    Placed,
    Rectangle,
    Spot,
    TextLine,
)

SMOOTH = 0.4  # of a mask's edge, in its pixels; more would lose single pixels


def to_image(drawing: Drawing) -> Image.Image:
    """The drawing as an RGB image."""
    width, height = drawing.width_px, drawing.height_px
    parts = list(_flat(drawing.parts, 1.0))
    shapes = [(part, scale) for part, scale in parts if not isinstance(part, Label | Letters | TextLine | Placed)]
    times = OVERSAMPLE if shapes else 1
    image = Image.new("RGB", (width * times, height * times), drawing.paper)
    for part, scale in shapes:
        image = _with_shape(image, part, scale * OVERSAMPLE)
    if shapes:
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    for part, _ in parts:
        if isinstance(part, Placed):
            image.paste(to_image(part.drawing), (part.left, part.top))
    draw = ImageDraw.Draw(image)
    for part, _ in parts:
        match part:
            case Label():
                chip(draw, part.left, part.top, part.text, part.colour, part.text_px)
            case Letters():
                place, font = (part.x, part.y), text_font(part.text_px)
                draw.text(place, part.text, font=font, fill=part.colour, anchor=part.anchor)
            case TextLine():
                draw_line(draw, 0, part.top, part.words, part.text_px, part.chip_px)
    return image


def _flat(parts: Sequence[Part], scale: float) -> Iterator[tuple[Part, float]]:
    """Parts that are no groups, and how many pixels of the drawing one unit of each is."""
    for part in parts:
        if isinstance(part, Group):
            yield from _flat(part.parts, scale * part.scale)
        else:
            yield part, scale


def _with_shape(image: Image.Image, part: Part, scale: float) -> Image.Image:
    """The image, `OVERSAMPLE` times too large, with one more part on it, whose unit is `scale` pixels of the image."""
    draw = ImageDraw.Draw(image)
    match part:
        case Picture(rgb, box_xyxy, smooth):
            left, top, right, bottom = (round(value * scale) for value in box_xyxy)
            how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
            image.paste(Image.fromarray(rgb).resize((right - left, bottom - top), how), (left, top))
        case Rectangle(box_xyxy, colour, opacity):
            area = Image.new("L", image.size, 0)
            ImageDraw.Draw(area).rectangle([value * scale for value in box_xyxy], fill=round(255 * opacity))
            image.paste(colour, mask=area)
        case Line(points, colour, width_px):
            path = [tuple(point) for point in (np.asarray(points) * scale).tolist()]
            draw.line(path, fill=colour, width=max(1, round(width_px * OVERSAMPLE)), joint="curve")
        case Frame(box_xyxy, colour, pen_px):
            _draw_frame(draw, [value * scale for value in box_xyxy], colour, pen_px * OVERSAMPLE)
        case Outline(points, closed, colour, pen_px):
            _draw_path(draw, points * scale, closed, colour, pen_px * OVERSAMPLE)
        case Spot(x, y, colour, pen_px):
            pen = pen_px * OVERSAMPLE
            for radius, fill in ((3.2 * pen, contrast(colour)), (2.5 * pen, colour), (pen, contrast(colour))):
                draw.circle((x * scale, y * scale), radius, fill=fill)
        case MaskArea():
            return _with_mask(image, part, scale)
    return image


def _draw_frame(draw: ImageDraw.ImageDraw, box_xyxy: Sequence[float], colour: Colour, pen: float) -> None:
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


def _with_mask(image: Image.Image, part: MaskArea, scale: float) -> Image.Image:
    """The image with a tinted mask inside a contour of its colour and a thin light or dark one."""
    mask, line = Image.fromarray((part.mask * 255).astype(np.uint8)), round(part.pen_px * OVERSAMPLE * 0.75)
    if scale > 1:  # the steps of its pixels are not its shape
        large = mask.resize(image.size, Image.Resampling.NEAREST).filter(ImageFilter.GaussianBlur(SMOOTH * scale))
    else:
        large = mask.resize(image.size, Image.Resampling.BOX)
    brightest = int(np.asarray(large).max())
    shape = large.point(lambda value: 255 * (value > min(127, brightest - 1)))
    ring, halo = _grown(shape, line), _grown(shape, line + 2)
    flat = Image.new("RGB", image.size, part.colour)
    tinted = Image.composite(Image.blend(image, flat, TINT), image, shape) if part.filled else image
    pale = Image.composite(Image.new("RGB", image.size, contrast(part.colour)), tinted, halo)
    return Image.composite(tinted, Image.composite(flat, pale, ring), shape)


def _grown(shape: Image.Image, by_px: int) -> Image.Image:
    return shape.filter(ImageFilter.BoxBlur(by_px)).point(lambda value: 255 * (value > 0))


def chip(
    draw: ImageDraw.ImageDraw, left: float, top: float, label: str, colour: Colour, text_px: int = CHIP_TEXT_PX
) -> float:
    """Draw a label in a rounded box with its upper left corner at (left, top); its width."""
    width, height = chip_width(label, text_px), CHIP_HEIGHT * text_px
    corners = (left, top, left + width - 1, top + height - 1)
    draw.rounded_rectangle(corners, CHIP_CORNER * text_px, fill=colour)
    middle = left + width / 2, top + height / 2
    draw.text(middle, label, font=text_font(text_px), fill=contrast(colour), anchor="mm")
    return width


def draw_line(
    draw: ImageDraw.ImageDraw,
    left: float,
    top: float,
    line: Sequence[Word],
    text_px: int,
    chip_px: int = CHIP_TEXT_PX,
) -> None:
    """Draw a line that `flow` made, its upper left corner at (left, top)."""
    font, under = text_font(text_px), top + 1.15 * text_px
    for number, word in enumerate(line):
        x = left + word.left
        if word.is_chip:
            chip(draw, x, top + (LINE_HEIGHT * text_px - CHIP_HEIGHT * chip_px) / 2, word.text, word.colour, chip_px)
            continue
        draw.text((x, top), word.text, font=font, fill=word.colour)
        if word.underlined:
            follows = number + 1 < len(line) and line[number + 1].underlined and not line[number + 1].is_chip
            same = follows and line[number + 1].colour == word.colour
            end = left + line[number + 1].left if same else x + font.getlength(word.text)
            draw.line((x, under, end, under), fill=word.colour, width=max(1, round(text_px / 12)))
