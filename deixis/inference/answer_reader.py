"""From what the network said to what a person reads: the text, its phrases, and the regions they stand for.

A `Reading` belongs to one row. It may be read while the row is still being said (see `stream`); no mask is made twice.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from deixis.geometry import Mark, Region, mark_region
from deixis.geometry.parse import ParsedAnswer
from deixis.geometry.words import object_name
from deixis.inference.answer import Answer, AnswerPhrase
from deixis.inference.engine import Engine
from deixis.inference.generation import Said
from deixis.inference.question import Question
from deixis.inference.signal_encoder import Sight
from deixis.model.masks.mask_cells import Prepared, logits_to_regions

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
MOST_BYTES = 64
"""Tokens of single bytes in a row that are waited for: four make a character, more are noise of an untrained model."""


class Reading:
    """Reads one row: its question, the sights of its signals, and what was said."""

    def __init__(self, engine: Engine, question: Question, sights: Sequence[Sight], said: Said):
        self.engine, self.question, self.sights, self.said = engine, question, sights, said
        self.processor = engine.processor
        self.prepared: list[Prepared] = [sight.prepared for sight in sights]
        self._made: dict[Mark, list[Region]] = {}

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
            AnswerPhrase(p.text, p.start, p.end, tuple(r for mark in p.marks for r in self.regions(mark, p.text)))
            for p in parsed.phrases
        )
        asked = self.question
        return Answer(parsed.text, phrases, asked.signals, name, seconds, raw, asked.text, asked.regions)

    def regions(self, mark: Mark, phrase: str) -> list[Region]:
        """The regions that one mark of a phrase stands for, in file units; none for a place on padding alone."""
        if mark not in self._made:
            if mark.kind != "seg":
                region = mark_region(mark, [own.frame for own in self.prepared])
                self._made[mark] = [] if region is None else [region]
            elif mark.seg_index is None or mark.seg_index >= len(self.said.states):
                return []
            else:
                self._made[mark] = self._pointed(self.said.states[mark.seg_index], mark.signal)
        made = self._made[mark]
        if made and made[0].phrase != phrase:  # else the same objects as before, streamed or not
            made[:] = [replace(region, phrase=phrase, label=object_name(phrase)) for region in made]
        return made

    def _pointed(self, state: Tensor, signal: int) -> list[Region]:
        """The regions that one <seg> stands for: a mask, a point set, spans, or masks of video frames."""
        logits = self.engine.eye.point(self.sights[signal], state[None])[0].float().cpu()
        return logits_to_regions(logits, self.prepared[signal], signal)
