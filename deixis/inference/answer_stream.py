"""The events of one answer while it is generated, read from its row of the batch after any step."""

import time
from collections.abc import Iterator, Sequence

from deixis.inference.answer_form import in_wanted_form, may_change_form
from deixis.inference.answer_reader import AnswerReader
from deixis.inference.engine import Engine
from deixis.inference.generation import GenerationState
from deixis.inference.signal_encoder import EncodedSignal
from deixis.inference.stream import StreamEvent, StreamParser, events_of
from deixis.samples.sample import Sample


class AnswerStream:
    """What can be shown of an answer, event by event.

    name: of the model, for the answer. sample: the question, its signals open, and `signals` encoded. state: of its
    row. began: when it was asked, in seconds of `time.perf_counter`.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        sample: Sample,
        signals: Sequence[EncodedSignal],
        state: GenerationState,
        began: float,
    ):
        self.engine, self.name, self.sample, self.began = engine, name, sample, began
        self.reader = AnswerReader(engine, sample, signals, state)
        self.parser = StreamParser(
            engine.processor.notation, engine.stop_strings, self.reader.parsed, self.reader.regions
        )
        # regions whose form may have to change are known only with all of the text
        self.comes_whole = may_change_form(sample, engine.network.config.abilities)

    def settled(self) -> Iterator[StreamEvent]:
        """The events that have become certain since the last call."""
        if not self.comes_whole:
            yield from self.parser.feed(self.reader.raw_settled)

    def finish(self) -> Iterator[StreamEvent]:
        """The remaining events of an answer that is complete; the last one is the answer."""
        if self.comes_whole:
            whole = self.reader.answer(self.name, time.perf_counter() - self.began)
            yield from events_of(in_wanted_form(self.engine, [self.sample], [whole])[0])
            return
        yield from self.parser.finish(self.reader.raw)
        answer = self.reader.answer(self.name, time.perf_counter() - self.began)
        yield StreamEvent("answer", answer.text, answer=answer)
