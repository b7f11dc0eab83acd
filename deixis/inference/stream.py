"""Answers as they come: text that no longer changes, regions once they are complete, and at the end the answer.

What a model has said so far may still change its meaning: half a character, half a bracket, a mark that "@1" may
follow, a space that punctuation may swallow. `settled` cuts that off; what is left can be shown for good, for the clean
text of it is a beginning of the clean text of all.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from deixis.geometry.notations import Notation
from deixis.geometry.parse import Mark, ParsedAnswer
from deixis.geometry.regions import Region
from deixis.inference.answer import Answer

_BRACKET = r"\[[-+0-9.,\s]*\]"
_OPEN_BRACKET = re.compile(r"\[[-+0-9.,\s]*\Z")
_JOINT = r"[ \t\n,;]*(?:a|an|and|o|or)?[ \t\n]*"
_LOOSE_END = re.compile(r"[\s.,;:!?]*\Z")


@dataclass(frozen=True)
class StreamEvent:
    """A piece of an answer: "text" to put behind the last one; a "region" with the words it stands for; the "answer".

    The texts of an answer's pieces, one behind the other, are its text; its regions come in its order, each after the
    words before it; the last piece is the answer itself.
    """

    kind: str
    text: str = ""
    region: Region | None = None
    answer: Answer | None = None


def settled(raw: str, notation: Notation, stops: Sequence[str] = ()) -> str:
    """The beginning of a model's text that means the same whatever comes next; `stops` are texts that would end it.

    >>> from deixis.geometry import Notation
    >>> settled("A <p>mug</p>[1, 2, 3", Notation())
    'A <p>mug</p>'
    """
    cut = raw.rstrip("\ufffd")  # half a character
    for word in (*notation.markers, *stops):
        begun = next((n for n in range(min(len(word) - 1, len(cut)), 0, -1) if cut.endswith(word[:n])), 0)
        cut = cut[: len(cut) - begun]
    marks = [re.escape(notation.seg_token)] if notation.seg_token else []
    marks += [_BRACKET] if notation.coordinates else []
    if not marks:
        return cut
    mark = f"(?:{'|'.join(marks)})"
    bracket = _OPEN_BRACKET.search(cut) if notation.coordinates else None
    # "@1", or the rest of it, may follow a mark
    cut = cut[: bracket.start()] if bracket else re.sub(rf"{mark}(?:@[0-9]*)?\Z", "", cut)
    if not notation.has_phrases:  # "and" between two marks of one phrase would not be read
        cut = re.sub(rf"({mark}(?:@[0-9]+)?){_JOINT}\Z", r"\1", cut)
    return cut


class StreamParser:
    """Turns the growing text of one answer into pieces.

    notation, stops: as in `settled`. parse: a text to the clean text and its phrases. regions: a mark and
    its phrase to regions.
    """

    def __init__(
        self,
        notation: Notation,
        stops: Sequence[str],
        parse: Callable[[str], ParsedAnswer],
        regions: Callable[[Mark, str], Sequence[Region]],
    ):
        self.notation, self.stops, self.parse, self.regions = notation, stops, parse, regions
        self.text, self.marks = "", 0  # told so far

    def feed(self, raw: str) -> Iterator[StreamEvent]:
        """What can be told of the model's text that could not before."""
        parsed = self.parse(settled(raw, self.notation, self.stops))
        if any(map(str.isalnum, parsed.text)):  # before that, all of it may turn out to say nothing
            yield from self._emit(parsed, _LOOSE_END.sub("", parsed.text))

    def finish(self, raw: str) -> Iterator[StreamEvent]:
        """What is left to tell when all is said."""
        parsed = self.parse(raw)
        yield from self._emit(parsed, parsed.text)

    def _emit(self, parsed: ParsedAnswer, text: str) -> Iterator[StreamEvent]:
        number = 0
        for phrase in parsed.phrases:
            for mark in phrase.marks:
                number += 1
                if number > self.marks:
                    yield from self._emit_text(text[: max(phrase.end, len(self.text))])
                    self.marks = number
                    for region in self.regions(mark, phrase.text):
                        yield StreamEvent("region", phrase.text, region)
        yield from self._emit_text(text)

    def _emit_text(self, text: str) -> Iterator[StreamEvent]:
        if len(text) > len(self.text) and text.startswith(self.text):
            new, self.text = text[len(self.text) :], text
            yield StreamEvent("text", new)
