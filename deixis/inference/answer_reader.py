"""From generated tokens to an `Answer`: its clean text, its phrases, and their regions in file units.

An `AnswerReader` belongs to one row of a batch. It can be read while the row is still being generated (see `stream`);
no mask is computed twice.
"""

from collections.abc import Sequence

from torch import Tensor

from deixis.conversation import last_question
from deixis.geometry import ParsedRegion, Region
from deixis.geometry.parse import ParsedAnswer
from deixis.inference.answer import Answer, AnswerPhrase
from deixis.inference.engine import Engine
from deixis.inference.generation import GenerationState
from deixis.inference.signal_encoder import EncodedSignal
from deixis.model.generated import BYTE_TOKEN, generated_text, lacks_state, regions_in_file, with_phrase
from deixis.model.prepared import Prepared
from deixis.samples.sample import Sample

MAX_BYTE_TOKENS = 64
"""Trailing single-byte tokens that are held back: four make a character, more are noise of an untrained model."""


class AnswerReader:
    """Reads one row, given its sample, its encoded signals and its generation state."""

    def __init__(self, engine: Engine, sample: Sample, signals: Sequence[EncodedSignal], state: GenerationState):
        self.engine, self.sample, self.signals, self.state = engine, sample, signals, state
        self.processor = engine.processor
        self.prepared: list[Prepared] = [signal.prepared for signal in signals]
        self._made: dict[ParsedRegion, list[Region]] = {}

    @property
    def raw(self) -> str:
        """The generated text so far with its notation, up to a stop string."""
        return self._text(self.state.ids)

    @property
    def raw_settled(self) -> str:
        """As `raw`, without single-byte tokens at its end, whose character only the next tokens determine."""
        ids = list(self.state.ids)
        tokens = self.processor.tokenizer.convert_ids_to_tokens(ids[-MAX_BYTE_TOKENS:])
        while tokens and ids and BYTE_TOKEN.fullmatch(tokens.pop()):
            ids.pop()
        return self._text(ids)

    def _text(self, ids: Sequence[int]) -> str:
        return generated_text(self.processor.tokenizer, ids, self.engine.stop_strings)

    def parsed(self, raw: str) -> ParsedAnswer:
        return self.processor.parse(raw, self.prepared)

    def answer(self, name: str, seconds: float) -> Answer:
        """The answer as generated so far, by the model called `name`."""
        raw = self.raw
        parsed = self.parsed(raw)
        phrases = tuple(
            AnswerPhrase(p.text, p.start, p.end, tuple(r for own in p.regions for r in self.regions(own, p.text)))
            for p in parsed.phrases
        )
        signals = tuple(reference.values for reference in self.sample.signals)
        warnings = self.engine.warnings(self.sample, self.signals)
        return Answer(parsed.text, phrases, signals, name, seconds, raw, *last_question(self.sample), warnings)

    def regions(self, parsed: ParsedRegion, phrase: str) -> list[Region]:
        """The regions of one parsed region of a phrase, in file units; none for one that lies on padding only."""
        if lacks_state(parsed, self.state.seg_states):  # not yet: its token has still to be fed
            return []
        if parsed not in self._made:
            self._made[parsed] = regions_in_file(parsed, self.prepared, self.state.seg_states, self._point)
        made = self._made[parsed]
        # replaced once at most: the regions of the answer are the very objects that were streamed
        if made and made[0].phrase != phrase:
            made[:] = with_phrase(made, phrase)
        return made

    def _point(self, state: Tensor, signal: int) -> Tensor:
        """Mask logits (cell,) of one `<seg>`."""
        return self.engine.encoder.point(self.signals[signal], state[None])[0]
