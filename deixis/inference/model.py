"""`Model`: a network and its processor behind `ask`, in files and their own units."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from deixis.checkpoints import BUNDLED, Opened, open_config_and_processor, open_pretrained
from deixis.conversation import answered, open_signals, question_sample
from deixis.errors import InputError, UnsupportedError
from deixis.geometry import Region, as_regions, named_question
from deixis.geometry.markup import check_question
from deixis.inference.abilities import Abilities, check_regions
from deixis.inference.answer import Answer
from deixis.inference.answer_form import in_wanted_form
from deixis.inference.answer_reader import AnswerReader
from deixis.inference.answer_stream import AnswerStream
from deixis.inference.engine import Engine
from deixis.inference.generation_options import MAX_NEW_TOKENS, GenerationOptions, generation_options
from deixis.inference.memory import choose_dtype
from deixis.inference.stream import StreamEvent
from deixis.inference.teacher_forcing import Scored, score
from deixis.inference.training_distribution import TrainingDistribution, read_distribution
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.devices import choose_device, dtype_named
from deixis.options import checked_arguments, shown
from deixis.samples.media import media_reference
from deixis.samples.sample import Sample
from deixis.signals import Signal, open_all
from deixis.systems.official import conversion_hint

CACHE_BYTES = 2 << 30
"""About a hundred images for a model of 7 billion parameters, or a few long conversations."""


class Model:
    """Answers questions about files. Made by `load`; `network` and `processor` are transformers' own classes.
    distribution: what it was trained on, for warnings.

    Encoded signals, and keys and values of earlier prompts, are cached for the next question, at most `cache_bytes` of
    them. They belong to these weights: call `clear_cache` after training them.
    """

    def __init__(
        self,
        network: DeixisForConditionalGeneration,
        processor: DeixisProcessor,
        name: str,
        cache_bytes: int = CACHE_BYTES,
        distribution: TrainingDistribution | None = None,
    ):
        self.network, self.processor, self.name = network, processor, name
        self.engine = Engine(network, processor, cache_bytes, distribution)

    @property
    def device(self) -> torch.device:
        return self.network.device

    @property
    def abilities(self) -> Abilities:
        """What this model can do, as its configuration says."""
        return self.network.config.abilities

    @checked_arguments
    def ask(
        self,
        question: str,
        *signals: Any,
        regions: Iterable[Any] = (),
        want: str | None = None,
        **generation: Any,
    ) -> Answer:
        """The answer to `question` about `signals`, in any form that `deixis.signals.open_signal` takes.

        `{0}`, `{1}` in the question refer to `regions` (a question that refers to none has them appended), each in the
        units of its file; `Box(..., signal=1)` lies on the second file, and forms other than `Region` are those of
        `deixis.geometry.as_regions`. `want`: the form of the regions in the answer, "box" or "mask", or "text"; a model
        that cannot answer in this form is refused. `generation`: the fields of `GenerationOptions`.
        Raises InputError for one sentence, for a file or region that cannot be used.
        """
        return self.answer([_question(question, signals, regions, want)], **generation)[0]

    @checked_arguments
    def stream(
        self,
        question: str,
        *signals: Any,
        regions: Iterable[Any] = (),
        want: str | None = None,
        **generation: Any,
    ) -> Iterator[StreamEvent]:
        """As `ask`, event by event: text as it is generated, regions once complete, last the answer.

        A question that is refused is refused here, before the first event is requested.
        """
        options = generation_options(generation)
        return self.stream_sample(_question(question, signals, regions, want), options)

    def chat(self, *signals: Any) -> "Chat":
        """A conversation about `signals` that remembers its turns."""
        return Chat(self, open_all(signals))

    @checked_arguments
    def answer(
        self, samples: Sequence[Sample], max_new_tokens: int = MAX_NEW_TOKENS, **generation: Any
    ) -> list[Answer]:
        """Answers to samples whose last answer is missing, as one batch; their modalities may differ."""
        if not samples:
            return []
        began = time.perf_counter()
        options = generation_options({"max_new_tokens": max_new_tokens, **generation})
        with open_signals(samples) as opened:
            batch = self.engine.encode(opened)
            *_, states = self.engine.generate(batch, options)
            rows = zip(opened, batch.signals, states, strict=True)
            readers = [AnswerReader(self.engine, *row) for row in rows]
            seconds = (time.perf_counter() - began) / len(samples)
            return in_wanted_form(self.engine, opened, [reader.answer(self.name, seconds) for reader in readers])

    def stream_sample(self, sample: Sample, options: GenerationOptions) -> Iterator[StreamEvent]:
        """The answer to one sample whose signals are open, as `stream` gives it.

        Where regions may have to change their form, the text comes at once: they are known only with all of it.
        """
        began = time.perf_counter()
        batch = self.engine.encode([sample])

        def events() -> Iterator[StreamEvent]:
            stream: AnswerStream | None = None
            for (state,) in self.engine.generate(batch, options):
                stream = stream or AnswerStream(self.engine, self.name, sample, batch.signals[0], state, began)
                yield from stream.settled()
            assert stream is not None, "generation takes at least one step"
            yield from stream.finish()

        return events()

    @checked_arguments
    def score(self, samples: Sequence[Sample]) -> list[Scored]:
        """Teacher forcing: loss, logits and regions of given answers, in one pass.

        Each sample's last turn holds the answer, in markup or as `generated` text in the model's notation. Masks can be
        evaluated this way too: those of the given answer, not of one that the model generates.
        """
        with open_signals(samples) as opened:
            return score(self.engine, opened, self.name)

    def clear_cache(self) -> None:
        """Removes all cached signals and prompt prefixes."""
        self.engine.cache.clear()


class Chat:
    """Remembers the turns; every question may name regions of its own. Made by `Model.chat`.

    sample: the conversation so far, with the answers as the model generated them; None before the first.
    """

    def __init__(self, model: Model, signals: tuple[Signal, ...]):
        self.model, self.signals = model, signals
        self.answers: list[Answer] = []
        self.sample: Sample | None = None

    @checked_arguments
    def ask(self, question: str, regions: Iterable[Any] = (), **generation: Any) -> Answer:
        """The next answer. A question that is refused leaves the conversation as it was."""
        sample = self._question(question, regions)
        answer = self.model.answer([sample], **generation)[0]
        self._remember(sample, answer)
        return answer

    @checked_arguments
    def stream(self, question: str, regions: Iterable[Any] = (), **generation: Any) -> Iterator[StreamEvent]:
        """The next answer event by event (see `Model.stream`); the turn counts once its last event is taken."""
        sample = self._question(question, regions)
        stream = self.model.stream_sample(sample, generation_options(generation))

        def events() -> Iterator[StreamEvent]:
            for event in stream:
                if event.answer is not None:
                    self._remember(sample, event.answer)
                yield event

        return events()

    @checked_arguments
    def check(self, region: Region) -> None:
        """Raises InputError, one sentence, for a region that this model does not take."""
        check_regions({0: region}, [media_reference(signal) for signal in self.signals], self.model.abilities)

    def _question(self, question: str, regions: Iterable[Any]) -> Sample:
        places = as_regions(regions)
        return question_sample(named_question(question, places), self.signals, places, self.sample)

    def _remember(self, sample: Sample, answer: Answer) -> None:
        self.sample = answered(sample, answer.raw)
        self.answers.append(answer)


def _question(text: str, signals: Sequence[Any], regions: Iterable[Any], want: str | None) -> Sample:
    """A question about files, opened; it refers to all its regions. Raises InputError where there is no file."""
    if not signals:
        raise InputError(f"expected at least one file to ask about, got the question {text!r:.60} alone")
    places = as_regions(regions)
    check_question(text)  # before files are opened
    return question_sample(named_question(text, places), open_all(signals), places, want=want)


@checked_arguments
def load(
    model: str | Path | Opened = BUNDLED,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    quantization: Any = None,
    adapter: str | Path | None = None,
    cache_bytes: int = CACHE_BYTES,
) -> Model:
    """A model ready to ask: "bundled", a folder or a hub id, or the result of `open_config_and_processor`.

    A folder of a PointMLP, converted or trained, gives a `Classifier`, which classifies point clouds. One that `deixis
    export --quantize` wrote is quantised as it is stored, and runs on the CPU.

    Args:
        device: "cpu", "cuda", "mps"; the best available if not given.
        dtype: "float32", "bfloat16" or "float16"; if not given, float32 on the CPU where it fits into free memory, else
            bfloat16.
        quantization: "int8", "int4" or a quantisation configuration of transformers (`checkpoints.quantization`).
        adapter: a folder of low-rank adapters in PEFT's format, added to the weights that they were trained beside.
        cache_bytes: see `Model`.

    Raises:
        CheckpointError: an unknown model, weights that cannot be read, or an adapter of another model.
        InputError: an unknown device or dtype, or another quantisation than that of stored weights.
        UnsupportedError: a quantisation that does not run there, or more weights than memory that is free.
    """
    place, wanted = choose_device(device), None if dtype is None else dtype_named(dtype)
    with conversion_hint():
        opened = model if isinstance(model, Opened) else open_config_and_processor(model)
    if adapter is not None:
        opened = opened.with_adapter(adapter)
    if opened.is_classifier:
        return _classifier(opened, place, {"dtype": dtype, "quantization": quantization})
    if opened.packed:
        return _packed(opened, choose_device(device or "cpu"), wanted, quantization, cache_bytes)
    chosen = choose_dtype(opened, place, wanted, quantization)
    if quantization is not None:
        from deixis.checkpoints.quantization import open_quantized

        parts = open_quantized(opened, chosen, quantization, place)
        return Model(*parts, opened.title, cache_bytes, _distribution(opened))
    network, processor = open_pretrained(opened, chosen)
    return Model(network.to(place), processor, opened.title, cache_bytes, _distribution(opened))


def _distribution(opened: Opened) -> TrainingDistribution | None:
    """What the model was trained on; with an adapter it was trained further, on other data."""
    return None if opened.adapter is not None else read_distribution(opened.small)


def _packed(
    opened: Opened, place: torch.device, wanted: torch.dtype | None, quantization: Any, cache_bytes: int
) -> Model:
    """A model whose weights are stored quantised. Raises InputError and UnsupportedError for another way to run it."""
    assert opened.config is not None, "a classifier is stored whole"
    if quantization not in (None, opened.packed):
        raise InputError(
            f"quantization: expected {opened.packed}, in which the weights of '{opened.title}' are stored, or nothing; "
            f"got {shown(quantization)}; quantise the model that it was exported from"
        )
    if place.type != "cpu":
        raise UnsupportedError(
            f"device: the weights of '{opened.title}' are stored in {opened.packed} for the kernels of the cpu, got "
            f"{place.type}; take the model that it was exported from there"
        )
    stored = dtype_named(str(opened.config.dtype or "bfloat16").removeprefix("torch."))
    dtype = choose_dtype(opened, place, wanted or stored, opened.packed)
    return Model(*open_pretrained(opened, dtype), opened.title, cache_bytes, _distribution(opened))


def _classifier(opened: Opened, place: torch.device, smaller: dict[str, Any]) -> Model:
    from deixis.inference.classifier import Classifier
    from deixis.systems.pointmlp.classifier import load_classifier

    if given := next((name for name, value in smaller.items() if value is not None), None):
        raise InputError(f"{given}: '{opened.title}' is a PointMLP, which is small and runs as it is; leave it out")
    classifier = load_classifier(opened.folder())
    classifier.network.to(place)
    return Classifier(classifier, opened.title)
