"""`deixis train`: trains the stages of a recipe, or resumes them."""

import os
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deixis.cli.arguments import RayAddress, check_folder, check_installed
from deixis.cli.dry_run import check_and_show
from deixis.cli.errors import quiet_stdout
from deixis.cli.recipes import find_recipe
from deixis.cli.terminal import say
from deixis.errors import InputError

if TYPE_CHECKING:
    from deixis.training.classifier import ClassifyRecipe
    from deixis.training.recipe_file import Recipe

NEEDED = ("accelerate", "tensorboard")  # of the extras
WORLD_NEEDS = ("embreex", "nibabel")  # for recipes whose data is the generated world

Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="PATH=VALUE, a change of the recipe, as stages.0.steps=50; repeatable."),
]
RayCount = Annotated[int | None, typer.Option("--ray", metavar="N", help="Train by N workers of a Ray cluster.", min=1)]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print parameters, memory, steps and time per stage, and exit.")
]


def run(
    recipe: Annotated[Path, typer.Argument(help="A YAML file, or a shipped one, such as recipes/tiny.yaml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run: checkpoints, logs, and the model. [default: runs/RECIPE]")
    ] = None,
    changes: Changes = None,
    dry_run: DryRun = False,
    ray: RayCount = None,
    ray_address: RayAddress = None,
) -> None:
    """Train a model from a recipe; the same command resumes a run that was stopped, or goes on with more steps.

    On many devices: torchrun --nproc-per-node N -m deixis train RECIPE, accelerate launch -m deixis train RECIPE, or
    --ray N.

    Each stage writes STAGE/model into the folder; tensorboard --logdir shows its curves.
    """
    recipe = find_recipe(recipe)
    check_folder(out)
    from deixis.cli.progress import stop_told, training_log
    from deixis.files.state import read_state
    from deixis.training.classifier import SCORES
    from deixis.training.processes import is_first, leave
    from deixis.training.recipe_file import Recipe, read_recipe

    folder = out or Path("runs") / recipe.stem
    plan = read_recipe(recipe, changes or ())
    if not is_first():
        quiet_stdout()
    check_installed(*NEEDED, *(WORLD_NEEDS if isinstance(plan, Recipe) and plan.uses_world else ()))
    train = training(plan, ray, ray_address)
    check_and_show(plan, folder, dry_run)
    if dry_run:
        return
    before = {path: path.stat().st_ino for path in folder.glob("*/model")}
    with ExitStack() as told:
        if is_first():
            told.enter_context(training_log())
            told.enter_context(stop_told(f"to resume: {_again(recipe, folder, changes or [], ray, ray_address)}"))
        model = train(plan, folder)
    leave()
    was_there = before.get(model) == model.stat().st_ino
    say(f"the model is in {model}" + ", trained before: nothing was left to do" * was_there)
    if (model.parent / SCORES).is_file():  # of a classifier
        remedy = "remove it; the model beside it is whole"
        for line in read_state(model.parent / SCORES, _score_lines, remedy):
            say(line)


def training(recipe: "Recipe | ClassifyRecipe", ray: int | None, address: str | None) -> "Callable[..., Path]":
    """The function that trains a recipe in a folder: in this process, or by workers of a Ray cluster.

    Raises InputError and ConfigError for what they cannot train.
    """
    if ray is None:
        if address is not None:
            raise InputError("--ray-address: expected beside --ray N, got it alone")
        from deixis.training.recipe import train

        return train
    check_installed("ray.train")
    if launched_count() > 1:
        raise InputError("--ray: expected without torchrun or accelerate launch, as Ray starts the processes; got both")
    from deixis.training.ray_workers import RayWorkers, train_on_ray

    workers = RayWorkers(ray, address or RayWorkers.address)
    workers.check(recipe)
    return partial(train_on_ray, workers=workers)


def launched_count() -> int:
    """How many processes torchrun or accelerate launch has started."""
    count = os.environ.get("WORLD_SIZE", "1")
    return int(count) if count.isdecimal() else 1


def _again(recipe: Path, folder: Path, changes: list[str], ray: int | None, address: str | None) -> str:
    """The command that goes on."""
    if launched_count() > 1:
        return "the same command, with any number of processes"
    words = [f"--set={one}" for one in changes] + ([] if ray is None else ["--ray", str(ray)])
    words += [] if address is None else ["--ray-address", address]
    return shlex.join(["deixis", "train", str(recipe), "--out", str(folder), *words])


def _score_lines(scores: Any) -> list[str]:
    lines = []
    for clouds, values in scores.items():
        overall, mean_class = (f"{100 * float(values[name]):.2f} %" for name in ("overall", "mean_class"))
        lines.append(f"{clouds}: overall accuracy {overall}, mean class accuracy {mean_class}")
    return lines
