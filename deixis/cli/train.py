"""`deixis train`: the stages of a recipe, from scratch or from where they were stopped."""

import importlib
import json
from pathlib import Path
from typing import Annotated

import typer

from deixis.cli.recipes import find_recipe
from deixis.errors import InputError

NEEDED = ("accelerate", "tensorboard")  # of the extras: they are named before an hour has gone by
WORLD_NEEDS = ("embreex",)  # by recipes whose data is the generated world


def run(
    recipe: Annotated[Path, typer.Argument(help="A YAML file, or a shipped one, such as recipes/tiny.yaml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run: checkpoints, logs, and the model. [default: runs/RECIPE]")
    ] = None,
) -> None:
    """Train a model by a recipe; the same command goes on with a run that was stopped.

    Every stage leaves STAGE/model in the folder, and tensorboard --logdir shows its curves.
    """
    recipe = find_recipe(recipe)
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"--out: expected a folder, got the file {out}")
    from deixis.training.recipe import train
    from deixis.training.recipe_file import Recipe, read_recipe

    folder = out or Path("runs") / recipe.stem
    plan = read_recipe(recipe)
    for package in (*NEEDED, *WORLD_NEEDS) if isinstance(plan, Recipe) and plan.uses_world else NEEDED:
        importlib.import_module(package)
    try:
        model = train(plan, folder)
    except KeyboardInterrupt:
        if folder.is_dir():
            typer.echo(f"\nstopped; to go on: deixis train {recipe} --out {folder}", err=True)
        raise
    typer.echo(f"the model is in {model}")
    if (model.parent / "scores.json").is_file():  # of a classifier
        for clouds, scores in json.loads((model.parent / "scores.json").read_text(encoding="utf-8")).items():
            overall, mean_class = (f"{100 * scores[name]:.2f} %" for name in ("overall", "mean_class"))
            typer.echo(f"{clouds}: {overall} of the clouds named right, {mean_class} as the mean over classes")
