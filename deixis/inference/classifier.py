"""`Classifier`: a PointMLP behind `ask`. Whatever is asked about a cloud, the answer is what the cloud is.

It has classes and no words, so it takes one point cloud, no regions, and holds no conversation; what it lacks is
refused in one sentence that says who has it. It shows as text the likeliest classes with their probabilities.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import torch

from deixis.errors import InputError, UnsupportedError
from deixis.inference.abilities import WANTS, WHO_TAKES_REGIONS, WHO_TAKES_SIGNALS
from deixis.inference.answer import Answer
from deixis.inference.model import Model
from deixis.inference.question import MAX_NEW_TOKENS, Decoding, Question
from deixis.inference.stream import Piece
from deixis.inference.teacher_forcing import Scored
from deixis.signals import Signal, open_signal, shape_points
from deixis.systems.pointmlp.classifier import CloudClassifier

SHOWN = 3
"""Classes that an answer names, the likeliest first."""
KIND = "point_cloud"


class Classifier(Model):
    """Names what a cloud is. Made by `load` from a folder of a PointMLP, converted or trained; runs in float32.

    It has no `network`, `processor` and `engine` of a `Model`: `classifier` is all there is.
    """

    def __init__(self, classifier: CloudClassifier, name: str):
        self.classifier, self.name = classifier, name

    @property
    def device(self) -> torch.device:
        return next(self.classifier.network.parameters()).device

    def probabilities(self, cloud: Any) -> dict[str, float]:
        """Probability of each class for a cloud (path, array, ...), the likeliest first; of a mesh, by its surface.

        Classes without names are called by their numbers, from 0.
        """
        signal = open_signal(cloud)
        _check_kind(signal)
        return self.classifier.predict(shape_points(signal, self.classifier.network.config.points))

    def answer(
        self, questions: Sequence[Question], max_new_tokens: int = MAX_NEW_TOKENS, **drawing: Any
    ) -> list[Answer]:
        """An answer to each question: "chair (0.83), table (0.10), sofa (0.04)"; nothing is drawn from chances.

        Raises ValueError, one sentence, for anything but one point cloud, for regions and for masks or boxes wanted.
        """
        Decoding(max_new_tokens, **drawing)  # refuses what is no way to decode, as every model does
        for question in questions:
            check_cloud_question(question)
        return [self._answer(question) for question in questions]

    def pieces(self, question: Question, how: Decoding) -> Iterator[Piece]:
        """The answer to one question as `stream` gives it: all at once."""
        del how
        (answer,) = self.answer([question])
        return iter((Piece("text", answer.text), Piece("answer", answer.text, answer=answer)))

    def chat(self, *signals: Any) -> NoReturn:
        """Raises ValueError: it cannot answer twice."""
        refuse_chat(self.name)

    def score(self, questions: Sequence[Question], answers: Sequence[str]) -> list[Scored]:
        """Raises ValueError: it has no words to score."""
        raise UnsupportedError(f"model '{self.name}': a PointMLP names a cloud and has no answers in words to score")

    def forget(self) -> None:
        """Nothing: it keeps nothing of what it is asked about."""

    def _answer(self, question: Question) -> Answer:
        began = time.perf_counter()
        chances = self.probabilities(question.signals[0])
        named = [(f"class {name}" if name.isdecimal() else name, chance) for name, chance in chances.items()]
        text = ", ".join(f"{name} ({chance:.2f})" for name, chance in named[:SHOWN])
        seconds = time.perf_counter() - began
        return Answer(text, (), question.signals, self.name, seconds, text, question.text, ())


def refuse_chat(name: str) -> NoReturn:
    """Raises ValueError: the classifier called `name` holds no conversation."""
    raise UnsupportedError(f"model '{name}': a PointMLP names a cloud and holds no conversation; use deixis ask")


def check_cloud_question(question: Question) -> None:
    """Raises ValueError for a question that a classifier of clouds cannot answer; it says who can."""
    for signal in question.signals:
        _check_kind(signal)
    if len(question.signals) != 1:
        raise UnsupportedError(
            f"this model (a PointMLP) names one point cloud at a time; got {len(question.signals)} files"
        )
    if question.regions:
        raise UnsupportedError(f"region {{0}}: this model (a PointMLP) cannot be pointed at; {WHO_TAKES_REGIONS}")
    if question.want is not None and question.want not in WANTS:
        raise InputError(f"want: expected one of {', '.join(WANTS)}; got {question.want!r}")
    if question.want not in (None, "text"):
        raise InputError(
            f"want: this model (a PointMLP) answers with the name of a class, with no {question.want}; "
            f"{WANTS[question.want]}"
        )


def _check_kind(signal: Signal) -> None:
    if signal.modality != KIND:
        raise InputError(
            f"'{signal.name}': this model (a PointMLP) takes {KIND}; got a signal of modality {signal.modality}; "
            f"{WHO_TAKES_SIGNALS}"
        )
