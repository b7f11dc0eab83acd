"""An answer as one drawing: the question, the files with the regions of question and answer, the text.

Each phrase has a colour of its own, in the text and on its regions; what the question named is amber. It draws what an
answer says, whatever model said it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from deixis.errors import InputError
from deixis.files.whole import whole_file
from deixis.geometry import Region, Text, parse_markup
from deixis.signals import MODALITIES, Signal
from deixis.visualize.canvas import (
    GREY,
    INK,
    LINE_HEIGHT,
    PALETTE,
    POINTED,
    WARNING,
    Word,
    flow,
    marked,
    words_of,
)
from deixis.visualize.drawing import Drawing, Letters, Placed, TextLine
from deixis.visualize.panels.panel import Drawn, PanelSize, panel
from deixis.visualize.raster import to_image
from deixis.visualize.svg import to_svg

MIN_SIDE_PX, MAX_SIDE_PX = 640, 1280
"""Smaller images are enlarged and larger ones reduced, so that lines and letters fit them."""
MIN_WIDTH_PX = 640  # of what has no width of its own, and of the lines of text
MARGIN_PX, GAP_PX = 24, 16
QUESTION_PX, ANSWER_PX, WARNING_PX, NAME_PX, CHIP_PX = 18, 22, 15, 13, 14
MAX_LINES = 12
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".svg": "SVG"}
QUALITY = 92  # of JPEG and WebP: letters stay clean


@runtime_checkable
class Drawable(Protocol):
    """What is drawn of an answer; `deixis.inference.Answer` is one."""

    text: str
    question: str
    phrases: Sequence[Any]
    signals: Sequence[Signal]
    asked: Sequence[Region]
    warnings: Sequence[str]


def drawing_format(path: Path) -> str:
    """Name of the format that the ending of a path stands for. Raises InputError for another ending."""
    if path.suffix.lower() not in FORMATS:
        endings = ", ".join(FORMATS)
        raise InputError(f"'{path}': expected a name ending in {endings}; got '{path.suffix or 'no ending'}'")
    return FORMATS[path.suffix.lower()]


def draw_answer(answer: Drawable, path: Path | None = None) -> Image.Image:
    """An RGB image of an answer, written to `path` in the format of its ending, whole or not at all.

    Raises InputError for an unknown ending, OSError where it cannot be written.
    """
    form = drawing_format(path) if path is not None else None
    if path is not None and not path.parent.is_dir():
        raise FileNotFoundError(2, "No such folder to write the drawing to", str(path))
    drawing = answer_drawing(answer)
    image = to_image(drawing)
    if path is not None:
        with whole_file(path) as part:
            if form == "SVG":
                part.write_bytes(to_svg(drawing))
            else:
                image.save(part, format=form, quality=QUALITY, exif=marked())
    return image


def answer_drawing(answer: Drawable) -> Drawing:
    """The question, one panel per signal in the order given, the answer.

    Regions of the answer are named as `to_dict` counts them, "region-0", and those of the question "asked-0".
    """
    drawn: list[list[Drawn]] = [[] for _ in answer.signals]
    for number, region in enumerate(answer.asked):
        drawn[region.signal].append(Drawn(region, f"{{{number}}}", POINTED, filled=False, name=f"asked-{number}"))
    pairs = ((number, phrase, region) for number, phrase in enumerate(answer.phrases) for region in phrase.regions)
    for place, (number, phrase, region) in enumerate(pairs):
        if not region.is_empty:
            colour = PALETTE[number % len(PALETTE)]
            drawn[region.signal].append(Drawn(region, phrase.text, colour, name=f"region-{place}"))
    width = max([MIN_WIDTH_PX, *(_image_width(s) for s in answer.signals if s.extent.axes == "xy")])
    blocks = {"question": _text_block(_question_words(answer.question), width, QUESTION_PX)}
    for number, (signal, own) in enumerate(zip(answer.signals, drawn, strict=True)):
        blocks[f"signal-{number}"] = _signal_block(signal, own, width, len(answer.signals) > 1)
    blocks["answer"] = _text_block(_answer_words(answer), width, ANSWER_PX)
    warned = [word for sentence in answer.warnings for word in words_of(f"Warning: {sentence}.", WARNING)]
    blocks["warnings"] = _text_block(warned, width, WARNING_PX)
    return _stacked({name: block for name, block in blocks.items() if block.height_px}, width)


def _image_width(signal: Signal) -> int:
    """Width at which an image is drawn: its own where its longer side is within bounds."""
    height, width = signal.extent.size_hw
    longer = max(height, width)
    return max(1, round(width * min(max(longer, MIN_SIDE_PX), MAX_SIDE_PX) / longer))


def _signal_block(signal: Signal, drawn: Sequence[Drawn], width: int, named: bool) -> Drawing:
    """The drawing of a signal, under its name where there are several."""
    own_width = _image_width(signal) if signal.extent.axes == "xy" else width
    drawing = panel(signal, drawn, PanelSize(own_width, MODALITIES[signal.modality].panel_height_px, CHIP_PX))
    if not named:
        return drawing
    name_height = round(LINE_HEIGHT * NAME_PX) + 4
    parts = [Letters(0, 0, signal.name, GREY, NAME_PX, "la"), Placed(0, name_height, drawing)]
    return Drawing(drawing.width_px, drawing.height_px + name_height, parts)


def _text_block(words: Sequence[Word], width: int, text_px: int) -> Drawing:
    lines, step = flow(words, width, text_px, CHIP_PX, MAX_LINES), round(LINE_HEIGHT * text_px)
    parts = [TextLine(number * step, line, text_px, CHIP_PX) for number, line in enumerate(lines)]
    return Drawing(width, step * len(lines), parts)


def _question_words(question: str) -> list[Word]:
    words: list[Word] = []
    for piece in parse_markup(question):
        if isinstance(piece, Text):
            words += words_of(piece.text, GREY)
            continue
        words += words_of(piece.phrase or "", GREY, underlined=True)
        words += [Word(f"{{{index}}}", POINTED, is_chip=True) for index in piece.indices]
    return words


def _answer_words(answer: Drawable) -> list[Word]:
    """The text with its phrases in their colours; a phrase that stands for nothing is grey."""
    words: list[Word] = []
    for start, end, number in _segments(answer):
        if number is None:
            words += words_of(answer.text[start:end], INK)
            continue
        colour = PALETTE[number % len(PALETTE)] if answer.phrases[number].regions else GREY
        words += words_of(answer.text[start:end], colour, underlined=True)
    return words or words_of("(no words)", GREY)


def _segments(answer: Drawable) -> Iterator[tuple[int, int, int | None]]:
    """(start, end, number of the phrase or None) from the beginning of the text to its end; overlaps are cut."""
    at = 0
    for number, phrase in sorted(enumerate(answer.phrases), key=lambda pair: pair[1].start):
        start, end = max(phrase.start, at), max(phrase.end, at)
        if end > start:
            yield at, start, None
            yield start, end, number
            at = end
    yield at, len(answer.text), None


def _stacked(blocks: Mapping[str, Drawing], width: int) -> Drawing:
    """The blocks in the middle of a page, one under the other."""
    parts, top = [], MARGIN_PX
    for name, block in blocks.items():
        parts.append(Placed(MARGIN_PX + (width - block.width_px) // 2, top, block, name))
        top += block.height_px + GAP_PX
    return Drawing(width + 2 * MARGIN_PX, top - GAP_PX + MARGIN_PX, parts)
