"""`Classifier`: a PointMLP behind `ask`. Whatever is asked about a cloud, the answer is its class.

It takes one point cloud, no regions, and holds no conversation; what it lacks is refused in one sentence that names
models that have it. Its text is the most probable classes with their probabilities.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import torch

from deixis.conversation import last_question, open_signals
from deixis.errors import UnsupportedError
from deixis.inference.abilities import Abilities, check_abilities, check_signal
from deixis.inference.answer import Answer
from deixis.inference.generation_options import MAX_NEW_TOKENS, GenerationOptions, generation_options
from deixis.inference.model import Model
from deixis.inference.stream import StreamEvent
from deixis.inference.teacher_forcing import Scored
from deixis.model.tokenizers.pointmlp import PointMLPConfig
from deixis.samples.sample import Sample
from deixis.signals import open_signal, shape_points
from deixis.systems.pointmlp.classifier import CloudClassifier

SHOWN = 3
"""How many classes an answer names, the most probable first."""


class Classifier(Model):
    """Classifies point clouds. Made by `load` from a folder of a PointMLP, converted or trained; runs in float32.

    It has no `network`, `processor` and `engine` of a `Model`: `classifier` is all there is.
    """

    def __init__(self, classifier: CloudClassifier, name: str):
        self.classifier, self.name = classifier, name

    @property
    def device(self) -> torch.device:
        return next(self.classifier.network.parameters()).device

    @property
    def abilities(self) -> Abilities:
        return self.classifier.network.config.abilities

    def probabilities(self, cloud: Any) -> dict[str, float]:
        """Probability of each class for a cloud (path, array, ...), the most probable first; of a mesh, by its surface.

        Classes without names are called by their numbers, from 0.
        """
        signal = open_signal(cloud)
        check_signal(signal.modality, signal.name, self.abilities)
        return self.classifier.predict(shape_points(signal, self.classifier.network.config.points))

    def answer(
        self, samples: Sequence[Sample], max_new_tokens: int = MAX_NEW_TOKENS, **generation: Any
    ) -> list[Answer]:
        """An answer to each sample: "chair (0.83), table (0.10), sofa (0.04)"; nothing is sampled.

        Raises UnsupportedError for anything but one point cloud, for regions, and for masks or boxes.
        """
        generation_options({"max_new_tokens": max_new_tokens, **generation})  # refuses what every model refuses
        for sample in samples:
            check_cloud_question(sample)
        with open_signals(samples) as opened:
            return [self._answer(sample) for sample in opened]

    def stream_sample(self, sample: Sample, options: GenerationOptions) -> Iterator[StreamEvent]:
        """The answer to one sample as `stream` gives it: all at once."""
        del options
        (answer,) = self.answer([sample])
        return iter((StreamEvent("text", answer.text), StreamEvent("answer", answer.text, answer=answer)))

    def chat(self, *signals: Any) -> NoReturn:
        """Raises UnsupportedError: it cannot hold a conversation."""
        refuse_chat(self.name)

    def score(self, samples: Sequence[Sample]) -> list[Scored]:
        """Raises UnsupportedError: it has no text to score."""
        raise UnsupportedError(f"model '{self.name}': a PointMLP classifies a cloud and has no text to score")

    def clear_cache(self) -> None:
        """Nothing: it caches nothing."""

    def _answer(self, sample: Sample) -> Answer:
        began = time.perf_counter()
        signal = sample.signals[0].values
        probabilities = self.probabilities(signal)
        named = [(f"class {name}" if name.isdecimal() else name, value) for name, value in probabilities.items()]
        text = ", ".join(f"{name} ({value:.2f})" for name, value in named[:SHOWN])
        seconds = time.perf_counter() - began
        return Answer(text, (), (signal,), self.name, seconds, text, last_question(sample)[0], ())


def refuse_chat(name: str) -> NoReturn:
    """Raises UnsupportedError: the classifier called `name` holds no conversation."""
    raise UnsupportedError(f"model '{name}': a PointMLP classifies a cloud and holds no conversation; use deixis ask")


def check_cloud_question(sample: Sample) -> None:
    """Raises UnsupportedError for a question that a classifier of point clouds cannot answer."""
    check_abilities(sample, PointMLPConfig().abilities)
    if len(sample.signals) != 1:
        raise UnsupportedError(
            f"this model (a PointMLP) classifies one point cloud at a time; got {len(sample.signals)} files"
        )
