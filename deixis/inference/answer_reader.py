"""From what the network said to what a person reads: the text, its phrases, and the regions they stand for.

An `AnswerReader` belongs to one row. It may be read while the row is being generated (see `stream`); no mask is
computed twice.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from deixis.conversation import last_question
from deixis.geometry import Mark, Region, mark_region
from deixis.geometry.parse import ParsedAnswer
from deixis.geometry.words import object_name
from deixis.inference.answer import Answer, AnswerPhrase
from deixis.inference.engine import Engine
from deixis.inference.generation import GenerationState
from deixis.inference.signal_encoder import EncodedSignal
from deixis.model.masks.mask_cells import logits_to_regions
from deixis.model.masks.prepared import Prepared
from deixis.samples.sample import Sample

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
MOST_BYTES = 64
"""Tokens of single bytes in a row that are waited for: four make a character, more are noise of an untrained model."""


class AnswerReader:
    """Reads one row: its sample, its encoded signals, and what was generated."""

    def __init__(self, engine: Engine, sample: Sample, signals: Sequence[EncodedSignal], state: GenerationState):
        self.engine, self.sample, self.signals, self.state = engine, sample, signals, state
        self.processor = engine.processor
        self.prepared: list[Prepared] = [signal.prepared for signal in signals]
        self._made: dict[Mark, list[Region]] = {}

    @property
    def raw(self) -> str:
        """The model's text so far, markup and all, up to a text that ends answers."""
        return self._text(self.state.ids)

    @property
    def raw_settled(self) -> str:
        """As `raw`, without tokens of single bytes at its end: what character a byte belongs to, the next one says."""
        ids = list(self.state.ids)
        tokens = self.processor.tokenizer.convert_ids_to_tokens(ids[-MOST_BYTES:])
        while tokens and ids and _BYTE.fullmatch(tokens.pop()):
            ids.pop()
        return self._text(ids)

    def _text(self, ids: Sequence[int]) -> str:
        text = self.processor.tokenizer.decode(ids, skip_special_tokens=False)
        return text[: min((at for stop in self.engine.stop_strings if (at := text.find(stop)) >= 0), default=len(text))]

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
        signals = tuple(reference.values for reference in self.sample.signals)
        return Answer(parsed.text, phrases, signals, name, seconds, raw, *last_question(self.sample))

    def regions(self, mark: Mark, phrase: str) -> list[Region]:
        """The regions that one mark of a phrase stands for, in file units; none for a place on padding alone."""
        if mark not in self._made:
            if mark.kind != "seg":
                region = mark_region(mark, [own.frame for own in self.prepared])
                self._made[mark] = [] if region is None else [region]
            elif mark.seg_index is None or mark.seg_index >= len(self.state.seg_states):
                return []
            else:
                self._made[mark] = self._pointed(self.state.seg_states[mark.seg_index], mark.signal)
        made = self._made[mark]
        if made and made[0].phrase != phrase:  # else the same objects as before, streamed or not
            made[:] = [replace(region, phrase=phrase, label=object_name(phrase)) for region in made]
        return made

    def _pointed(self, state: Tensor, signal: int) -> list[Region]:
        """The regions that one <seg> stands for: a mask, a point set, spans, or masks of video frames."""
        logits = self.engine.encoder.point(self.signals[signal], state[None])[0].float().cpu()
        return logits_to_regions(logits, self.prepared[signal], signal)
