"""From what the network said to what a person reads: the text, its phrases, and the regions they stand for.

A `Reading` belongs to one row. It may be read while the row is still being said (see `stream`); no mask is made twice.
"""

import re
from collections.abc import Iterator, Sequence

from torch import Tensor

from deixis.geometry import Mark, mark_region
from deixis.geometry.parse import ParsedAnswer
from deixis.inference.answer import Answer, AnswerPhrase, Marked
from deixis.inference.engine import Engine
from deixis.inference.generation import Said
from deixis.inference.question import Question
from deixis.inference.signal_encoder import Sight
from deixis.model.masks.mask_cells import Prepared, mask_score, pointed

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
MOST_BYTES = 64
"""Tokens of single bytes in a row that are waited for: four make a character, more are noise of an untrained model."""


class Reading:
    """Reads one row: its question, the sights of its signals, and what was said."""

    def __init__(self, engine: Engine, question: Question, sights: Sequence[Sight], said: Said):
        self.engine, self.question, self.sights, self.said = engine, question, sights, said
        self.processor = engine.processor
        self.prepared: list[Prepared] = [sight.prepared for sight in sights]
        self._made: dict[Mark, list[Marked]] = {}

    @property
    def raw(self) -> str:
        """The model's text so far, markup and all, up to a text that ends answers."""
        return self._text(self.said.ids)

    @property
    def raw_settled(self) -> str:
        """As `raw`, without tokens of single bytes at its end: what character a byte belongs to, the next one says."""
        ids = list(self.said.ids)
        tokens = self.processor.tokenizer.convert_ids_to_tokens(ids[-MOST_BYTES:])
        while tokens and ids and _BYTE.fullmatch(tokens.pop()):
            ids.pop()
        return self._text(ids)

    def _text(self, ids: Sequence[int]) -> str:
        text = self.processor.tokenizer.decode(ids, skip_special_tokens=False)
        return text[: min((at for stop in self.engine.stops if (at := text.find(stop)) >= 0), default=len(text))]

    def parsed(self, raw: str) -> ParsedAnswer:
        return self.processor.parse(raw, self.prepared)

    def answer(self, name: str, seconds: float) -> Answer:
        """The answer as it stands, by the model called `name`."""
        raw = self.raw
        parsed = self.parsed(raw)
        phrases = tuple(
            AnswerPhrase(p.text, p.start, p.end, tuple(r for mark in p.marks for r in self.regions(mark)))
            for p in parsed.phrases
        )
        asked = self.question
        return Answer(parsed.text, phrases, asked.signals, name, seconds, raw, asked.text, asked.regions)

    def regions(self, mark: Mark) -> list[Marked]:
        """The regions that one mark stands for, in file units; none for a place on padding alone."""
        if mark not in self._made:
            if mark.kind != "seg":
                self._made[mark] = list(_written(mark, self.prepared))
            elif mark.seg_index is None or mark.seg_index >= len(self.said.states):
                return []
            else:
                self._made[mark] = self._pointed(self.said.states[mark.seg_index], mark.signal)
        return self._made[mark]

    def _pointed(self, state: Tensor, signal: int) -> list[Marked]:
        """The regions that one <seg> marks: a mask or point set, spans of a sound, masks of a film's frames."""
        logits = self.engine.eye.point(self.sights[signal], state[None])[0].float().cpu()
        marks, score = pointed(logits, self.prepared[signal]), mask_score(logits)
        return [Marked(signal, kind, value, score, time_s) for kind, value, time_s in marks]


def _written(mark: Mark, prepared: Sequence[Prepared]) -> Iterator[Marked]:
    """The region that was written as numbers, in file units; none where it lies outside the file."""
    region = mark_region(mark, [p.frame for p in prepared])
    if region is not None:
        kind = "box" if region.form == "box3d" else region.form
        yield Marked(mark.signal, kind, getattr(region, region.form), None, region.time_s)
