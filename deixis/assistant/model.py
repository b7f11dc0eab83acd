"""`Model`: a network and its processor behind `ask`, in the units and files of the person who asks."""

import time
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from deixis.assistant.answer import Answer, AnswerPhrase, Marked
from deixis.geometry import Box, Box3D, Mark, Point, Region, Span, mark_region, named_question
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.fusion import Encoded
from deixis.model.masks import Prepared, cells_to_points, cells_to_spans, logits_to_mask, mask_score
from deixis.pretrained import BUNDLED, open_pretrained
from deixis.signals import Signal, open_signal

if TYPE_CHECKING:
    from deixis.assistant.chat import Chat

MAX_NEW_TOKENS = 160


@dataclass(frozen=True)
class Question:
    """One question in markup ("What is {0}?"), the signals it is about, its regions and the turns before it."""

    text: str
    signals: tuple[Signal, ...]
    regions: tuple[Region, ...] = ()
    history: tuple[Any, ...] = ()


class Model:
    """Answers questions about files. Made by `load`; `network` and `processor` are transformers' own kind."""

    def __init__(self, network: DeixisForConditionalGeneration, processor: DeixisProcessor, name: str):
        self.network, self.processor, self.name = network, processor, name

    @property
    def device(self) -> torch.device:
        return self.network.device

    def ask(
        self, question: str, *signals: Any, regions: Sequence[Region] = (), max_new_tokens: int = MAX_NEW_TOKENS
    ) -> Answer:
        """The answer to `question` about `signals` (paths, PIL pictures, arrays, tensors, (samples, rate_hz)).

        `{0}`, `{1}` in the question name `regions` (a question that names none has them put at its end), each in the
        units of its file; `Box(..., signal=1)` lies on the second file. Raises ValueError, one sentence, for a file or
        region that cannot be used.
        """
        opened = tuple(open_signal(signal) for signal in signals)
        named = named_question(question, regions)
        return self.answer([Question(named, opened, tuple(regions))], max_new_tokens)[0]

    def chat(self, *signals: Any) -> "Chat":
        """A conversation about `signals` that remembers its turns."""
        from deixis.assistant.chat import Chat

        return Chat(self, tuple(open_signal(signal) for signal in signals))

    @torch.inference_mode()
    def answer(self, questions: Sequence[Question], max_new_tokens: int = MAX_NEW_TOKENS) -> list[Answer]:
        """Answers to several questions, as one batch; kinds and numbers of signals may differ among them."""
        began = time.perf_counter()
        prepared = [[self.processor.prepare(signal) for signal in q.signals] for q in questions]
        inputs = self.processor.batch(
            [q.text for q in questions], prepared, [q.regions for q in questions], [q.history for q in questions]
        ).to(self.device)
        self._check_length(inputs["attention_mask"])
        encoded = self.network.encode_inputs(inputs)
        ids, states = self._generate(inputs, encoded, max_new_tokens)
        seconds = (time.perf_counter() - began) / len(questions)
        first_signal = 0
        answers = []
        for question, own, row, seg in zip(questions, prepared, ids, states, strict=True):
            raw = self.processor.tokenizer.decode(row, skip_special_tokens=False)
            answers.append(self._answer(question, own, raw, seg, encoded, first_signal, seconds))
            first_signal += len(own)
        return answers

    def _check_length(self, attention_mask: Tensor) -> None:
        """Raises ValueError for a conversation that leaves the language model no place to answer in."""
        places = getattr(self.network.config.text_config, "max_position_embeddings", None)
        longest = int(attention_mask.sum(1).max())
        if places is not None and longest >= places:
            raise ValueError(
                f"the conversation: this model reads {places} tokens at most, its files among them, got {longest}; "
                "ask in fewer words, or begin a new conversation"
            )

    def _generate(
        self, inputs: MutableMapping[str, Any], encoded: Encoded | None, max_new_tokens: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """New token ids (cut before the end) and hidden states at each of their <seg>, row by row.

        A state exists only for a token that was fed, which the last one never is: one token more than asked for is
        generated and dropped, so that an answer cut off at a <seg> still has its state.
        """
        states: list[list[Tensor]] = [[] for _ in inputs["input_ids"]]
        config = self.network.config

        def record(module, args, kwargs, output):
            fed = kwargs["input_ids"]
            if fed is not None and fed.shape[1] == 1:  # a generated token, not the prompt
                for row, state in zip(
                    (fed[:, 0] == config.seg_token_id).nonzero().squeeze(1).tolist(), output.seg_states, strict=True
                ):
                    states[row].append(state)

        hook = self.network.register_forward_hook(record, with_kwargs=True)
        try:
            output = self.network.generate(
                **inputs,
                encoded=encoded,
                max_new_tokens=max_new_tokens + 1,
                do_sample=False,
                suppress_tokens=[*config.signal_token_ids.values(), config.region_token_id],  # nothing stands for them
                eos_token_id=self.processor.tokenizer.eos_token_id,
                pad_token_id=self.processor.tokenizer.pad_token_id,
            )
        finally:
            hook.remove()
        new = output[:, inputs["input_ids"].shape[1] :][:, :max_new_tokens]
        ids, eos = [], self.processor.tokenizer.eos_token_id
        for row in new:
            ends = (row == eos).nonzero()
            ids.append(row[: int(ends[0])] if len(ends) else row)
        return ids, [torch.stack(own) if own else new.new_zeros(0) for own in states]

    def _answer(
        self,
        question: Question,
        prepared: Sequence[Prepared],
        raw: str,
        states: Tensor,
        encoded: Encoded | None,
        first_signal: int,
        seconds: float,
    ) -> Answer:
        parsed = self.processor.parse(raw, prepared)
        phrases = []
        for phrase in parsed.phrases:
            regions: list[Marked] = []
            for mark in phrase.marks:
                if mark.kind == "seg":
                    if mark.seg_index is not None and mark.seg_index < len(states):
                        state = states[mark.seg_index : mark.seg_index + 1]
                        regions += self._pointed(state, mark.signal, prepared, encoded, first_signal)
                elif (marked := _written(mark, prepared)) is not None:
                    regions.append(marked)
            phrases.append(AnswerPhrase(phrase.text, phrase.start, phrase.end, tuple(regions)))
        return Answer(
            parsed.text, tuple(phrases), question.signals, self.name, seconds, raw, question.text, question.regions
        )

    def _pointed(self, state: Tensor, signal: int, prepared, encoded, first_signal: int) -> list[Marked]:
        """The regions that one <seg> marks: one mask or point set, or the spans of a sound."""
        which = torch.tensor([first_signal + signal], device=state.device)
        logits = self.network.point(encoded, state, which)[0].float().cpu()
        own, score = prepared[signal], mask_score(logits)
        if own.kind == "image":
            return [Marked(signal, "mask", logits_to_mask(logits, own), score)]
        if own.kind == "audio":
            return [Marked(signal, "span", span, score) for span in cells_to_spans(logits, own.frame)]
        return [Marked(signal, "points", cells_to_points(logits, own), score)]


def _written(mark: Mark, prepared: Sequence[Prepared]) -> Marked | None:
    """The region that was written as numbers, in file units; None where it lies outside the file."""
    match mark_region(mark, [p.frame for p in prepared]):
        case Box(x1=x1, y1=y1, x2=x2, y2=y2):
            return Marked(mark.signal, "box", (x1, y1, x2, y2))
        case Span(start_s=start_s, end_s=end_s):
            return Marked(mark.signal, "span", (start_s, end_s))
        case Box3D() as box:
            return Marked(mark.signal, "box", (box.x1, box.y1, box.z1, box.x2, box.y2, box.z2))
        case Point(coords=coords):
            return Marked(mark.signal, "point", coords)
    return None


def load(model: str | Path = BUNDLED, device: str | None = None, dtype: torch.dtype | None = None) -> Model:
    """A model ready to ask: "bundled", a folder or a hub id.

    `device`: "cpu", "cuda", "mps"; the best there is if not given. `dtype`: float32 on the CPU if not given, else
    bfloat16. Raises ValueError, one sentence, for an unknown model or device.
    """
    place = torch.device(_best_device()) if device is None else _device(device)
    if dtype is None:
        dtype = torch.float32 if place.type == "cpu" else torch.bfloat16
    network, processor = open_pretrained(model, dtype)
    name = "deixis-tiny (bundled)" if str(model) == BUNDLED else str(model)
    return Model(network.to(place), processor, name)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _device(name: str) -> torch.device:
    try:
        place = torch.device(name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device: expected cpu, cuda or mps, and one that is here; got '{name}'") from error
    return place
