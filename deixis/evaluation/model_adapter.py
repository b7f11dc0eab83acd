"""A model behind the interface of the evaluation loop: generated and teacher-forced answers, and a name with a
fingerprint of its weights, so that a run resumes only with the same weights, not with later ones of the same name.

LISA's published scores are teacher-forced: the mask token is part of the answer that is fed, and only the mask is
predicted. A model that would never generate that token is not detected this way, so both modes are reported.
"""

from collections.abc import Sequence
from hashlib import blake2b

import torch

from deixis.conversation import with_answer
from deixis.errors import UnsupportedError
from deixis.evaluation.benchmark import TEACHER_FORCED, BenchmarkInfo
from deixis.evaluation.runner import TargetAnswer
from deixis.inference import Answer, Model
from deixis.inference.abilities import WANTS
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
        """One teacher-forced answer per question, in one forward pass: the target's text with the predicted masks.

        targets: per question an answer in markup ("[the cup]{0:mask}.") and the regions it refers to. Boxes are written
        into the text as coordinates; masks are never shown to the model. Raises DeixisError: the model predicts no
        masks, a region does not fit the signals, or it refuses the question.
        """
        if "mask" not in self.model.abilities["answers"]:
            raise UnsupportedError(
                f"'{self.model.name}': cannot answer teacher-forced, for it predicts no masks; {WANTS['mask']}"
            )
        answered = [with_answer(sample, *target) for sample, target in zip(samples, targets, strict=True)]
        return [scored.answer for scored in self.model.score(answered)]


def check_able(model: Model, info: BenchmarkInfo, mode: str) -> None:
    """Checks, before anything is asked, that the model's answers can have the form that a benchmark requires.

    Teacher-forced answers require a model that predicts masks: everything else in them is given. Raises
    UnsupportedError: the model does not support the form.
    """
    required = "mask" if mode == TEACHER_FORCED else info.answer_form
    supported = model.abilities["answers"]
    if required not in (None, "text", *supported):
        raise UnsupportedError(
            f"{info.name}: answers need a {required}, and '{model.name}' answers in {' and '.join(supported)}; "
            f"{WANTS[str(required)]}"
        )


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
