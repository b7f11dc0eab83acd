"""Whether a run goes on with a recipe: what was trained with other values is refused, and further steps go on.

Stages that have not begun may differ, and so may what changes nothing that is learnt.
"""

from pathlib import Path
from typing import Any

from deixis.errors import ConfigError
from deixis.options import differences, plain_values
from deixis.training.classifier import ClassifyRecipe
from deixis.training.recipe_file import Recipe, read_recipe
from deixis.training.run_folder import COPY, MODEL, last_step, read_copy

FREE = ("workers", "log_steps", "report_to", "checkpointing")  # fields of a stage that change nothing that is learnt


def check_same_run(recipe: Recipe, out: Path) -> tuple[str, ...]:
    """The names of the finished stages of the run in `out` that this recipe gives more steps.

    Raises ConfigError, naming every field that differs, where `out` holds what this recipe would not have trained.
    """
    if not (out / COPY).is_file():
        return ()
    earlier = read_copy(out, read_recipe)
    if isinstance(earlier, ClassifyRecipe):
        raise ConfigError(f"{out}: holds a run of another recipe, of a classifier; choose another folder")
    (before, old), (now, new) = map(_by_stage, (earlier, recipe))
    begun = [name for name in old if last_step(out / name) or (out / name / MODEL).exists()]
    if not begun:
        return ()
    found = list(differences(before, now))
    if begun != list(new)[: len(begun)]:
        found.append(f"its stages are {', '.join(old)}, now they are {', '.join(new)}")
    extended = []
    for name in begun:
        stage = new.get(name, old[name])
        done = old[name]["steps"] if (out / name / MODEL).exists() else last_step(out / name)
        if name == begun[-1] and None not in (done, stage["steps"], old[name]["steps"]) and stage["steps"] >= done:
            if (out / name / MODEL).exists() and stage["steps"] > done:
                _check_checkpoint(out / name, done)
                extended.append(name)
            stage = {**stage, "steps": old[name]["steps"]}  # further steps are no difference
        # with held-out samples checkpoints decide which weights are kept
        free = FREE if old[name].get("held_out") else (*FREE, "save_steps")
        same = {field: old[name][field] for field in free if field in old[name]}
        found += differences(old[name], {**stage, **same}, f"stages.{name}")
    if found:
        raise ConfigError(
            f"{out}: holds a run of another recipe ({'; '.join(found)}); choose another folder, or remove this one"
        )
    return tuple(extended)


def set_aside(out: Path, names: tuple[str, ...]) -> None:
    """Renames the models of finished stages that go on, so that the stages are unfinished: model-STEPS."""
    for name in names:
        (out / name / MODEL).rename(out / name / f"{MODEL}-{last_step(out / name)}")


def _by_stage(recipe: Recipe) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(fields of the whole recipe, fields of each stage by its name) as plain values."""
    values = plain_values(recipe)
    return values, {stage["name"]: stage for stage in values.pop("stages")}


def _check_checkpoint(folder: Path, done: int) -> None:
    if last_step(folder) < done:
        raise ConfigError(
            f"{folder}: expected the checkpoint of step {done} to go on from, got none; train further in another "
            f"folder, with init: {folder / MODEL}"
        )
