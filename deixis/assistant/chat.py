"""`Chat`: a conversation about one set of signals."""

from collections.abc import Sequence
from functools import cached_property

from deixis.assistant.answer import Answer
from deixis.assistant.model import MAX_NEW_TOKENS, Model, Question
from deixis.geometry import Region, named_question
from deixis.model.conversation import Past
from deixis.model.masks import Prepared
from deixis.signals import Signal


class Chat:
    """Remembers the turns; every question may name regions of its own. Made by `Model.chat`."""

    def __init__(self, model: Model, signals: tuple[Signal, ...]):
        self.model, self.signals = model, signals
        self.answers: list[Answer] = []
        self._turns: list[Past] = []

    @cached_property
    def _prepared(self) -> list[Prepared]:
        """The signals as the network takes them; what earlier turns pointed at is kept in their coordinates."""
        return [self.model.processor.prepare(signal) for signal in self.signals]

    def ask(self, question: str, regions: Sequence[Region] = (), max_new_tokens: int = MAX_NEW_TOKENS) -> Answer:
        """The next answer. A question that is refused leaves the conversation as it was."""
        question = named_question(question, regions)
        asked = Question(question, self.signals, tuple(regions), tuple(self._turns))
        answer = self.model.answer([asked], max_new_tokens)[0]
        self._turns.append(self.model.processor.past(question, regions, self._prepared, answer.raw))
        self.answers.append(answer)
        return answer
