"""What a training recipe may say: one YAML file of the network or where it comes from, the stages and the seed.

It checks every field and names the one that is wrong; it makes no network and opens no data.
"""

from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

from transformers.trainer_utils import SchedulerType

from deixis.errors import ConfigError
from deixis.model.config import DeixisConfig
from deixis.samples.mixtures.mixture import MixtureRecipe, read_mixture
from deixis.samples.yaml_file import read_yaml
from deixis.training.classifier import TASK as CLASSIFY
from deixis.training.classifier import read_classify
from deixis.training.instruct import PAIR
from deixis.training.stage_run import StageOptions
from deixis.world.generate import KINDS

TASKS = ("dense", "instruct")
FIELDS = ("seed", "vocab_size", "model", "mask_weights", "init", "stages")
DATA = "data"  # in a batch: samples of the stage's own data, beside rows of the world
STAGE_FIELDS: dict[str, Any] = {f.name: f.type for f in fields(StageOptions)}
STAGE_FIELDS |= {"name": str, "task": str, "batch": dict, "questions": int, "max_tokens": int}
STAGE_FIELDS |= {"dense_weight": float, "guide_weight": float, DATA: list, "replay": dict}


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a YAML file.

    Fields: `seed`; `model`, DeixisConfig's fields, with `vocab_size` of its tokenizer and `mask_weights`, a folder or
    hub id of SAM's weights; or instead of these `init`, a trained model to start from; `stages`, each with `name`,
    `task`, `batch` and those of `StageOptions`. With `task: classify` at the top: those of `ClassifyRecipe`.

    Raises ValueError naming the field that is missing, unknown or wrong.
    """
    recipe = read_yaml(path)
    if isinstance(recipe, dict) and recipe.get("task") == CLASSIFY:
        return read_classify(recipe, str(path))
    if isinstance(recipe, dict) and "parts" in recipe:
        raise ConfigError(
            f"{path}: expected a recipe of training, got one of region data: deixis data build {path} OUT"
        )
    if not isinstance(recipe, dict) or ("model" in recipe) == ("init" in recipe):
        raise ConfigError(f"{path}: expected a recipe with `stages` and either `model` or `init`")
    if unknown := [str(key) for key in recipe if key not in FIELDS]:
        raise ConfigError(f"{path}: unknown field(s) {', '.join(sorted(unknown))}; known are {', '.join(FIELDS)}")
    stages = recipe.get("stages")
    if not isinstance(stages, list) or not stages or not all(isinstance(stage, dict) for stage in stages):
        raise ConfigError(f"{path}: stages: expected a list of at least one stage, each with its fields")
    for name in ("seed", "vocab_size"):
        _check_number(f"{path}: {name}", recipe.get(name, 1), int)
    if not isinstance(recipe.get("model", {}), dict):
        raise ConfigError(f"{path}: model: expected fields of DeixisConfig, got {recipe['model']!r}")
    if unknown := recipe.get("model", {}).keys() - set(DeixisConfig.__annotations__):
        raise ConfigError(f"{path}: model: unknown field(s) {', '.join(sorted(map(str, unknown)))}")
    names = [stage.get("name") for stage in stages]
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or names.count(name) > 1:
            raise ConfigError(
                f"{path}: stages: expected a name for each that no other has, fit for a folder; got {name!r}"
            )
    for stage in stages:
        _check_stage(f"{path}: stage {stage['name']}", stage)
    return recipe


def _check_stage(where: str, stage: dict[str, Any]) -> None:
    if stage.get("task") not in TASKS:
        raise ConfigError(f"{where}: task: expected one of {', '.join(TASKS)}; got {stage.get('task')!r}")
    if unknown := [str(key) for key in stage if key not in STAGE_FIELDS]:
        raise ConfigError(f"{where}: unknown field(s) {', '.join(sorted(unknown))}")
    known = (*KINDS, PAIR, DATA) if stage["task"] == "instruct" else KINDS
    batch = stage.get("batch")
    if not isinstance(batch, dict) or not batch or not set(batch) <= set(known):
        raise ConfigError(f"{where}: batch: expected a count for some of {', '.join(known)}; got {batch!r}")
    ends = _check_data(where, stage)
    if "steps" not in stage and not ends:
        raise ConfigError(f"{where}: steps: expected a number of steps, got none")
    for name, value in chain(batch.items(), stage.items()):
        if STAGE_FIELDS.get(name, int) in (int, float):
            _check_number(f"{where}: {name}", value, STAGE_FIELDS.get(name, int))
    for name in ("steps", "save_steps", "log_steps", "questions", *batch):
        if (stage | batch).get(name, 1) < 1:
            raise ConfigError(f"{where}: {name}: expected at least 1, got {(stage | batch)[name]}")
    if not isinstance(stage.get("bf16", True), bool):
        raise ConfigError(f"{where}: bf16: expected true or false, got {stage['bf16']!r}")
    schedules = [kind.value for kind in SchedulerType]
    if stage.get("schedule", schedules[0]) not in schedules:
        raise ConfigError(f"{where}: schedule: expected one of {', '.join(schedules)}; got {stage['schedule']!r}")


def _check_data(where: str, stage: dict[str, Any]) -> bool:
    """Whether the stage has data of its own that come to an end, so that it needs no number of steps."""
    if (DATA in stage) != (DATA in stage["batch"]):
        has, lacks = ("batch", "stage") if DATA in stage["batch"] else ("stage", "batch")
        raise ConfigError(
            f"{where}: data: expected the sets of samples in the stage, and in its batch how many samples of them a "
            f"step has, got data in the {has} and none in the {lacks}"
        )
    if DATA not in stage:
        if "replay" in stage:
            raise ConfigError(f"{where}: replay: expected it beside the field data, got no data")
        return False
    if stage.get("dense_weight"):
        raise ConfigError(f"{where}: dense_weight: expected 0 beside data, which have no dense truth")
    recipe = mixture_of(stage, where)
    return all(part.epochs is not None for part in recipe.data)


def mixture_of(stage: dict[str, Any], where: str = "") -> MixtureRecipe:
    """The mixture of a stage with `data`. Raises ValueError, one sentence, for one that is wrong."""
    return read_mixture(where, stage[DATA], stage.get("replay"))


def draws_world(recipe: dict[str, Any]) -> bool:
    """Whether a recipe needs the generated world: for a tokenizer's words, or for a stage's signals."""
    return "init" not in recipe or any(set(stage["batch"]) - {DATA} for stage in recipe["stages"])


def _check_number(where: str, value: Any, kind: type) -> None:
    """Raises ValueError unless `value` is a number of this kind, not below zero; YAML reads 1e-3 as a word."""
    fits = isinstance(value, int) or (kind is float and isinstance(value, float))
    if isinstance(value, bool) or not fits or value < 0:
        hint = "; YAML wants 1.0e-3 for 1e-3" if isinstance(value, str) else ""
        raise ConfigError(f"{where}: expected a {'whole ' if kind is int else ''}number from 0, got {value!r}{hint}")
