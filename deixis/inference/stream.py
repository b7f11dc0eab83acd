"""Streamed answers: text that no longer changes, regions once they are complete, and at the end the whole answer.

The text generated so far may still change its meaning: an incomplete character or bracket, a reference that "@1" may
follow, a space that punctuation may remove. `settled` cuts that off; the rest can be shown at once, because its clean
text is a prefix of the clean text of the whole answer.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from deixis.geometry.notations import Notation
from deixis.geometry.parse import ParsedAnswer, ParsedRegion
from deixis.geometry.regions import Region
from deixis.inference.answer import Answer

_BRACKET = r"\[[-+0-9.,\s]*\]"
_OPEN_BRACKET = re.compile(r"\[[-+0-9.,\s]*\Z")
_JOINT = r"[ \t\n,;]*(?:a|an|and|o|or)?[ \t\n]*"
_LOOSE_END = re.compile(r"[\s.,;:!?]*\Z")


@dataclass(frozen=True)
class StreamEvent:
    """One event of a streamed answer: new "text", a "region" with its phrase in `text`, or the whole "answer".

    The texts, concatenated, are the answer's text; regions come in its order, each after the text before it; the last
    event is the answer.
    """

    kind: str
    text: str = ""
    region: Region | None = None
    answer: Answer | None = None


def settled(raw: str, notation: Notation, stops: Sequence[str] = ()) -> str:
    """The prefix of a generated text whose meaning no further token can change; `stops` are the texts that end it.

    >>> from deixis.geometry import Notation
    >>> settled("A <p>mug</p>[1, 2, 3", Notation())
    'A <p>mug</p>'
    """
    cut = raw.rstrip("\ufffd")  # an incomplete character
    for word in (*notation.markers, *stops):
        # the longest proper prefix of a token that the text ends with
        begun = next((n for n in range(min(len(word) - 1, len(cut)), 0, -1) if cut.endswith(word[:n])), 0)
        cut = cut[: len(cut) - begun]
    references = [re.escape(notation.seg_token)] if notation.seg_token else []
    references += [_BRACKET] if notation.coordinates else []
    if not references:
        return cut
    reference = f"(?:{'|'.join(references)})"
    bracket = _OPEN_BRACKET.search(cut) if notation.coordinates else None
    # "@1", or the rest of it, may follow a reference
    cut = cut[: bracket.start()] if bracket else re.sub(rf"{reference}(?:@[0-9]*)?\Z", "", cut)
    if not notation.has_phrases:  # "and" between two references of one phrase is not part of the text
        cut = re.sub(rf"({reference}(?:@[0-9]+)?){_JOINT}\Z", r"\1", cut)
    return cut


class StreamParser:
    """Turns the growing text of one answer into events.

    notation, stops: as in `settled`. parse: a generated text to its clean text and phrases. regions: the regions in
    file units of a parsed region and its phrase.
    """

    def __init__(
        self,
        notation: Notation,
        stops: Sequence[str],
        parse: Callable[[str], ParsedAnswer],
        regions: Callable[[ParsedRegion, str], Sequence[Region]],
    ):
        self.notation, self.stops, self.parse, self.regions = notation, stops, parse, regions
        self.text, self.region_count = "", 0  # emitted so far
        self.known = ""  # the settled part of the generated text

    def feed(self, raw: str) -> Iterator[StreamEvent]:
        """The events that have become certain now that the generated text is `raw`."""
        known = settled(raw, self.notation, self.stops)
        if known == self.known:  # within a bracket, for example: most tokens of a box
            return
        self.known, parsed = known, self.parse(known)
        # punctuation alone may still be removed, if no word follows
        if any(map(str.isalnum, parsed.text)):
            yield from self._emit(parsed, _LOOSE_END.sub("", parsed.text))

    def finish(self, raw: str) -> Iterator[StreamEvent]:
        """The remaining events of the complete text."""
        parsed = self.parse(raw)
        yield from self._emit(parsed, parsed.text)

    def _emit(self, parsed: ParsedAnswer, text: str) -> Iterator[StreamEvent]:
        number = 0
        for phrase in parsed.phrases:
            for own in phrase.regions:
                number += 1
                if number > self.region_count:
                    # the text up to the end of the phrase comes before its region
                    yield from self._emit_text(text[: max(phrase.end, len(self.text))])
                    self.region_count = number
                    for region in self.regions(own, phrase.text):
                        yield StreamEvent("region", phrase.text, region)
        yield from self._emit_text(text)

    def _emit_text(self, text: str) -> Iterator[StreamEvent]:
        if len(text) > len(self.text) and text.startswith(self.text):
            new, self.text = text[len(self.text) :], text
            yield StreamEvent("text", new)


def events_of(answer: Answer) -> Iterator[StreamEvent]:
    """The events of an answer that is already whole."""
    shown = 0
    for phrase in answer.phrases:
        if phrase.end > shown:
            yield StreamEvent("text", answer.text[shown : phrase.end])
            shown = phrase.end
        for region in phrase.regions:
            yield StreamEvent("region", phrase.text, region)
    if answer.text[shown:]:
        yield StreamEvent("text", answer.text[shown:])
    yield StreamEvent("answer", answer.text, answer=answer)
