"""The recipe that fine-tunes a model on samples: what is trained, and how long, by the model and their number.

LISA's rank, learning rate and parts (section 4.1) hold for every system: adapters on the language model, and the mask
decoder where there is one. The bundled model is small enough to be trained whole, beside rows of its world; it has seen
no real signal before, and takes longer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deixis.model.config import DeixisConfig
from deixis.systems import system_of

STAGE = "finetune"
MAX_STEPS = 2_000
CHECKPOINTS = 10
DRAWINGS = 4  # of validation samples at each checkpoint
WORLD_ROWS = {"image": 3}  # per step, of what the bundled model was trained on before; of other modalities one each
GUIDE_WEIGHT = 0.25  # as the bundled model was trained


@dataclass(frozen=True)
class Pace:
    """How a model is trained by default. batch: samples per step. patience: checkpoints without a better loss on the
    validation samples, after which it stops and goes back to the best; None: it ends with the last, without any.
    random_crop: of a stage."""

    batch: int
    epochs: int
    min_steps: int
    learning_rate: float
    max_tokens: int
    patience: int | None
    random_crop: float


PACE = Pace(8, 5, 100, 3e-4, 2_048, patience=3, random_crop=1.0)
# the numbers that the bundled model writes come with the end of the schedule (docs/LOG.md), so it ends there;
# from a few photos it learns to know each by heart, unless it sees another part of it every time
BUNDLED_PACE = Pace(16, 20, 400, 5e-4, 600, patience=None, random_crop=0.6)


def pace_of(config: DeixisConfig) -> Pace:
    """The pace of models whose encoder has no pretrained vision trunk, as the bundled one's; or that of all else."""
    is_world = config.system == "deixis" and config.encoder.type == "fourier"  # made on the world, from nothing
    return BUNDLED_PACE if is_world else PACE


def finetune_recipe(
    model: str,
    config: DeixisConfig,
    train: Path,
    samples: int,
    validation: Path | None = None,
    steps: int | None = None,
    seed: int = 1,
    processes: int = 1,
) -> dict[str, Any]:
    """The recipe as plain values (`training.recipe_file`): one stage on the samples at `train`.

    steps: by default as many as some epochs have, within bounds (`Pace`). With `validation` the stage ends with the
    weights of the checkpoint whose loss on these samples was least, and may stop early. processes: that share the
    samples of a step, each a batch; rounded up to whole ones.
    """
    pace = pace_of(config)
    steps = steps or min(max(-(-pace.epochs * samples // pace.batch), pace.min_steps), MAX_STEPS)
    stage: dict[str, Any] = {"name": STAGE, "task": "instruct", "data": [{"path": str(train), "weight": 1}]}
    rows = {"data": pace.batch}
    if pace is BUNDLED_PACE:
        rows |= {name: WORLD_ROWS.get(name, 1) for name in config.modalities}
        stage |= {"questions": 4, "guide_weight": GUIDE_WEIGHT}
    else:
        own = dict(system_of(config).trained_parts)
        generic = {"language_model": "lora", **({"masks": "full"} if config.pointing.backbone else {})}
        stage["parts"] = own if "lora" in own.values() else generic
    stage |= {"batch": {name: -(-count // processes) for name, count in rows.items()}, "accumulate": processes}
    stage |= {"max_tokens": pace.max_tokens, "random_crop": pace.random_crop, "steps": steps}
    stage |= {"learning_rate": pace.learning_rate, "warmup_steps": min(50, steps // 10), "schedule": "linear"}
    stage |= {"save_steps": max(1, min(200, steps // CHECKPOINTS)), "log_steps": max(1, min(20, steps // 10))}
    if validation is not None:
        stage["held_out"] = {"path": str(validation), "patience": pace.patience, "drawings": DRAWINGS}
    return {"seed": seed, "init": model, "stages": [stage]}
