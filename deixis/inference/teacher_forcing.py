"""Teacher-forced scoring: what a model makes of an answer it is given, in one pass over question and answer.

The other way of evaluating masks, beside generated answers: LISA and others report both.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from deixis.inference.answer import Answer
from deixis.inference.answer_reader import Reading
from deixis.inference.engine import Engine
from deixis.inference.generation import Said
from deixis.inference.question import Question


@dataclass(frozen=True)
class Scored:
    """A given answer in a model's eyes.

    answer: its regions, masks among them, as the model points them. ids: its tokens, the end last. logits: what each of
    them was to be chosen from. loss: mean negative log-likelihood of the tokens, in nats.
    """

    answer: Answer
    ids: list[int] = field(repr=False)
    logits: Float[Tensor, "token vocabulary"] = field(repr=False)
    loss: float


@torch.inference_mode()
def score(engine: Engine, questions: Sequence[Question], answers: Sequence[str], name: str) -> list[Scored]:
    """The scores of `answers`, one a question, in the model's own words; `name` is the model's."""
    began = time.perf_counter()
    prompts = engine.read(questions, answers)
    hidden = engine.hear(prompts)
    network, tokenizer = engine.network, engine.processor.tokenizer
    scored = []
    for row, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        count = len(tokenizer(answer, add_special_tokens=False)["input_ids"]) + 1
        ids, states = prompts.ids[row, -count:], hidden[row, -count - 1 :]  # states from the one before the answer on
        logits = network.get_output_embeddings()(states[:-1]).float()
        places = (ids == network.config.seg_token_id).nonzero().squeeze(1) + (network.config.pointing.state == "at")
        said = Said(ids[:-1].tolist(), list(states[places]), over=True)
        reading = Reading(engine, question, prompts.sights[row], said)
        loss = float(torch.nn.functional.cross_entropy(logits, ids))
        seconds = (time.perf_counter() - began) / len(questions)
        scored.append(Scored(reading.answer(name, seconds), ids.tolist(), logits, loss))
    return scored
