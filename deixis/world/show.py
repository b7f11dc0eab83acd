"""A contact sheet: samples as cards, each with its signals, its regions drawn and numbered, its questions and answers.

Phrases of an answer carry the colour of their region and are underlined. It draws what a sample says and nothing else,
so a wrong sample looks wrong.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from deixis.data.consistency import FIELDS_BEHIND
from deixis.data.sample import Sample
from deixis.geometry import Text, parse_markup
from deixis.signals.canvas import CHIP_TEXT_PX, GREY, PALETTE, Colour, Word, draw_line, flow, text_font, words_of
from deixis.world.panels import WIDTH_PX, Shown, panel

PADDING_PX, GAP_PX, MARGIN_PX = 10, 14, 22
TEXT_PX, LINE_PX = 14, 19
MAX_TURNS, MAX_LINES = 3, 7
SHEET: Colour = (229, 231, 237)
BORDER: Colour = (213, 216, 225)
QUESTION: Colour = (108, 111, 122)
ANSWER: Colour = (24, 26, 34)

# What is drawn for a reference without a form, first found first: a question points with the finest form there is,
# an answer gives the form that a model writes (deixis.geometry.write_answer).
_IN_QUESTION = ("mask", "box", "span", "points", "box3d", "point")
_IN_ANSWER = ("box", "span", "mask", "points", "box3d", "point")


def contact_sheet(samples: Sequence[Sample], columns: int = 6) -> Image.Image:
    """An RGB picture of the samples as cards, each put under the column that is the shortest so far.

    Raises ValueError when there is no sample to show.
    """
    if not samples:
        raise ValueError("samples: expected at least one to show, got none")
    columns = min(columns, len(samples))
    cards = [sample_card(sample) for sample in samples]
    heights = [MARGIN_PX] * columns
    places = []
    for card in cards:
        column = min(range(columns), key=heights.__getitem__)
        places.append((MARGIN_PX + column * (card.width + GAP_PX), heights[column]))
        heights[column] += card.height + GAP_PX
    width = 2 * MARGIN_PX + columns * (cards[0].width + GAP_PX) - GAP_PX
    sheet = Image.new("RGB", (width, max(heights) - GAP_PX + MARGIN_PX), SHEET)
    for card, place in zip(cards, places, strict=True):
        sheet.paste(card, place)
    return sheet


def save_contact_sheet(samples: Sequence[Sample], path: str | Path, columns: int = 6) -> None:
    """Write `contact_sheet(samples)` as a PNG."""
    contact_sheet(samples, columns).save(path, format="PNG")


def varied(samples: Iterable[Sample], count: int) -> list[Sample]:
    """At most `count` of the samples, as different as there are: kinds of signal and tasks take turns."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        kind = sample.signals[0].kind if sample.signals else "text"
        groups.setdefault((kind, sample.task), []).append(sample)
    rounds = max(map(len, groups.values()), default=0)
    # the next round begins elsewhere in each group, so that one scene does not fill the sheet
    turns = [[group[(7 * i + n) % len(group)] for n, group in enumerate(groups.values())] for i in range(rounds)]
    found = {id(sample): sample for turn in turns for sample in turn}
    return list(found.values())[:count]


def sample_card(sample: Sample) -> Image.Image:
    """One sample as a card: task and kind, its signals with regions, then questions (grey) and answers (dark)."""
    turns = sample.turns[:MAX_TURNS]
    fields = _fields_to_draw(sample)
    panels = [
        panel(medium, [Shown(n, sample.regions[n], f) for n, f in fields.items() if sample.regions[n].signal == number])
        for number, medium in enumerate(sample.signals)
    ]
    texts = [part for turn in turns for part in (_lines(turn.user, QUESTION), _lines(turn.assistant, ANSWER))]
    text_height = sum(len(lines) * LINE_PX + 2 + 4 * (number % 2) for number, lines in enumerate(texts))
    height = 2 * PADDING_PX + 20 + sum(image.height + 6 for image in panels) + text_height
    card = Image.new("RGB", (WIDTH_PX + 2 * PADDING_PX, height), SHEET)
    draw = ImageDraw.Draw(card)
    draw.rounded_rectangle((0, 0, card.width - 1, height - 1), 9, fill="white", outline=BORDER)
    small = text_font(CHIP_TEXT_PX)
    kinds = " + ".join(medium.kind.replace("_", " ") for medium in sample.signals) or "text"
    draw.text((PADDING_PX, PADDING_PX), sample.task.replace("_", " ").upper(), font=small, fill=ANSWER)
    draw.text((card.width - PADDING_PX, PADDING_PX), f"{kinds} · {sample.split}", font=small, fill=GREY, anchor="ra")
    y = PADDING_PX + 20
    for image in panels:
        card.paste(image, (PADDING_PX, y))
        y += image.height + 6
    for number, lines in enumerate(texts):
        for line in lines:
            draw_line(draw, PADDING_PX, y, line, TEXT_PX)
            y += LINE_PX
        y += 2 + 4 * (number % 2)
    return card


def _fields_to_draw(sample: Sample) -> dict[int, tuple[str, ...]]:
    """Number of every region that the shown turns mention -> its fields to draw."""
    fields: dict[int, tuple[str, ...]] = {}
    for turn in sample.turns[:MAX_TURNS]:
        for text, order in ((turn.user, _IN_QUESTION), (turn.assistant, _IN_ANSWER)):
            for piece in parse_markup(text):
                for index in () if isinstance(piece, Text) else piece.indices:
                    names = FIELDS_BEHIND[piece.form] if piece.form else order
                    found = next((n for n in names if getattr(sample.regions[index], n) is not None), None)
                    if found and found not in fields.get(index, ()):
                        fields[index] = (*fields.get(index, ()), found)
    return dict(sorted(fields.items()))


def _lines(text: str, colour: Colour) -> list[list[Word]]:
    """A marked-up text as lines of words that fit the card, at most `MAX_LINES`."""
    return flow(_words(text, colour), WIDTH_PX, TEXT_PX, max_lines=MAX_LINES)


def _words(text: str, colour: Colour) -> Iterable[Word]:
    """Words, spaces and the numbers of regions, in order."""
    for piece in parse_markup(text):
        if isinstance(piece, Text):
            yield from words_of(piece.text, colour)
            continue
        own = PALETTE[piece.indices[0] % len(PALETTE)] if piece.indices else GREY
        if piece.phrase is not None:
            yield from words_of(piece.phrase, own, underlined=True)
        for index in piece.indices:
            yield Word(str(index), PALETTE[index % len(PALETTE)], is_chip=True)
        if not piece.indices:
            yield Word("none", GREY, is_chip=True)
