"""Trains a PointMLP classifier, as published: `task: classify` at the top of a recipe, and one data folder.

After ma-xu/pointMLP-pytorch@1ab7f04 (classification_ModelNet40/main.py, data.py, helper.py): SGD with a cosine from the
learning rate to its minimum, label smoothing, gradients clipped to a norm of 1, clouds scaled and moved at random along
each axis, the incomplete last batch of an epoch dropped. The published runs keep the epoch with the best score on the
test clouds; here the last one is kept, for the test set must not select a model.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, no_type_check

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import TrainerCallback

from deixis.datasets.classification.class_clouds import SCANOBJECTNN_HARDEST, ClassClouds, ClassSet, read_class_clouds
from deixis.errors import ConfigError
from deixis.files.whole import whole_file
from deixis.files.yaml_text import read_yaml
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.options import (
    Bounds,
    Checked,
    Count,
    Natural,
    NonNegative,
    check_fields,
    differences,
    plain_values,
    read_options,
)
from deixis.systems.pointmlp.classifier import CloudClassifier
from deixis.training.run_folder import COPY, MODEL, read_copy, write_copy
from deixis.training.stage_run import WITH_MINIMUM, TrainingOptions, run_stage

logger = logging.getLogger(__name__)
TASK = "classify"  # also the folder of the stage, as in other recipes
SCORES = "scores.json"


@no_type_check
@dataclass(frozen=True, kw_only=True)
class CloudData(Checked):
    """Labelled point clouds on disk (`datasets.classification.class_clouds`).

    Raises ConfigError for a field that does not fit.
    """

    folder: str
    variant: str = SCANOBJECTNN_HARDEST
    """Of ScanObjectNN, if the folder holds it."""


@no_type_check
@dataclass(frozen=True, kw_only=True)
class ClassifyRecipe:
    """The recipe of a classifier of point clouds; the defaults are the published ones for ModelNet40.

    Raises ConfigError for a field that does not fit.
    """

    data: CloudData
    model: PointMLPConfig
    """In a file with a `preset` that fills in the rest; the number of classes is that of the data."""
    task: Literal["classify"] = TASK
    seed: Natural = 0
    epochs: Count = 300
    batch: Count = 32
    learning_rate: NonNegative = 0.1
    min_learning_rate: NonNegative = 0.005
    """Where the cosine schedule ends."""
    momentum: NonNegative = 0.9
    weight_decay: NonNegative = 2e-4
    label_smoothing: Annotated[float, Bounds(least=0, below=1)] = 0.2
    max_grad_norm: NonNegative = 1.0
    scale: Annotated[float, Bounds(least=1)] = 1.5
    """Clouds are stretched along each axis by a random factor between 1 / scale and scale."""
    shift: NonNegative = 0.2
    """Clouds are moved along each axis by up to this, of a unit sphere."""
    evaluate_epochs: Count = 10
    """Epochs between evaluations on the test clouds."""
    workers: Natural = 1

    def __post_init__(self) -> None:
        check_fields(self)


def parse_classify(values: Mapping[str, Any], where: str = "") -> ClassifyRecipe:
    """The recipe in plain values.

    Raises ConfigError where a field is missing, unknown or wrong; the message begins with `where`.
    """
    parsed = dict(values)
    if "data" in parsed:
        parsed["data"] = read_options(CloudData, parsed["data"], f"{where}data.")
    if "model" in parsed:
        parsed["model"] = PointMLPConfig.of(parsed["model"], f"{where}model.")
    return read_options(ClassifyRecipe, parsed, where)


class ClassBatches:
    """The batches of a stage: {"points", "labels"} of step 0, 1, ..; each epoch goes through the clouds in a new order.

    A step is a function of the seed and its number, so an interrupted run resumes with the batches of an unbroken one.
    """

    def __init__(self, clouds: ClassClouds, recipe: ClassifyRecipe):
        self.clouds, self.recipe = clouds, recipe

    @property
    def steps_per_epoch(self) -> int:
        return len(self.clouds.labels) // self.recipe.batch

    def __call__(self, step: int) -> dict[str, Tensor]:
        size, seed = self.recipe.batch, self.recipe.seed
        epoch, place = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([seed, 0, epoch]).permutation(len(self.clouds.labels))
        rows = order[place * size : (place + 1) * size]
        points = augment(self.clouds.points[rows], self.recipe, np.random.default_rng([seed, 1, step]))
        return {"points": torch.from_numpy(points), "labels": torch.from_numpy(self.clouds.labels[rows])}


def augment(clouds: np.ndarray, recipe: ClassifyRecipe, rng: np.random.Generator) -> np.ndarray:
    """Clouds (cloud, point, 3) stretched and moved at random along each axis, their points permuted."""
    scales = rng.uniform(1 / recipe.scale, recipe.scale, (len(clouds), 1, 3))
    shifts = rng.uniform(-recipe.shift, recipe.shift, (len(clouds), 1, 3))
    moved = (clouds * scales + shifts).astype(np.float32)
    order = rng.permuted(np.tile(np.arange(moved.shape[1]), (len(moved), 1)), axis=1)
    return np.take_along_axis(moved, order[..., None], axis=1)


class ClassLearner(nn.Module):
    """A network with its loss, as the training loop requires it."""

    def __init__(self, network: PointMLP, label_smoothing: float):
        super().__init__()
        self.network, self.label_smoothing = network, label_smoothing

    def forward(self, points: Float[Tensor, "cloud point 3"], labels: Int[Tensor, " cloud"]) -> dict[str, Any]:
        loss = smoothed_loss(self.network(points), labels, self.label_smoothing)
        return {"loss": loss, "losses": {"class": loss.detach()}}


def smoothed_loss(
    logits: Float[Tensor, "cloud classes"], labels: Int[Tensor, " cloud"], smoothing: float
) -> Float[Tensor, ""]:
    """Cross entropy with `smoothing` divided among the other classes, as published; torch gives all classes a share."""
    classes = logits.shape[1]
    return F.cross_entropy(logits, labels, label_smoothing=smoothing * classes / max(classes - 1, 1))


@torch.no_grad()
def score(network: nn.Module, clouds: ClassClouds, names: tuple[str, ...], batch: int) -> dict[str, Any]:
    """Accuracy: {"overall": over all clouds, "mean_class": mean over the classes that occur, "classes": per class}."""
    network.eval()
    device = next(network.parameters()).device
    parts = torch.from_numpy(clouds.points).split(batch)
    predicted = np.concatenate([network(part.to(device)).argmax(1).cpu().numpy() for part in parts])
    correct = predicted == clouds.labels
    classes = {names[label]: float(correct[clouds.labels == label].mean()) for label in np.unique(clouds.labels)}
    return {"overall": float(correct.mean()), "mean_class": float(np.mean(list(classes.values()))), "classes": classes}


class ScoreLog(TrainerCallback):
    """Evaluates the test clouds every `every` steps; the scores are logged with the next losses."""

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


def train_classifier(recipe: ClassifyRecipe, out: Path) -> Path:
    """Trains under `out`; returns the folder of the classifier (`load_classifier`).

    Beside it `scores.json` holds the final scores of the training and the test clouds. An interrupted run is resumed, a
    finished one is left alone. Raises ConfigError where the data does not fit the recipe, or `out` holds the run of
    another recipe.
    """
    copy, folder = out / COPY, out / TASK
    if copy.is_file() and (found := "; ".join(differences(read_copy(out, read_yaml), plain_values(recipe)))):
        raise ConfigError(f"{out}: holds a run of another recipe ({found}); choose another folder, or remove this one")
    if (folder / MODEL).exists():
        logger.info("%s is done", folder)
        return folder / MODEL
    data = read_class_clouds(recipe.data.folder, recipe.model.points, recipe.data.variant)
    batches = ClassBatches(data.train, recipe)
    if not batches.steps_per_epoch:
        raise ConfigError(f"batch: expected at most the {len(data.train.labels)} clouds there are, got {recipe.batch}")
    write_copy(recipe, out)
    torch.manual_seed(recipe.seed)
    network = PointMLP(replace(recipe.model, class_num=len(data.names)))
    _fit(network, batches, recipe, folder, data)
    scores = {"train": score(network, data.train, data.names, recipe.batch)}
    if data.test is not None:
        scores["test"] = score(network, data.test, data.names, recipe.batch)
    with whole_file(folder / SCORES) as part:
        part.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    CloudClassifier(network.cpu(), data.names, data.unit_sphere).save(folder / MODEL)
    return folder / MODEL


def _fit(network: PointMLP, batches: ClassBatches, recipe: ClassifyRecipe, folder: Path, data: ClassSet) -> None:
    """All epochs of the recipe, on the loop that every stage is trained by."""
    each = batches.steps_per_epoch
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    options = TrainingOptions(
        learning_rate=recipe.learning_rate,
        warmup_steps=0,
        min_learning_rate=recipe.min_learning_rate,
        schedule=WITH_MINIMUM,
        max_grad_norm=recipe.max_grad_norm,
        save_steps=10 * each,
        log_steps=min(20, each),
        workers=recipe.workers,
        bf16=False,
    )
    callbacks: list[TrainerCallback] = []
    if data.test is not None:
        every = recipe.evaluate_epochs * each
        callbacks.append(ScoreLog(network, data.test, data.names, recipe.batch, every))
    learner = ClassLearner(network, recipe.label_smoothing)
    run_stage(learner, batches, recipe.epochs * each, options, folder, recipe.seed, optimizer, callbacks)
