"""`Chat`: a conversation about one set of signals."""

from collections.abc import Iterator, Sequence
from typing import Any

from deixis.geometry import Region, named_question
from deixis.inference.abilities import check_abilities
from deixis.inference.answer import Answer
from deixis.inference.model import Model
from deixis.inference.question import MAX_NEW_TOKENS, Decoding, Question
from deixis.inference.stream import Piece
from deixis.model.chat_template import Past
from deixis.signals import Signal


class Chat:
    """Remembers the turns; every question may name regions of its own. Made by `Model.chat`."""

    def __init__(self, model: Model, signals: tuple[Signal, ...]):
        self.model, self.signals = model, signals
        self.answers: list[Answer] = []
        self._turns: list[Past] = []

    def ask(
        self, question: str, regions: Sequence[Region] = (), max_new_tokens: int = MAX_NEW_TOKENS, **drawing: Any
    ) -> Answer:
        """The next answer. A question that is refused leaves the conversation as it was."""
        asked = self._question(question, regions)
        answer = self.model.answer([asked], max_new_tokens, **drawing)[0]
        self._remember(asked, answer)
        return answer

    def stream(
        self, question: str, regions: Sequence[Region] = (), max_new_tokens: int = MAX_NEW_TOKENS, **drawing: Any
    ) -> Iterator[Piece]:
        """The next answer piece by piece (see `Model.stream`); the turn counts once its last piece is taken."""
        asked = self._question(question, regions)
        pieces = self.model.pieces(asked, Decoding(max_new_tokens, **drawing))

        def told() -> Iterator[Piece]:
            for piece in pieces:
                if piece.answer is not None:
                    self._remember(asked, piece.answer)
                yield piece

        return told()

    def check(self, region: Region) -> None:
        """Raises ValueError, one sentence, for a region that this model does not take."""
        check_abilities(Question("", self.signals, (region,)), self.model.network.config)

    def _question(self, question: str, regions: Sequence[Region]) -> Question:
        return Question(named_question(question, regions), self.signals, tuple(regions), tuple(self._turns))

    def _remember(self, asked: Question, answer: Answer) -> None:
        """What earlier turns pointed at is kept in the network's coordinates."""
        prepared = [self.model.engine.eye.prepare(signal).prepared for signal in self.signals]
        self._turns.append(self.model.processor.past(asked.text, asked.regions, prepared, answer.raw))
        self.answers.append(answer)
