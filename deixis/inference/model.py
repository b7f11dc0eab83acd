"""`Model`: a network and its processor behind `ask`, in the units and files of the person who asks."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from deixis.checkpoints import BUNDLED, Opened, open_config_and_processor, open_pretrained
from deixis.errors import InputError
from deixis.geometry import Region, named_question
from deixis.inference.answer import Answer
from deixis.inference.answer_reader import Reading
from deixis.inference.engine import Engine
from deixis.inference.question import MAX_NEW_TOKENS, Decoding, Question
from deixis.inference.stream import Piece, Teller
from deixis.inference.teacher_forcing import Scored, score
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.devices import choose_device
from deixis.signals import open_signal

if TYPE_CHECKING:
    from deixis.inference.chat import Chat

KEEP_BYTES = 2 << 30
"""Of what was seen and read: about a hundred pictures for a model of 7 billion weights, or a few long conversations."""


class Model:
    """Answers questions about files. Made by `load`; `network` and `processor` are transformers' own kind.

    What a file looks like to the model, and what the language model has read, is kept for the next question, at most
    `keep_bytes` of it. It belongs to these weights: `forget` it if you train them.
    """

    def __init__(
        self,
        network: DeixisForConditionalGeneration,
        processor: DeixisProcessor,
        name: str,
        keep_bytes: int = KEEP_BYTES,
    ):
        self.network, self.processor, self.name = network, processor, name
        self.engine = Engine(network, processor, keep_bytes)

    @property
    def device(self) -> torch.device:
        return self.network.device

    def ask(
        self,
        question: str,
        *signals: Any,
        regions: Sequence[Region] = (),
        want: str | None = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        **drawing: Any,
    ) -> Answer:
        """The answer to `question` about `signals` (paths, PIL pictures, arrays, tensors, (samples, rate_hz)).

        `{0}`, `{1}` in the question name `regions` (a question that names none has them put at its end), each in the
        units of its file; `Box(..., signal=1)` lies on the second file. `want`: "text", "box" or "mask", to have a
        model refused that cannot give them. `drawing`: temperature, top_p and seed (see `Decoding`). Raises ValueError,
        one sentence, for a file or region that cannot be used.
        """
        return self.answer([_question(question, signals, regions, want)], max_new_tokens, **drawing)[0]

    def stream(
        self,
        question: str,
        *signals: Any,
        regions: Sequence[Region] = (),
        want: str | None = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        **drawing: Any,
    ) -> Iterator[Piece]:
        """As `ask`, piece by piece as it comes: text, regions once they are complete, last the answer (see `Piece`).

        A question that is refused is refused here, before the first piece is asked for.
        """
        how = Decoding(max_new_tokens, **drawing)
        return self.pieces(_question(question, signals, regions, want), how)

    def chat(self, *signals: Any) -> "Chat":
        """A conversation about `signals` that remembers its turns."""
        from deixis.inference.chat import Chat

        return Chat(self, tuple(open_signal(signal) for signal in signals))

    def answer(
        self, questions: Sequence[Question], max_new_tokens: int = MAX_NEW_TOKENS, **drawing: Any
    ) -> list[Answer]:
        """Answers to several questions, as one batch; kinds and numbers of signals may differ among them."""
        if not questions:
            return []
        began = time.perf_counter()
        prompts = self.engine.read(questions)
        *_, said = self.engine.say(prompts, Decoding(max_new_tokens, **drawing))
        rows = zip(questions, prompts.sights, said, strict=True)
        readings = [Reading(self.engine, *row) for row in rows]
        each = (time.perf_counter() - began) / len(questions)
        return [reading.answer(self.name, each) for reading in readings]

    def pieces(self, question: Question, how: Decoding) -> Iterator[Piece]:
        """The answer to one question as `stream` gives it."""
        began = time.perf_counter()
        prompts = self.engine.read([question])

        def told() -> Iterator[Piece]:
            reading: Reading | None = None
            for (said,) in self.engine.say(prompts, how):
                if reading is None:
                    reading = Reading(self.engine, question, prompts.sights[0], said)
                    teller = Teller(self.processor.notation, self.engine.stops, reading.parsed, reading.regions)
                yield from teller.more(reading.raw_settled)
            yield from teller.rest(reading.raw)
            answer = reading.answer(self.name, time.perf_counter() - began)
            yield Piece("answer", answer.text, answer=answer)

        return told()

    def score(self, questions: Sequence[Question], answers: Sequence[str]) -> list[Scored]:
        """What the model makes of given answers, as it would have written them ("<p>the cup</p><seg>."), in one pass.

        The other way of evaluating masks: not those of the answer the model finds, but of the one it is given.
        """
        return score(self.engine, questions, answers, self.name)

    def forget(self) -> None:
        """Drops all that is kept of files and conversations."""
        self.engine.kept.clear()


def _question(text: str, signals: Sequence[Any], regions: Sequence[Region], want: str | None) -> Question:
    """A question about files, opened; it names all its regions."""
    opened = tuple(open_signal(signal) for signal in signals)
    return Question(named_question(text, regions), opened, tuple(regions), want=want)


def load(
    model: str | Path | Opened = BUNDLED,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    quantization: Any = None,
    keep_bytes: int = KEEP_BYTES,
) -> Model:
    """A model ready to ask: "bundled", a folder or a hub id, or what `open_config_and_processor` gave of one.

    A PointMLP's folder, converted or trained, gives a `Classifier`, which names point clouds.

    `device`: "cpu", "cuda", "mps"; the best there is if not given. `dtype`: float32 on the CPU if not given, else
    bfloat16. `quantization`: "int8", "int4" or a quantisation configuration of transformers (see `quantization`).
    `keep_bytes`: see `Model`. Raises ValueError, one sentence, for an unknown model or device, and a quantisation that
    does not run there.
    """
    place = choose_device(device)
    if dtype is None:
        dtype = torch.float32 if place.type == "cpu" else torch.bfloat16
    opened = model if isinstance(model, Opened) else open_config_and_processor(model)
    if opened.is_classifier:
        return _classifier(opened, place, quantization)
    if quantization is not None:
        from deixis.checkpoints.quantization import open_quantized

        return Model(*open_quantized(opened, dtype, quantization, place), opened.title, keep_bytes)
    network, processor = open_pretrained(opened, dtype)
    return Model(network.to(place), processor, opened.title, keep_bytes)


def _classifier(opened: Opened, place: torch.device, quantization: Any) -> Model:
    from deixis.inference.classifier import Classifier
    from deixis.systems.pointmlp.classifier import load_classifier

    if quantization is not None:
        raise InputError(
            f"quantization: '{opened.title}' is a PointMLP, which is small and runs as it is; leave it out"
        )
    classifier = load_classifier(opened.folder())
    classifier.network.to(place)
    return Classifier(classifier, opened.title)
