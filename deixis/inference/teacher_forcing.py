"""Teacher forcing: loss, logits and regions of a given answer, in one pass over question and answer.

Masks are evaluated either on generated answers or this way; LISA's published scores are teacher-forced.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from deixis.inference.answer import Answer
from deixis.inference.answer_reader import AnswerReader
from deixis.inference.engine import Engine
from deixis.inference.generation import GenerationState
from deixis.samples.sample import Sample


@dataclass(frozen=True)
class Scored:
    """The predictions of a model for a given answer.

    Attributes:
        answer: its text, with the masks that the model predicts.
        ids: its tokens, without the end of turn.
        logits: (token, vocabulary), from which each of them was predicted.
        loss: mean negative log-likelihood, in nats, of the tokens and the end of turn.
    """

    answer: Answer
    ids: list[int] = field(repr=False)
    logits: Float[Tensor, "token vocabulary"] = field(repr=False)
    loss: float


@torch.inference_mode()
def score(engine: Engine, samples: Sequence[Sample], name: str) -> list[Scored]:
    """The predictions for samples whose last turn holds an answer, by the model called `name`."""
    began = time.perf_counter()
    batch = engine.encode(samples)
    hidden = engine.forward(batch)
    network = engine.network
    is_at = network.config.pointing.state == "at"  # else the state before `<seg>`, which predicted it
    scored = []
    for row, (sample, rendered) in enumerate(zip(samples, batch.rendered, strict=True)):
        span, padding = rendered.answers[-1], hidden.shape[1] - len(rendered)
        # rows are left-padded, spans count from the first token
        first, end = padding + span.first, padding + span.end
        ids = batch.ids[row, first:end]
        logits = network.get_output_embeddings()(hidden[row, first - 1 : end - 1]).float()  # predicted one earlier
        # the states that prompt masks are read from the same pass, for the answer was fed as if it had been generated
        segs = first + (ids == network.config.seg_token_id).nonzero().squeeze(1)
        own = ids[: span.close - span.first].tolist()
        state = GenerationState(own, list(hidden[row, segs if is_at else segs - 1]), "stop")
        reader = AnswerReader(engine, sample, batch.signals[row], state)
        seconds = (time.perf_counter() - began) / len(samples)
        loss = float(cross_entropy(logits, ids))
        scored.append(Scored(reader.answer(name, seconds), own, logits[: len(own)], loss))
    return scored
