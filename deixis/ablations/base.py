"""The network and the stages that the comparisons are variants of: the bundled model, of which a part begins anew.

The papers' comparisons begin from pretrained parts: OneLLM from CLIP and LLaMA 2, Ferret and LISA from LLaVA and SAM.
From nothing, a network has learnt nothing after the minutes that one training may take here: it names an object and
finds a mask as a constant answer does, whatever the variant. So the parts of the bundled model stand for the papers'
pretrained ones. What a comparison is about (the sampler, the projection, the pointing head) begins as new and is
trained, the rest is frozen unless the question is about it. Thirty steps teach a new sampler to name most objects (a
constant answer names one of six), and a new projection or pointing head masks of a gIoU near 0.6.
"""

from collections.abc import Mapping
from typing import Any

from deixis.checkpoints import BUNDLED
from deixis.model.parts import PARTS
from deixis.world.generate import task_weights

DENSE, INSTRUCT = "dense", "instruct"
SLOWLY = {"language_model": 1e-3}
"""The learning rate of a trained part that must not forget at once what it knows."""
JOINT = {"image": 1, "audio": 1, "point_cloud": 1}
"""Rows per step of all modalities."""
KEPT = tuple(part for part in PARTS if part not in ("embeddings", "mask_encoder"))
"""Parts that the bundled model has; its embeddings come with the language model."""
SECONDS = {DENSE: 0.06, INSTRUCT: 0.26}
"""Of one signal or row of a step on one thread of a server's CPU, for estimates (docs/ablations.md)."""
START_S, QUESTION_S = 8.0, 0.04
"""Of the start of a training, and of one question."""


def only(*modalities: str, **weights: float) -> dict[str, float]:
    """The `tasks` of a stage in which these alone are asked: few of them are learnt in few steps."""
    return {task: 0.0 for modality in modalities for task in task_weights(modality)} | weights


def parts(*names: str, **how: str) -> dict[str, str]:
    """The `parts` of a stage: what is trained whole, and what otherwise."""
    return dict.fromkeys(names, "full") | how


def dense(steps: int, name: str = DENSE, **fields: Any) -> dict[str, Any]:
    """A stage in which the encoder learns what every cell of an image shows, without language."""
    return _stage(name, DENSE, steps, {"batch": {"image": 12}, "learning_rate": 1e-3, "warmup_steps": 20, **fields})


def instruct(steps: int = 30, name: str = INSTRUCT, **fields: Any) -> dict[str, Any]:
    """A stage of questions, by default about images."""
    own = {"batch": {"image": 3}, "questions": 10, "max_tokens": 400, "learning_rate": 3e-3, "warmup_steps": 5}
    return _stage(name, INSTRUCT, steps, {**own, **fields})


def recipe(*stages: Mapping[str, Any], new: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """A recipe of these stages on the bundled model with `new` parts; `changes` replace fields of its network."""
    init = {part: BUNDLED for part in KEPT if part not in new}
    return {"model": {"preset": BUNDLED, **changes}, "init": init, "stages": [dict(stage) for stage in stages]}


def _stage(name: str, task: str, steps: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    # one thread: a process of its own for batches would only take turns with the training
    kept = {"schedule": "linear", "save_steps": 20, "log_steps": 5, "workers": 0, "bf16": False}
    return {"name": name, "task": task, "steps": steps, **kept, **fields}
