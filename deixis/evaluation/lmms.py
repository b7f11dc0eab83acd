"""Models of this package inside lmms-eval: `python -m lmms_eval --model deixis --model_args pretrained=bundled --tasks
...`.

lmms-eval finds `manifest` by the entry point group lmms_eval.models, and through it the class `Deixis` of this module,
which is only made when asked for: this module can be imported without lmms-eval. Written against version 0.7.3:
lmms_eval/api/model.py (`lmms`), api/task.py (`construct_requests`, what a request holds), models/registry_v2.py.
Requests may have images, audio, video and several of them. It knows no tasks and no metrics.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from deixis.conversation import answered, question_sample
from deixis.errors import DeixisError, UnsupportedError
from deixis.evaluation.runner import answer_or_refuse
from deixis.geometry import escaped
from deixis.inference import Answer, Model, load
from deixis.inference.generation_options import MAX_NEW_TOKENS
from deixis.samples.sample import Sample
from deixis.signals import open_signal

if TYPE_CHECKING:
    import lmms_eval.models.registry_v2

LOG = logging.getLogger(__name__)
BATCH = 8


def manifest() -> "lmms_eval.models.registry_v2.ModelManifest":
    """The manifest by which lmms-eval registers this model."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id="deixis", simple_class_path=f"{__name__}.Deixis")


def sample_of(context: str, visuals: Iterable[Any] | None) -> Sample:
    """A request as a sample; its braces are escaped, for it refers to no region."""
    signals = tuple(open_signal(visual) for visual in visuals or () if visual is not None)
    return question_sample(escaped(context.strip()), signals)


def decoding_of(kwargs: Mapping[str, Any]) -> tuple[int, dict[str, Any], list[str]]:
    """(max_new_tokens, sampling options, stop strings) of a task's generation_kwargs; greedy without options.

    Raises UnsupportedError for beam search.
    """
    if int(kwargs.get("num_beams") or 1) != 1:
        raise UnsupportedError(f"num_beams: expected 1, for beam search is not supported, got {kwargs['num_beams']}")
    stops = kwargs.get("until") or []
    tokens = int(kwargs.get("max_new_tokens") or kwargs.get("max_gen_toks") or MAX_NEW_TOKENS)
    temperature = float(kwargs.get("temperature") or 0.0)
    sampled = temperature > 0 and kwargs.get("do_sample", True)
    sampling = {"temperature": temperature, "top_p": float(kwargs.get("top_p") or 1.0)} if sampled else {}
    return tokens, sampling, [stop for stop in ([stops] if isinstance(stops, str) else stops) if stop]


def generate(
    model: Model, asked: Sequence[tuple[str, Callable[[], Any], Mapping[str, Any]]], batch: int = BATCH
) -> Iterator[str]:
    """The answers' texts to (context, visuals, generation_kwargs) requests, in order.

    Consecutive requests with the same kwargs are batched. A refused one gets an empty answer, and a warning.
    """
    for _, group in groupby(asked, key=lambda request: repr(sorted(request[2].items()))):
        while some := list(islice(group, batch)):
            tokens, sampling, stops = decoding_of(some[0][2])
            answers = answer_or_refuse(some, partial(_answers, model, tokens, sampling))
            for (context, *_), answer in zip(some, answers, strict=True):
                if isinstance(answer, DeixisError):
                    LOG.warning("an empty answer to %r: %s", context[:80], answer)
                text = "" if isinstance(answer, DeixisError) else answer.text
                yield min((text.split(stop)[0] for stop in stops), key=len, default=text)


def _answers(model: Model, tokens: int, sampling: Mapping[str, Any], some: Sequence[tuple]) -> list[Answer]:
    return model.answer([sample_of(context, visuals()) for context, visuals, _ in some], tokens, **sampling)


def log_likelihood(model: Model, context: str, visuals: Iterable[Any] | None, continuation: str) -> tuple[float, bool]:
    """(sum of the log-probabilities of a continuation's tokens in nats; whether greedy decoding would give it).

    The end of the sequence is not counted. Raises DeixisError if the model refuses the question.
    """
    import torch

    scored = model.score([answered(sample_of(context, visuals), continuation.strip())])[0]
    ids = torch.tensor(scored.ids, device=scored.logits.device)
    logits = scored.logits.float()
    log_probabilities = logits.log_softmax(-1).gather(1, ids[:, None])
    return float(log_probabilities.sum()), bool((logits.argmax(-1) == ids).all())


def answer_rounds(
    ask: Callable[[str, Any], str], context: str, visuals: Any, to_text: Callable[..., tuple], document: Any
) -> list[str]:
    """The answers of all rounds of a multi-round request; after each, the task returns the next question or ends it."""
    answers, number, info = [ask(context, visuals)], 1, None
    while True:
        visuals, context, is_over, answers, info = to_text(
            document, previous_output=answers, round_idx=number, previous_round_info=info
        )
        answers = list(answers)
        if is_over:
            return answers
        answers.append(ask(context, visuals))
        number += 1


class Requests:
    """lmms-eval's request types, answered by `model`; documents are in `task_dict` of its base class."""

    model: Model
    batch_size: int
    task_dict: Any
    cache_hook: Any

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """The text of each request's answer."""
        asked = [
            (context, self._visuals(to_visual, *document), kwargs)
            for context, kwargs, to_visual, *document in (request.args for request in requests)
        ]
        texts = []
        for (context, _, kwargs), text in zip(asked, generate(self.model, asked, self.batch_size), strict=True):
            self.cache_hook.add_partial("generate_until", (context, kwargs), text)
            texts.append(text)
        return texts

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[list[str]]:
        """The texts of all rounds of each request."""
        answers = []
        for context, kwargs, to_visual, to_text, number, task, split in (request.args for request in requests):
            ask = lambda text, visuals, kw=kwargs: next(generate(self.model, [(text, lambda: visuals, kw)]))  # noqa: E731
            document = self._document(number, task, split)
            answers.append(answer_rounds(ask, context, to_visual(document), to_text, document))
        return answers

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """(log-probability, whether it is the greedy answer) of each request's continuation."""
        answers = []
        for context, target, *rest in (request.args for request in requests):
            visuals: Callable[[], Any] = (lambda: ()) if not rest else self._visuals(*rest)
            text = target if isinstance(target, str) else target(self._document(*rest[1:]))
            answers.append(log_likelihood(self.model, context, visuals(), text))
        return answers

    def _document(self, number: int, task: str, split: str) -> Any:
        return self.task_dict[task][split][number]

    def _visuals(self, to_visual: Callable[[Any], Any], *document: Any) -> Callable[[], Any]:
        return lambda: to_visual(self._document(*document))


def __getattr__(name: str) -> Any:
    """`Deixis`, created on demand, for its base class is lmms-eval's."""
    if name != "Deixis":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault("Deixis", _model_class())


def _model_class() -> type:
    from accelerate import Accelerator
    from lmms_eval.api.model import lmms

    class Deixis(Requests, lmms):
        """A model of this package for lmms-eval; with `accelerate launch` each process evaluates a part."""

        is_simple = True

        def __init__(
            self,
            pretrained: str = "bundled",
            device: str | None = None,
            batch_size: int | str = BATCH,
            max_batch_size: int | None = None,
        ):
            super().__init__()
            if max_batch_size is not None or not str(batch_size).isdecimal():
                LOG.warning("batch_size: is as given or %d; automatic batch sizes are not supported", BATCH)
            accelerator = Accelerator()
            if accelerator.num_processes > 1:
                self.accelerator, device = accelerator, str(accelerator.device)
                self._rank, self._world_size = accelerator.process_index, accelerator.num_processes
            self.model = load(pretrained, device)
            self.batch_size = int(batch_size) if str(batch_size).isdecimal() else BATCH

    return Deixis
