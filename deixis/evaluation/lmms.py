"""The same models inside lmms-eval: `python -m lmms_eval --model deixis --model_args pretrained=bundled --tasks ...`.

lmms-eval finds `manifest` by the entry point group lmms_eval.models, and through it the class `Deixis` of this module,
which is only made when asked for: this module can be imported without lmms-eval. Written against version 0.7.3:
lmms_eval/api/model.py (`lmms`), api/task.py (`construct_requests`, what a request holds), models/registry_v2.py.
Pictures, sounds, films and several of them may be in one request. It knows nothing of tasks and scores.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from deixis.errors import DeixisError, InputError
from deixis.inference import Model, Question, load
from deixis.inference.question import MAX_NEW_TOKENS
from deixis.signals import Signal, open_signal

if TYPE_CHECKING:
    import lmms_eval.models.registry_v2

LOG = logging.getLogger(__name__)
BATCH = 8


def manifest() -> "lmms_eval.models.registry_v2.ModelManifest":
    """What lmms-eval is told of this model."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id="deixis", simple_class_path=f"{__name__}.Deixis")


def open_visual(visual: Any) -> Signal:
    """What a task shows as a signal: a PIL picture, the path of a film, {"array", "sampling_rate"} of a sound.

    Raises ValueError for anything that is no signal.
    """
    if isinstance(visual, Mapping):
        missing = {"array", "sampling_rate"} - set(visual)
        if missing:
            raise InputError(f"visual: expected a sound's array and sampling_rate, got {', '.join(visual)}")
        return open_signal((visual["array"], float(visual["sampling_rate"])), "audio")
    if hasattr(visual, "get_all_samples"):  # a sound that datasets decodes late
        samples = visual.get_all_samples()
        return open_signal((samples.data.mean(0).numpy(), float(samples.sample_rate)), "audio")
    return open_signal(visual)


def question_of(context: str, visuals: Iterable[Any] | None) -> Question:
    """A request as a question; braces in its words are plain, for it points at no region."""
    signals = tuple(open_visual(visual) for visual in visuals or () if visual is not None)
    return Question(context.strip().replace("{", "{{").replace("}", "}}"), signals)


def until(text: str, stops: Iterable[str]) -> str:
    r"""The text before the first of the words it was to stop at.

    >>> until("yes.\n\nBecause", ["\n\n"]), until("yes", []), until("yes", [""])
    ('yes.', 'yes', 'yes')
    """
    return min((text.split(stop)[0] for stop in stops if stop), key=len, default=text)


def decoding_of(kwargs: Mapping[str, Any]) -> tuple[int, dict[str, Any], list[str]]:
    """(max_new_tokens, temperature and top_p if drawn, words to stop at) of a task's generation_kwargs.

    Raises ValueError for several beams, which are not searched.
    """
    if int(kwargs.get("num_beams") or 1) != 1:
        raise InputError(f"num_beams: expected 1, for no beams are searched, got {kwargs['num_beams']}")
    stops = kwargs.get("until") or []
    tokens = int(kwargs.get("max_new_tokens") or kwargs.get("max_gen_toks") or MAX_NEW_TOKENS)
    temperature = float(kwargs.get("temperature") or 0.0)
    drawn = temperature > 0 and kwargs.get("do_sample", True)
    drawing = {"temperature": temperature, "top_p": float(kwargs.get("top_p") or 1.0)} if drawn else {}
    return tokens, drawing, [stops] if isinstance(stops, str) else list(stops)


def generate(
    model: Model, asked: Sequence[tuple[str, Callable[[], Any], Mapping[str, Any]]], batch: int = BATCH
) -> Iterator[str]:
    """The answers' texts to (context, visuals, generation_kwargs) requests, in order.

    Neighbours with the same kwargs are asked together. One that is refused gets an empty answer, and a warning.
    """
    for _, alike in groupby(asked, key=lambda request: repr(sorted(request[2].items()))):
        while some := list(islice(alike, batch)):
            tokens, drawing, stops = decoding_of(some[0][2])
            try:
                texts = _texts(model, some, tokens, drawing)
            except DeixisError:
                texts = [_text_or_nothing(model, request, tokens, drawing) for request in some]
            yield from (until(text, stops) for text in texts)


def _texts(model: Model, some: Sequence[tuple], tokens: int, drawing: Mapping[str, Any]) -> list[str]:
    questions = [question_of(context, visuals()) for context, visuals, _ in some]
    return [answer.text for answer in model.answer(questions, tokens, **drawing)]


def _text_or_nothing(model: Model, request: tuple, tokens: int, drawing: Mapping[str, Any]) -> str:
    try:
        return _texts(model, [request], tokens, drawing)[0]
    except DeixisError as error:
        LOG.warning("an empty answer to %r: %s", request[0][:80], error)
        return ""


def log_likelihood(model: Model, context: str, visuals: Iterable[Any] | None, continuation: str) -> tuple[float, bool]:
    """(sum of the log-probabilities of a continuation's tokens, in nats; whether each was the likeliest).

    The answer's end is not counted. Raises ValueError where the question is refused.
    """
    import torch

    scored = model.score([question_of(context, visuals)], [continuation.strip()])[0]
    ids = torch.tensor(scored.ids[:-1], device=scored.logits.device)
    logits = scored.logits[:-1].float()
    chances = logits.log_softmax(-1).gather(1, ids[:, None])
    return float(chances.sum()), bool((logits.argmax(-1) == ids).all())


def answer_rounds(
    ask: Callable[[str, Any], str], context: str, visuals: Any, to_text: Callable[..., tuple], document: Any
) -> list[str]:
    """The answers of all rounds of a request with several: after each, the task says what is asked next, or ends it."""
    answers, number, told = [ask(context, visuals)], 1, None
    while True:
        visuals, context, is_over, answers, told = to_text(
            document, previous_output=answers, round_idx=number, previous_round_info=told
        )
        answers = list(answers)
        if is_over:
            return answers
        answers.append(ask(context, visuals))
        number += 1


class Requests:
    """lmms-eval's kinds of requests, answered by `model`; documents are in `task_dict`, as its base class has them."""

    model: Model
    batch_size: int
    task_dict: Any
    cache_hook: Any

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """The text of each request's answer."""
        asked = [
            (context, self._visuals(to_visual, *place), kwargs)
            for context, kwargs, to_visual, *place in (request.args for request in requests)
        ]
        texts = []
        for (context, _, kwargs), text in zip(asked, generate(self.model, asked, self.batch_size), strict=True):
            self.cache_hook.add_partial("generate_until", (context, kwargs), text)
            texts.append(text)
        return texts

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[list[str]]:
        """The texts of all rounds of each request."""
        told = []
        for context, kwargs, to_visual, to_text, number, task, split in (request.args for request in requests):
            ask = lambda words, visuals, kwargs=kwargs: next(  # noqa: E731
                generate(self.model, [(words, lambda: visuals, kwargs)])
            )
            document = self.task_dict[task][split][number]
            told.append(answer_rounds(ask, context, to_visual(document), to_text, document))
        return told

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """The log-probability of each request's continuation, and whether it is what would be written."""
        told = []
        for context, target, *rest in (request.args for request in requests):
            visuals: Callable[[], Any] = (lambda: ()) if not rest else self._visuals(*rest)
            words = target if isinstance(target, str) else target(self._document(*rest[1:]))
            told.append(log_likelihood(self.model, context, visuals(), words))
        return told

    def _document(self, number: int, task: str, split: str) -> Any:
        return self.task_dict[task][split][number]

    def _visuals(self, to_visual: Callable[[Any], Any], *place: Any) -> Callable[[], Any]:
        return lambda: to_visual(self._document(*place))


def __getattr__(name: str) -> Any:
    """`Deixis`, made on demand: its base class is lmms-eval's."""
    if name != "Deixis":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault("Deixis", _model_class())


def _model_class() -> type:
    from accelerate import Accelerator
    from lmms_eval.api.model import lmms

    class Deixis(Requests, lmms):
        """A model of this package as lmms-eval asks it; every process of `accelerate launch` has its own share."""

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
                LOG.warning("batch_size: is as given or %d, and is not tried out", BATCH)
            spread = Accelerator()
            if spread.num_processes > 1:
                self.accelerator, device = spread, str(spread.device)
                self._rank, self._world_size = spread.process_index, spread.num_processes
            self.model = load(pretrained, device)
            self.batch_size = int(batch_size) if str(batch_size).isdecimal() else BATCH

    return Deixis
