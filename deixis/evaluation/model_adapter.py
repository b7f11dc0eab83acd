"""A model behind the interface of the evaluation loop: generated and teacher-forced answers, and a name with a
fingerprint of its weights, so that a run resumes only with the same weights, not with later ones of the same name.
"""

from collections.abc import Sequence
from hashlib import blake2b

import torch

from deixis.evaluation.runner import TargetAnswer
from deixis.evaluation.teacher_forced import point
from deixis.inference import Answer, Model
from deixis.samples.sample import Sample

FINGERPRINT_VALUES = 16
"""Evenly spaced values of each tensor that enter the fingerprint."""


class ModelAdapter:
    """A model as `runner.EvaluatedModel`. name: the model's name with the fingerprint of its weights."""

    def __init__(self, model: Model, name: str = ""):
        self.model = model
        network = model.network if hasattr(model, "network") else model.classifier.network
        self.name = f"{name or model.name} ({weights_fingerprint(network)})"

    def answer(self, samples: Sequence[Sample], max_new_tokens: int) -> list[Answer]:
        """One generated answer per question, decoded greedily."""
        return self.model.answer(samples, max_new_tokens)

    def point(self, samples: Sequence[Sample], targets: Sequence[TargetAnswer]) -> list[Answer]:
        """One teacher-forced answer per question, with the masks that the model predicts for it."""
        return point(self.model, samples, targets)


def weights_fingerprint(network: torch.nn.Module) -> str:
    """Eight hexadecimal digits that change with the weights; equal on every device and in float32 and bfloat16."""
    digest = blake2b(digest_size=4)
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        # Values of a quantised tensor (a subclass) cannot be read at single positions.
        if type(tensor) is torch.Tensor and tensor.numel():
            flat = tensor.detach().reshape(-1)
            at = torch.linspace(0, len(flat) - 1, min(FINGERPRINT_VALUES, len(flat)), device=flat.device).long()
            # Rounded to bfloat16, so that loading in half precision does not count as other weights.
            digest.update(flat[at].to(torch.bfloat16).float().cpu().numpy().tobytes())
    return digest.hexdigest()
