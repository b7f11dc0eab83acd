"""A model as the loop asks it: its generated answers, and what it points at in answers that it is given.

It also says which weights these are, so that a run that is gone on with is of the same model and not of one that
was trained on since under the same name.
"""

from collections.abc import Sequence
from hashlib import blake2b

import torch

from deixis.evaluation.runner import Given
from deixis.evaluation.teacher_forced import point
from deixis.inference import Answer, Model, Question

LOOKED_AT = 16
"""Numbers of each tensor that a mark of the weights is made of, evenly spread."""


class ModelPlayer:
    """A model behind `answer` and `point`. `name`: the model's, with the mark of its weights."""

    def __init__(self, model: Model, name: str = ""):
        self.model = model
        network = model.network if hasattr(model, "network") else model.classifier.network
        self.name = f"{name or model.name} ({mark_of(network)})"

    def answer(self, questions: Sequence[Question], max_new_tokens: int) -> list[Answer]:
        """One generated answer a question, the likeliest token each time."""
        return self.model.answer(questions, max_new_tokens)

    def point(self, questions: Sequence[Question], given: Sequence[Given]) -> list[Answer]:
        """The answers that are given, with the masks that the model points at for them."""
        return point(self.model, questions, given)


def mark_of(network: torch.nn.Module) -> str:
    """Eight letters that weights of other values do not have; the same on every device, in float32 and bfloat16."""
    seen = blake2b(digest_size=4)
    for name, tensor in network.state_dict().items():
        seen.update(name.encode())
        if type(tensor) is torch.Tensor and tensor.numel():  # a quantised one cannot be looked into
            flat = tensor.detach().reshape(-1)
            at = torch.linspace(0, len(flat) - 1, min(LOOKED_AT, len(flat)), device=flat.device).long()
            seen.update(flat[at].to(torch.bfloat16).float().cpu().numpy().tobytes())
    return seen.hexdigest()
