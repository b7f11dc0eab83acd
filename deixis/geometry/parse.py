"""Parsing a model's answer: clean text, the phrases in it, and the regions that they refer to.

Total: any text gives phrases and regions or nothing, never an exception. References that cannot be read (a wrong count
of numbers, a signal that does not exist, an unclosed bracket) vanish; numbers out of range are clipped, reversed ones
sorted. Where the notation has no tokens around phrases, ``words.py`` finds them. It does not know the mask of a
``<seg>``: ``ParsedRegion.seg_index`` counts them in the raw text, valid or not, so that it lines up with the hidden
states of the network.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deixis.geometry.frames import Frame
from deixis.geometry.notations import Notation, coordinates_signal
from deixis.geometry.regions import Box, Box3D, Point, Region, Span, Tube
from deixis.geometry.words import words_before

_BRACKET = r"\[(?P<numbers>[-+0-9.,\s]*)(?P<closed>\]|\Z)"
_NOWHERE = "(?!)"
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?")
_TIDY = re.compile(
    r"[ \t]+(?=[.,;:!?](?:\s|$))"  # before punctuation
    r"|(?<=[ \t])[ \t]+"  # after another space
    r"|[ \t]+(?=\n)|(?<=\n)[ \t]+"  # at the ends of lines
)
_BETWEEN_REFERENCES = re.compile(r"[ \t\n,;]*")
_BETWEEN_UNDELIMITED = re.compile(r"[ \t\n,;]*(?:(?:and|or)[ \t\n]+)?")  # "dogs [..] and [..]" is one phrase
_HALTS = (",", ";", ":")
_HALTS_AND_ENDS = (*_HALTS, ".", "!", "?", "")
_EXTENDED = {"t": "span", "xy": "box", "xyt": "tube", "xyz": "box3d"}  # by the axes of the signal
_REGIONS = {"span": Span, "box": Box, "box3d": Box3D}
_MAX_SIGNAL_DIGITS = 4


@dataclass(frozen=True)
class ParsedRegion:
    """A region in an answer, before its mask or its coordinates in file units are known."""

    form: str  # "box" | "point" | "span" | "tube" | "box3d" | "seg"
    signal: int
    unit: tuple[float, ...] | None  # d or 2d unit coordinates (lower, then upper corner); None for "seg"
    seg_index: int | None  # number of this <seg> in the answer; None for coordinates


@dataclass(frozen=True)
class Phrase:
    """A phrase and its regions: ``answer.text[start:end]``, "" for regions without a phrase; no regions mean "none"."""

    text: str
    start: int
    end: int
    regions: tuple[ParsedRegion, ...]


@dataclass(frozen=True)
class ParsedAnswer:
    """The clean text of an answer, and the phrases in it, in order."""

    text: str
    phrases: tuple[Phrase, ...]


@dataclass
class _Draft:
    """A phrase while it is read; positions are in the untidied text."""

    start: int
    end: int | None = None  # None while it is open
    regions: list[ParsedRegion] | None = None  # None until a valid reference or [] was read


def parse_answer(text: str, frames: Sequence[Frame], notation: Notation) -> ParsedAnswer:
    """Clean text, phrases and regions of any text that a model generates; frames are those of the signals asked about.

    >>> from deixis.geometry.notations import Notation
    >>> from deixis.geometry.frames import letterbox_frame
    >>> frames = [letterbox_frame((64, 64), (64, 64))]
    >>> answer = parse_answer("A <p>mug</p>[0, 0, 499, 999].", frames, Notation())
    >>> answer.text, answer.phrases[0].text, answer.phrases[0].regions[0].unit
    ('A mug.', 'mug', (0.0005, 0.0005, 0.4995, 0.9995))
    """
    if not notation.has_regions:
        return ParsedAnswer(text.strip(), ())
    plain = ""
    drafts: list[_Draft] = []
    draft: _Draft | None = None  # the phrase that the next reference belongs to
    holes: list[int] = []  # where references were cut out of `plain`
    seg_count = 0
    cursor = 0
    after_reference = False
    separators = _BETWEEN_REFERENCES if notation.has_phrases else _BETWEEN_UNDELIMITED
    for token in _token_pattern(notation).finditer(text):
        is_reference = bool(token["seg"]) or token["numbers"] is not None
        between = text[cursor : token.start()]
        cursor = token.end()
        # separators between two references are not part of the text
        if not (is_reference and after_reference and separators.fullmatch(between)):
            plain = _joined(plain, between, after_reference)
            if between.strip() and draft is not None and draft.end is not None:
                draft = None
        after_reference = is_reference
        if token["open"]:
            draft = _Draft(start=len(plain))
            drafts.append(draft)
        elif token["close"]:
            if draft is not None and draft.end is None:
                draft.end = len(plain)
        elif is_reference:
            if draft is None:
                draft = (
                    _Draft(len(plain)) if notation.has_phrases else _Draft(*words_before(plain, max(holes, default=0)))
                )
                drafts.append(draft)
            if draft.end is None:
                draft.end = len(plain)
            holes.append(len(plain))
            if token["seg"]:
                signal = _named_signal(token["signal"] or "0", frames)
                region = None if signal is None else ParsedRegion("seg", signal, None, seg_count)
                seg_count += 1
            else:
                region = _coordinates_region(token, frames, notation)
            if region is not None:
                draft.regions = [*(draft.regions or []), region]
            elif token["closed"] == "]" and not token["numbers"].strip() and draft.end > draft.start:
                draft.regions = draft.regions or []
    return _tidied(_joined(plain, text[cursor:], after_reference), drafts, holes)


def coordinate_spans(text: str, frames: Sequence[Frame], notation: Notation) -> list[tuple[int, int]]:
    """(start, end) of every bracket of a text that `parse_answer` reads as the coordinates of a region, without @1.

    >>> from deixis.geometry.notations import Notation
    >>> from deixis.geometry.frames import letterbox_frame
    >>> coordinate_spans("7 of <p>mug</p>[1, 2], see [3]", [letterbox_frame((64, 64), (64, 64))], Notation())
    [(15, 21)]
    """
    tokens = (token for token in _token_pattern(notation).finditer(text) if token["numbers"] is not None)
    return [
        (token.start(), token.end("closed"))
        for token in tokens
        if _coordinates_region(token, frames, notation) is not None
    ]


def _token_pattern(notation: Notation) -> re.Pattern:
    words = {
        "open": notation.phrase_open,
        "close": notation.phrase_close,
        "region": notation.region_token,
        "seg": notation.seg_token,
    }
    named = [f"(?P<{name}>{re.escape(word) if word else _NOWHERE})" for name, word in words.items()]
    bracket = _BRACKET if notation.coordinates else f"{_NOWHERE}{_BRACKET}"
    return re.compile(f"{'|'.join(named[:3])}|(?:{named[3]}|{bracket})(?:@(?P<signal>[0-9]+))?")


def coordinates_as_masks(text: str, frames: Sequence[Frame], notation: Notation) -> str:
    """The same answer with ``<seg>`` in place of coordinates, as the notation writes an answer in masks.

    >>> from deixis.geometry.notations import Notation
    >>> coordinates_as_masks("<p>A mug</p>[0, 0, 499, 999], no <p>dog</p>[].", [], Notation())
    '<p>A mug</p><seg>, no <p>dog</p>[].'
    """

    def as_mask(token: re.Match) -> str:
        numbers = (token["numbers"] or "").replace(",", " ").split()
        if not numbers or token["closed"] != "]":
            return token[0]
        signal = token["signal"] or coordinates_signal(len(numbers), frames)
        return notation.seg_token + (f"@{signal}" if signal else "")

    return _token_pattern(notation).sub(as_mask, text) if notation.seg_token else text


def _joined(plain: str, more: str, after_reference: bool) -> str:
    """Text continued after a reference that was cut out; two words are not merged into one."""
    if after_reference and plain[-1:].isalnum() and more[:1].isalnum():
        return f"{plain} {more}"
    return plain + more


def _named_signal(digits: str, frames: Sequence[Frame]) -> int | None:
    if len(digits) > _MAX_SIGNAL_DIGITS or int(digits) >= len(frames):
        return None
    return int(digits)


def _coordinates_region(token: re.Match, frames: Sequence[Frame], notation: Notation) -> ParsedRegion | None:
    numbers = token["numbers"].replace(",", " ").split()
    if token["closed"] != "]" or len(numbers) > 6 or not all(map(_NUMBER.fullmatch, numbers)):
        return None
    if token["signal"] is None:
        signal = coordinates_signal(len(numbers), frames)
    else:
        signal = _named_signal(token["signal"], frames)
    if signal is None:
        return None
    dim = frames[signal].dim
    if not numbers or len(numbers) not in (dim, 2 * dim):
        return None
    form = "point" if len(numbers) == dim else _EXTENDED[frames[signal].size.axes]
    cells = [int(min(max(float(number), 0.0), notation.grid - 1.0)) for number in numbers]
    if form == "point":
        return ParsedRegion(form, signal, tuple((cell + 0.5) / notation.grid for cell in cells), None)
    pairs = [sorted(pair) for pair in zip(cells[:dim], cells[dim:], strict=True)]
    # a box without width is the cell that it lies in: from edge to edge, not from centre to centre
    reach = [0.0 if low < high else 0.5 for low, high in pairs]
    lows = tuple((low + 0.5 - more) / notation.grid for (low, _), more in zip(pairs, reach, strict=True))
    highs = tuple((high + 0.5 + more) / notation.grid for (_, high), more in zip(pairs, reach, strict=True))
    return ParsedRegion(form, signal, lows + highs, None)


def _tidied(plain: str, drafts: list[_Draft], holes: list[int]) -> ParsedAnswer:
    """The text without the spaces and commas that cut references left behind, and the phrases shifted with it."""
    # Punctuation around references alone has no meaning.
    kept = [any(character.isalnum() for character in plain)] * len(plain)
    for gap in _TIDY.finditer(plain):
        kept[gap.start() : gap.end()] = [False] * (gap.end() - gap.start())
    for hole in holes:
        before = len(plain[:hole].rstrip())
        if plain[before - 1 : before] in _HALTS and plain[hole:].lstrip()[:1] in _HALTS_AND_ENDS:
            kept[before - 1 : hole] = [False] * (hole - before + 1)  # "Sure, <seg>." is read as "Sure."
    # The ends last: a line break may stand there once the comma behind it is gone.
    left = [position for position, keep in enumerate(kept) if keep]
    words = "".join(plain[position] for position in left)
    for position in (*left[: len(words) - len(words.lstrip())], *left[len(words.rstrip()) :]):
        kept[position] = False
    moved = [0]  # moved[i]: place in the clean text of position i
    for keep in kept:
        moved.append(moved[-1] + keep)
    clean = "".join(character for character, keep in zip(plain, kept, strict=True) if keep)
    phrases = []
    for draft in drafts:
        if draft.regions is None or draft.end is None:
            continue
        start, end = moved[draft.start], moved[draft.end]
        words = clean[start:end]
        start, end = start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip())
        if not words.strip():
            if not draft.regions:
                continue
            start = end = min(start, end)
        phrases.append(Phrase(clean[start:end], start, end, tuple(draft.regions)))
    return ParsedAnswer(clean, tuple(phrases))


def region_in_file(parsed: ParsedRegion, frames: Sequence[Frame]) -> Region | None:
    """A parsed region in file units, clipped to its signal; None for "seg" and for one that lies on padding only."""
    if parsed.unit is None:
        return None
    frame = frames[parsed.signal]
    file = [frame.to_file(parsed.unit[i : i + frame.dim]) for i in range(0, len(parsed.unit), frame.dim)]
    clipped = [frame.clip(place) for place in file]
    if parsed.form == "point":
        return Point(*clipped[0].tolist(), signal=parsed.signal)
    if not (clipped[0] < clipped[1]).all():
        return None
    lows, highs = (place.tolist() for place in clipped)
    if parsed.form == "tube":
        return Tube(*lows[:2], *highs[:2], lows[2], highs[2], signal=parsed.signal)
    return _REGIONS[parsed.form](*lows, *highs, signal=parsed.signal)
