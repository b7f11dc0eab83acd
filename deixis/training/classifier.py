"""Trains a PointMLP to name clouds, as published: `task: classify` at the top of a recipe, and one data folder.

After ma-xu/pointMLP-pytorch@1ab7f04 (classification_ModelNet40/main.py, data.py, helper.py): SGD with a cosine from the
learning rate to its least, label smoothing, gradients clipped to a norm of 1, clouds scaled and moved at random along
each axis, the rest of an epoch that fills no batch left out. The published runs keep the epoch with the best score on
the test clouds; here the last one is kept, for the test clouds must not choose.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import TrainerCallback

from deixis.datasets.classification.class_clouds import SCANOBJECTNN_HARDEST, ClassClouds, read_class_clouds
from deixis.errors import ConfigError
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.systems.pointmlp.classifier import CloudClassifier
from deixis.training.stage_run import StageOptions, run_stage

logger = logging.getLogger(__name__)
TASK = "classify"  # also the folder of the stage, as in other recipes
COPY, SCORES = "recipe.yaml", "scores.json"
MODEL_FIELDS = "model: expected fields of PointMLPConfig, with `preset`"


@dataclass(frozen=True, kw_only=True)
class ClassifyRecipe:
    """A recipe of this task; the defaults are the published ones for ModelNet40.

    data: {"folder": ..., "variant": of ScanObjectNN} (`datasets.classification.class_clouds`). model: fields of
    `PointMLPConfig` and `preset`; the number of classes is the data's. scale: clouds are stretched along each axis by a
    factor between its inverse and it; shift: and moved by up to this. evaluate_epochs: how often the test clouds are
    scored on the way.
    """

    data: dict[str, str]
    model: dict[str, Any]
    seed: int = 0
    epochs: int = 300
    batch: int = 32
    learning_rate: float = 0.1
    min_learning_rate: float = 0.005
    momentum: float = 0.9
    weight_decay: float = 2e-4
    label_smoothing: float = 0.2
    max_grad_norm: float = 1.0
    scale: float = 1.5
    shift: float = 0.2
    evaluate_epochs: int = 10
    workers: int = 1


def read_classify(recipe: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The recipe again, checked. Raises ValueError naming the field that is missing, unknown or wrong."""
    values = {name: value for name, value in recipe.items() if name != "task"}
    known = {field.name: field for field in fields(ClassifyRecipe)}
    if unknown := [str(name) for name in values if name not in known]:
        raise ConfigError(f"{where}: unknown field(s) {', '.join(sorted(unknown))}; known are task, {', '.join(known)}")
    data = values.get("data")
    if not isinstance(data, dict) or "folder" not in data or not data.keys() <= {"folder", "variant"}:
        raise ConfigError(f"{where}: data: expected `folder`, and `variant` for ScanObjectNN, got {data!r}")
    if not isinstance(values.get("model"), dict):
        raise ConfigError(f"{where}: {MODEL_FIELDS}, got {values.get('model')!r}")
    try:
        PointMLPConfig.of(values["model"])
    except ConfigError as error:
        raise ConfigError(f"{where}: model: {error}") from None
    for name, field in known.items():
        value = values.get(name, field.default)
        if field.type in (int, float):
            fits = isinstance(value, int) or (field.type is float and isinstance(value, float))
            least = 1 if name in ("epochs", "batch", "evaluate_epochs", "scale") else 0
            if isinstance(value, bool) or not fits or not value >= least:
                kind = "whole number" if field.type is int else "number"
                hint = "; YAML wants 1.0e-3 for 1e-3" if isinstance(value, str) else ""
                raise ConfigError(f"{where}: {name}: expected a {kind} from {least}, got {value!r}{hint}")
    if not values.get("label_smoothing", 0) < 1:
        raise ConfigError(f"{where}: label_smoothing: expected less than 1, got {values['label_smoothing']}")
    return dict(recipe)


class ClassBatches:
    """`make` of a stage: {"points", "labels"} of step 0, 1, ..; each epoch goes through the clouds in a new order.

    A step is a function of the seed and its number: a run that was stopped goes on with the batches it would have had.
    """

    def __init__(self, clouds: ClassClouds, recipe: ClassifyRecipe):
        self.clouds, self.recipe = clouds, recipe

    @property
    def steps_an_epoch(self) -> int:
        return len(self.clouds.labels) // self.recipe.batch

    def __call__(self, step: int) -> dict[str, Tensor]:
        size, seed = self.recipe.batch, self.recipe.seed
        epoch, place = divmod(step, self.steps_an_epoch)
        order = np.random.default_rng([seed, 0, epoch]).permutation(len(self.clouds.labels))
        rows = order[place * size : (place + 1) * size]
        points = augment(self.clouds.points[rows], self.recipe, np.random.default_rng([seed, 1, step]))
        return {"points": torch.from_numpy(points), "labels": torch.from_numpy(self.clouds.labels[rows])}


def augment(clouds: np.ndarray, recipe: ClassifyRecipe, rng: np.random.Generator) -> np.ndarray:
    """Clouds (cloud, point, 3) stretched and moved at random along each axis, their points in another order."""
    scales = rng.uniform(1 / recipe.scale, recipe.scale, (len(clouds), 1, 3))
    shifts = rng.uniform(-recipe.shift, recipe.shift, (len(clouds), 1, 3))
    moved = (clouds * scales + shifts).astype(np.float32)
    order = rng.permuted(np.tile(np.arange(moved.shape[1]), (len(moved), 1)), axis=1)
    return np.take_along_axis(moved, order[..., None], axis=1)


class ClassLearner(nn.Module):
    """A network with its loss, as the training loop wants it."""

    def __init__(self, network: PointMLP, label_smoothing: float):
        super().__init__()
        self.network, self.label_smoothing = network, label_smoothing

    def forward(self, points: Float[Tensor, "cloud point 3"], labels: Int[Tensor, " cloud"]) -> dict[str, Any]:
        loss = smoothed_loss(self.network(points), labels, self.label_smoothing)
        return {"loss": loss, "losses": {"class": loss.detach()}}


def smoothed_loss(
    logits: Float[Tensor, "cloud classes"], labels: Int[Tensor, " cloud"], smoothing: float
) -> Float[Tensor, ""]:
    """Cross entropy with `smoothing` shared out among the other classes, as published; torch gives all a share."""
    classes = logits.shape[1]
    return F.cross_entropy(logits, labels, label_smoothing=smoothing * classes / max(classes - 1, 1))


@torch.no_grad()
def score(network: nn.Module, clouds: ClassClouds, names: tuple[str, ...], batch: int) -> dict[str, Any]:
    """{"overall": part of all clouds named right, "mean_class": mean over classes that occur, "classes": of each}."""
    network.eval()
    device = next(network.parameters()).device
    parts = torch.from_numpy(clouds.points).split(batch)
    told = np.concatenate([network(part.to(device)).argmax(1).cpu().numpy() for part in parts])
    right = told == clouds.labels
    classes = {names[label]: float(right[clouds.labels == label].mean()) for label in np.unique(clouds.labels)}
    return {"overall": float(right.mean()), "mean_class": float(np.mean(list(classes.values()))), "classes": classes}


class StepSeed(TrainerCallback):
    """Draws the dropout of a step from the seed and the step's number, so that a resumed run draws the same."""

    def on_step_begin(self, args, state, control, **kwargs):
        torch.manual_seed(np.random.SeedSequence([args.seed, state.global_step]).generate_state(1).item())


class ScoreLog(TrainerCallback):
    """Scores the test clouds every so many steps; the scores stand beside the losses in what is logged next."""

    def __init__(self, network: PointMLP, clouds: ClassClouds, names: tuple[str, ...], batch: int, every: int):
        self.network, self.clouds, self.names, self.batch, self.every = network, clouds, names, batch, every
        self.newest: dict[str, float] = {}

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step % self.every == 0:
            scores = score(self.network, self.clouds, self.names, self.batch)
            self.network.train()
            self.newest = {f"test_{name}": round(scores[name], 4) for name in ("overall", "mean_class")}

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs is not None and "loss" in logs:
            logs |= self.newest
            state.log_history[-1] |= self.newest
            self.newest = {}


def train_classifier(recipe: dict[str, Any], out: Path) -> Path:
    """Runs a checked recipe under `out`; the folder of the classifier (`load_classifier`).

    Beside it `scores.json` has the final scores of the clouds trained on and of the test clouds. A run that was stopped
    goes on; a finished one is left alone. Raises ValueError for data that does not fit, and for an `out` that holds the
    run of another recipe.
    """
    plan = ClassifyRecipe(**{name: value for name, value in recipe.items() if name != "task"})
    copy, folder = out / COPY, out / TASK
    if copy.is_file() and yaml.safe_load(copy.read_text(encoding="utf-8")) != recipe:
        raise ConfigError(f"{out}: holds a run of another recipe; choose another folder")
    if (folder / "model").exists():
        logger.info("%s is done", folder)
        return folder / "model"
    config = PointMLPConfig.of(plan.model)
    data = read_class_clouds(plan.data["folder"], config.points, plan.data.get("variant", SCANOBJECTNN_HARDEST))
    batches = ClassBatches(data.train, plan)
    if not batches.steps_an_epoch:
        raise ConfigError(f"batch: expected at most the {len(data.train.labels)} clouds there are, got {plan.batch}")
    out.mkdir(parents=True, exist_ok=True)
    copy.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    torch.manual_seed(plan.seed)
    network = PointMLP(replace(config, class_num=len(data.names)))
    _fit(network, batches, plan, folder, data)
    scores = {"train": score(network, data.train, data.names, plan.batch)}
    if data.test is not None:
        scores["test"] = score(network, data.test, data.names, plan.batch)
    (folder / SCORES).write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    CloudClassifier(network.cpu(), data.names, data.unit_sphere).save(folder / "model")
    return folder / "model"


def _fit(network: PointMLP, batches: ClassBatches, plan: ClassifyRecipe, folder: Path, data) -> None:
    """All epochs of the plan, on the loop that every stage is trained by."""
    each = batches.steps_an_epoch
    optimizer = torch.optim.SGD(
        network.parameters(), plan.learning_rate, momentum=plan.momentum, weight_decay=plan.weight_decay
    )
    options = StageOptions(
        steps=plan.epochs * each,
        learning_rate=plan.learning_rate,
        warmup_steps=0,
        schedule="cosine_with_min_lr",
        max_grad_norm=plan.max_grad_norm,
        save_steps=10 * each,
        log_steps=min(20, each),
        workers=plan.workers,
        bf16=False,
    )
    callbacks: list[TrainerCallback] = [StepSeed()]
    if data.test is not None:
        every = plan.evaluate_epochs * each
        callbacks.append(ScoreLog(network, data.test, data.names, plan.batch, every))
    learner = ClassLearner(network, plan.label_smoothing)
    least = {"min_lr": plan.min_learning_rate}
    run_stage(learner, batches, options, folder, plan.seed, optimizer, least, callbacks)
