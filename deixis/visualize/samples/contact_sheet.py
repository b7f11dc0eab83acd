"""A contact sheet: the cards of samples side by side, as one PNG."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

from PIL import Image, ImageDraw

from deixis.errors import InputError
from deixis.files.whole import whole_file
from deixis.samples.sample import Sample
from deixis.visualize.canvas import (
    CHIP_TEXT_PX,
    GREY,
    LINE_HEIGHT,
    Colour,
    Word,
    flow,
    marked,
    text_font,
    words_of,
)
from deixis.visualize.raster import draw_line
from deixis.visualize.samples.media_panels import (
    NOTE_TEXT_PX,
    WARNING,
    WIDTH_PX,
    and_more,
    colour_of,
    modalities_of,
    panel,
    pieces,
    shown_regions,
)

PADDING_PX = 10
CARD_WIDTH_PX = WIDTH_PX + 2 * PADDING_PX
TEXT_PX = 14
CARD_GAP_PX, MARGIN_PX, COLUMNS = 14, 22, 6
MAX_TURNS, MAX_LINES, MAX_SIGNALS = 3, 7, 4
HEAD_PX, PANEL_GAP_PX = 20, 6
PAGE: Colour = (229, 231, 237)
BORDER: Colour = (213, 216, 225)
QUESTION: Colour = (108, 111, 122)
ANSWER: Colour = (24, 26, 34)

Line = tuple[list[Word], int, int]
"""Words, the size of their letters, and the room under them, in pixels."""


def sample_card(sample: Sample) -> Image.Image:
    """One sample as a card: task and modalities, its signals with regions, then questions (grey) and answers (dark)."""
    turns = sample.turns[:MAX_TURNS]
    shown = zip(sample.signals[:MAX_SIGNALS], shown_regions(sample, turns), strict=False)
    panels = [panel(medium, regions) for medium, regions in shown]
    notes = [note for drawn in panels for note in drawn.notes]
    if len(sample.signals) > MAX_SIGNALS:
        notes.append(and_more(len(sample.signals) - MAX_SIGNALS, "signal"))
    lines = [line for note in notes for line in _lines(words_of(note, WARNING), NOTE_TEXT_PX, 4)]
    for turn in turns:
        lines += [*_lines(_words(turn.user, QUESTION), TEXT_PX, 2), *_lines(_words(turn.assistant, ANSWER), TEXT_PX, 6)]
    if len(sample.turns) > MAX_TURNS:
        lines += _lines(words_of(and_more(len(sample.turns) - MAX_TURNS, "turn"), GREY), NOTE_TEXT_PX, 2)
    text_height = sum(round(LINE_HEIGHT * text_px) + below for _, text_px, below in lines)
    height = 2 * PADDING_PX + HEAD_PX + sum(drawn.image.height + PANEL_GAP_PX for drawn in panels) + text_height
    card = Image.new("RGB", (CARD_WIDTH_PX, height), PAGE)
    draw = ImageDraw.Draw(card)
    draw.rounded_rectangle((0, 0, card.width - 1, height - 1), 9, fill="white", outline=BORDER)
    small = text_font(CHIP_TEXT_PX)
    right = f"{modalities_of(sample)} · {sample.split}"
    draw.text((card.width - PADDING_PX, PADDING_PX), right, font=small, fill=GREY, anchor="ra")
    room = WIDTH_PX - small.getlength(right) - PADDING_PX
    draw.text((PADDING_PX, PADDING_PX), _cut(sample.task.replace("_", " ").upper(), room), font=small, fill=ANSWER)
    y = PADDING_PX + HEAD_PX
    for drawn in panels:
        card.paste(drawn.image, (PADDING_PX + (WIDTH_PX - drawn.image.width) // 2, y))
        y += drawn.image.height + PANEL_GAP_PX
    for words, text_px, below in lines:
        draw_line(draw, PADDING_PX, y, words, text_px)
        y += round(LINE_HEIGHT * text_px) + below
    return card


def _lines(words: Iterable[Word], text_px: int, below_px: int) -> list[Line]:
    """Words as lines that fit the card, at most `MAX_LINES`, with room under the last."""
    lines = flow(words, WIDTH_PX, text_px, max_lines=MAX_LINES)
    return [(line, text_px, below_px * (number == len(lines))) for number, line in enumerate(lines, 1)]


def _words(text: str, colour: Colour) -> Iterable[Word]:
    """Words, spaces and the numbers of regions, in order."""
    for words, indices in pieces(text):
        if indices is None:
            yield from words_of(words, colour)
            continue
        yield from words_of(words, colour_of(indices[0]) if indices else GREY, underlined=True)
        for index in indices:
            yield Word(str(index), colour_of(index), is_chip=True)
        if not indices:
            yield Word("none", GREY, is_chip=True)


def _cut(text: str, room_px: float) -> str:
    """The text, its end left out where it is wider than the room."""
    font = text_font(CHIP_TEXT_PX)
    while text and font.getlength(text) > room_px:
        text = text[:-1]
    return text


def contact_sheet(samples: Sequence[Sample], columns: int = COLUMNS) -> Image.Image:
    """An RGB image of the samples as cards, each put under the column that is the shortest so far.

    Raises InputError when there is no sample to show.
    """
    if not samples:
        raise InputError("samples: expected at least one to show, got none")
    columns = min(columns, len(samples))
    cards = [sample_card(sample) for sample in samples]
    heights = [MARGIN_PX] * columns
    places = []
    for card in cards:
        column = min(range(columns), key=heights.__getitem__)
        places.append((MARGIN_PX + column * (CARD_WIDTH_PX + CARD_GAP_PX), heights[column]))
        heights[column] += card.height + CARD_GAP_PX
    width = 2 * MARGIN_PX + columns * (CARD_WIDTH_PX + CARD_GAP_PX) - CARD_GAP_PX
    sheet = Image.new("RGB", (width, max(heights) - CARD_GAP_PX + MARGIN_PX), PAGE)
    for card, place in zip(cards, places, strict=True):
        sheet.paste(card, place)
    return sheet


def save_contact_sheet(samples: Sequence[Sample], path: str | Path, columns: int = COLUMNS) -> None:
    """Write `contact_sheet(samples)` as a PNG, whole or not at all."""
    sheet = contact_sheet(samples, columns)
    with whole_file(Path(path)) as part:
        sheet.save(part, format="PNG", exif=marked())


def varied(samples: Iterable[Sample], count: int) -> list[Sample]:
    """At most `count` of the samples, as different as there are: modalities and tasks take turns."""
    tasks: dict[str, dict[str, list[Sample]]] = {}
    for sample in samples:
        modalities = "+".join(medium.modality for medium in sample.signals) or "text"
        tasks.setdefault(modalities, {}).setdefault(sample.task, []).append(sample)
    # the first task of each modality, then the second of each
    by_turn = zip_longest(*(own.values() for own in tasks.values()))
    groups = [group for turn in by_turn for group in turn if group is not None]
    rounds = max(map(len, groups), default=0)
    # the next round begins elsewhere in each group, so that one scene does not fill the sheet
    turns = [[group[(7 * i + n) % len(group)] for n, group in enumerate(groups)] for i in range(rounds)]
    found = {id(sample): sample for turn in turns for sample in turn}
    return list(found.values())[:count]
