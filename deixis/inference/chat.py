"""`Chat`: a conversation about one set of signals, kept as one growing sample."""

from collections.abc import Iterator, Sequence
from typing import Any

from deixis.conversation import answered, question_sample
from deixis.geometry import Region, named_question
from deixis.inference.abilities import check_regions
from deixis.inference.answer import Answer
from deixis.inference.generation_options import MAX_NEW_TOKENS, GenerationOptions
from deixis.inference.model import Model
from deixis.inference.stream import StreamEvent
from deixis.samples.media import media_reference
from deixis.samples.sample import Sample
from deixis.signals import Signal


class Chat:
    """Remembers the turns; every question may name regions of its own. Made by `Model.chat`.

    sample: the conversation so far, with the answers as the model generated them; None before the first.
    """

    def __init__(self, model: Model, signals: tuple[Signal, ...]):
        self.model, self.signals = model, signals
        self.answers: list[Answer] = []
        self.sample: Sample | None = None

    def ask(
        self, question: str, regions: Sequence[Region] = (), max_new_tokens: int = MAX_NEW_TOKENS, **generation: Any
    ) -> Answer:
        """The next answer. A question that is refused leaves the conversation as it was."""
        sample = self._question(question, regions)
        answer = self.model.answer([sample], max_new_tokens, **generation)[0]
        self._remember(sample, answer)
        return answer

    def stream(
        self, question: str, regions: Sequence[Region] = (), max_new_tokens: int = MAX_NEW_TOKENS, **generation: Any
    ) -> Iterator[StreamEvent]:
        """The next answer event by event (see `Model.stream`); the turn counts once its last event is taken."""
        sample = self._question(question, regions)
        stream = self.model.stream_sample(sample, GenerationOptions(max_new_tokens, **generation))

        def events() -> Iterator[StreamEvent]:
            for event in stream:
                if event.answer is not None:
                    self._remember(sample, event.answer)
                yield event

        return events()

    def check(self, region: Region) -> None:
        """Raises InputError, one sentence, for a region that this model does not take."""
        able = self.model.network.config.abilities["regions"]
        check_regions({0: region}, [media_reference(signal) for signal in self.signals], able)

    def _question(self, question: str, regions: Sequence[Region]) -> Sample:
        return question_sample(named_question(question, regions), self.signals, tuple(regions), self.sample)

    def _remember(self, sample: Sample, answer: Answer) -> None:
        self.sample = answered(sample, answer.raw)
        self.answers.append(answer)
