"""Drawings as SVG 1.1: signals as embedded images, regions as shapes over them, texts as text.

Each region is a group with an id and its phrase as title, in the pixels of its own image where it is one. A file needs
nothing outside it: no script, no address, no font by name; the widths of texts are those of the raster form.
"""

import io
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from deixis.files.budget import VARIABLE, BudgetError, max_decoded_bytes
from deixis.files.own import MARK
from deixis.geometry.outlines import corner_count, mask_outlines
from deixis.visualize.canvas import (
    CHIP_CORNER,
    CHIP_HEIGHT,
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

MAX_PNG_BYTES = 1 << 20
"""An image that is larger as PNG is embedded as JPEG."""
JPEG_QUALITY = 92
DECIMALS = 3
BYTES_PER_CORNER = 256
"""What a corner of a mask takes while it becomes text, as several of Python's objects."""
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not have, not even escaped."""
TEXT_ANCHORS = {"l": "start", "m": "middle", "r": "end"}

Element = ElementTree.Element


def to_svg(drawing: Drawing) -> bytes:
    """The drawing as an SVG file in UTF-8, with `deixis.files.own.MARK` at its end.

    Raises BudgetError for masks whose outlines have more corners than fit into the memory that a file may take.
    """
    width, height = str(drawing.width_px), str(drawing.height_px)
    root = Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": "http://www.w3.org/1999/xlink", "version": "1.1"}
        | {"width": width, "height": height, "viewBox": f"0 0 {width} {height}", "font-family": "sans-serif"},
    )
    _Writer().add_drawing(root, drawing)
    _add(root, "metadata").text = MARK
    return ElementTree.tostring(root, "utf-8", xml_declaration=True)


class _Writer:
    """Adds the elements of parts; ids that come again get a number, since there is one of each in a file."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.corners = 0  # of all masks

    def add_drawing(self, parent: Element, drawing: Drawing) -> None:
        _add(parent, "rect", width=drawing.width_px, height=drawing.height_px, fill=_hex(drawing.paper))
        for part in drawing.parts:
            self._add_part(parent, part, 1.0)

    def _id(self, name: str) -> str:
        self.ids[name] += 1
        return name if self.ids[name] == 1 else f"{name}-{self.ids[name]}"

    def _add_part(self, parent: Element, part: Part, pixel: float) -> None:
        """One part; `pixel`: how long a pixel of the drawing is in the units of the part's places."""
        match part:
            case Placed():
                self._add_placed(parent, part)
            case Group(name, title, parts, scale):
                group = _add(parent, "g", id=self._id(name), pointer_events="all")
                if scale != 1:
                    group.set("transform", f"scale({scale:.9g})")
                if title:
                    _add(group, "title").text = _clean(title)
                for inner in parts:
                    self._add_part(group, inner, pixel / scale)
            case Label():
                _add_chip(parent, part.left, part.top, part.text, part.colour, part.text_px)
            case Letters():
                _add_letters(parent, part)
            case TextLine():
                _add_text_line(parent, part)
            case MaskArea():
                self._add_mask(parent, part, pixel)
            case _:
                _add_shape(parent, part, pixel)

    def _add_mask(self, parent: Element, part: MaskArea, pixel: float) -> None:
        self.corners += corner_count(part.mask)
        _check_corners(self.corners)
        path, pen_px = _path(part.mask), 0.75 * part.pen_px
        _add_line(parent, "path", contrast(part.colour), pen_px + 2, pixel, d=path)
        area = _add_line(parent, "path", part.colour, pen_px, pixel, d=path, fill_rule="evenodd")
        if part.filled:
            area.set("fill", _hex(part.colour))
            area.set("fill-opacity", _number(TINT))

    def _add_placed(self, parent: Element, part: Placed) -> None:
        inner, place = part.drawing, f"translate({part.left} {part.top})"
        group = _add(parent, "g", id=self._id(part.name or "panel"), transform=place)
        if not all(isinstance(one, TextLine) for one in inner.parts):  # shapes are cut at the borders, letters never
            clip = _add(group, "clipPath", id=self._id("clip"))
            _add(clip, "rect", width=inner.width_px, height=inner.height_px)
            group.set("clip-path", f"url(#{clip.get('id')})")
        self.add_drawing(group, inner)


def _add(parent: Element, tag: str, **attributes: str | float) -> Element:
    """A new element; an underscore in the name of an attribute stands for a hyphen."""
    texts = {name.replace("_", "-"): v if isinstance(v, str) else _number(v) for name, v in attributes.items()}
    return ElementTree.SubElement(parent, tag, texts)


def _add_shape(parent: Element, part: Part, pixel: float) -> None:
    match part:
        case Picture():
            _add_picture(parent, part)
        case Rectangle(box_xyxy, colour, opacity):
            _add(parent, "rect", **_corner_and_size(box_xyxy), fill=_hex(colour), fill_opacity=opacity)
        case Line(points, colour, width_px):
            _add_line(parent, "polyline", colour, width_px, pixel, points=_points(points))
        case Frame(box_xyxy, colour, pen_px):
            for line, width_px in ((contrast(colour), 2 * pen_px), (colour, pen_px)):
                _add_line(parent, "rect", line, width_px, pixel, **_corner_and_size(box_xyxy))
        case Outline(points, closed, colour, pen_px):
            tag = "polygon" if closed else "polyline"
            points = points if len(points) > 1 else points.repeat(2, axis=0)  # of a single one nothing would show
            for line, width_px in ((contrast(colour), 2 * pen_px), (colour, 1.2 * pen_px)):
                _add_line(parent, tag, line, width_px, pixel, points=_points(points))
        case Spot(x, y, colour, pen_px):
            for radius, fill in ((3.2, contrast(colour)), (2.5, colour), (1.0, contrast(colour))):
                _add(parent, "circle", cx=x, cy=y, r=radius * pen_px * pixel, fill=_hex(fill))


def _add_line(
    parent: Element, tag: str, colour: Colour, width_px: float, pixel: float, **attributes: str | float
) -> Element:
    """A shape of lines without anything inside."""
    look = {"stroke": _hex(colour), "stroke_width": width_px * pixel, "stroke_linejoin": "round"}
    return _add(parent, tag, **attributes, fill="none", stroke_linecap="round", **look)


def _add_picture(parent: Element, part: Picture) -> None:
    image, place = Image.fromarray(part.rgb), _corner_and_size(part.box_xyxy)
    most = round(place["width"] * OVERSAMPLE), round(place["height"] * OVERSAMPLE)
    if part.smooth and image.width > most[0] and image.height > most[1]:
        image = image.resize(most, Image.Resampling.LANCZOS)
    element = _add(parent, "image", **place, preserveAspectRatio="none")
    if not part.smooth:
        element.set("image-rendering", "pixelated")
    content, form = io.BytesIO(), "png"
    image.save(content, "PNG")
    if content.tell() > MAX_PNG_BYTES:
        content, form = io.BytesIO(), "jpeg"
        image.save(content, "JPEG", quality=JPEG_QUALITY)
    element.set("xlink:href", f"data:image/{form};base64,{b64encode(content.getvalue()).decode('ascii')}")


def _add_chip(parent: Element, left: float, top: float, text: str, colour: Colour, text_px: int) -> None:
    width, height = chip_width(text, text_px), CHIP_HEIGHT * text_px
    _add(parent, "rect", x=left, y=top, width=width, height=height, rx=CHIP_CORNER * text_px, fill=_hex(colour))
    place = left + width / 2, top + height / 2
    _add_letters(parent, Letters(*place, text, contrast(colour), text_px, "mm"))


def _add_letters(parent: Element, part: Letters) -> None:
    font, (across, down) = text_font(part.text_px), part.anchor
    baseline = part.y + font.getbbox(part.text, anchor=f"l{down}")[1] - font.getbbox(part.text, anchor="ls")[1]
    look = {"text_anchor": TEXT_ANCHORS[across], "fill": _hex(part.colour)}
    _add_text(parent, part.x, baseline, font.getlength(part.text), part.text_px, **look).text = _clean(part.text)


def _add_text(parent: Element, x: float, y: float, width: float, text_px: int, **look: str) -> Element:
    """A text as wide as given in whatever font the reader has."""
    size = {"font_size": text_px, "textLength": width, "lengthAdjust": "spacingAndGlyphs"}
    return _add(parent, "text", x=x, y=y, **size, **look)


def _add_text_line(parent: Element, line: TextLine) -> None:
    font, chip_top = text_font(line.text_px), (LINE_HEIGHT * line.text_px - CHIP_HEIGHT * line.chip_px) / 2
    baseline = line.top + font.getmetrics()[0]
    for run in _runs(line.words):
        first, last = run[0], run[-1]
        if first.is_chip:
            _add_chip(parent, first.left, line.top + chip_top, first.text, first.colour, line.chip_px)
            continue
        width = last.left + font.getlength(last.text) - first.left
        text, span, before = _add_text(parent, first.left, baseline, width, line.text_px), None, None
        for word in run:
            gap = before is not None and word.left > before.left + font.getlength(before.text) + 1
            if span is not None and before is not None and _look(before) == _look(word):
                span.text = (span.text or "") + " " * gap + _clean(word.text)
            else:
                if span is not None and gap:
                    span.tail = " "
                span = _add(text, "tspan", **_look(word))
                span.text = _clean(word.text)
            before = word


def _runs(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Chips by themselves, and the words between them."""
    run: list[Word] = []
    for word in words:
        if run and (word.is_chip or run[-1].is_chip):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _look(word: Word) -> dict[str, str]:
    return {"fill": _hex(word.colour)} | ({"text_decoration": "underline"} if word.underlined else {})


def _check_corners(count: int) -> None:
    """Raises BudgetError for masks of more corners than fit into the memory that a file may take."""
    most = max_decoded_bytes() // BYTES_PER_CORNER
    if count > most:
        raise BudgetError(
            f"SVG: expected masks with outlines of at most {most} corners, got {count}, as of a mask of single pixels; "
            f"write the drawing as PNG, or set {VARIABLE} higher."
        )


def _path(mask: np.ndarray) -> str:
    """The outlines of a mask as the data of a path, in its pixels."""
    return "".join(f"M{loop[0, 0]} {loop[0, 1]}{_turns(loop)}Z" for loop in mask_outlines(mask))


def _turns(loop: np.ndarray) -> str:
    """The corners of an outline but the first: by turns, one lies beside and one above or below the one before."""
    return "".join(f"V{y}" if number % 2 else f"H{x}" for number, (x, y) in enumerate(loop[1:].tolist()))


def _corner_and_size(box_xyxy: Sequence[float]) -> dict[str, float]:
    x1, y1, x2, y2 = box_xyxy
    return {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1}


def _points(points: np.ndarray) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in np.asarray(points).tolist())


def _number(value: float) -> str:
    """At most `DECIMALS` decimals.

    >>> _number(2.5), _number(40.0), _number(-0.0001)
    ('2.5', '40', '0')
    """
    return f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}".rstrip("0").rstrip(".")


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _clean(text: str) -> str:
    """The text with a mark for each character that XML does not have."""
    return NO_XML.sub("\ufffd", text)
