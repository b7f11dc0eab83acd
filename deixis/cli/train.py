"""`deixis train`: trains the stages of a recipe, or resumes them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deixis.cli.arguments import check_folder, check_installed
from deixis.cli.recipes import find_recipe
from deixis.cli.terminal import say

NEEDED = ("accelerate", "tensorboard")  # of the extras
WORLD_NEEDS = ("embreex",)  # for recipes whose data is the generated world


def run(
    recipe: Annotated[Path, typer.Argument(help="A YAML file, or a shipped one, such as recipes/tiny.yaml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run: checkpoints, logs, and the model. [default: runs/RECIPE]")
    ] = None,
) -> None:
    """Train a model from a recipe; the same command resumes a run that was stopped, or goes on with more steps.

    Each stage writes STAGE/model into the folder; tensorboard --logdir shows its curves.
    """
    recipe = find_recipe(recipe)
    check_folder(out)
    from deixis.cli.progress import training_log
    from deixis.training.recipe import train
    from deixis.training.recipe_file import Recipe, read_recipe

    folder = out or Path("runs") / recipe.stem
    plan = read_recipe(recipe)
    check_installed(*NEEDED, *(WORLD_NEEDS if isinstance(plan, Recipe) and plan.uses_world else ()))
    before = {path: path.stat().st_ino for path in folder.glob("*/model")}
    try:
        with training_log():
            model = train(plan, folder)
    except KeyboardInterrupt:
        if folder.is_dir():
            say(f"\nstopped; to resume: deixis train {recipe} --out {folder}", err=True)
        raise
    was_there = before.get(model) == model.stat().st_ino
    say(f"the model is in {model}" + ", trained before: nothing was left to do" * was_there)
    if (model.parent / "scores.json").is_file():  # of a classifier
        for clouds, scores in json.loads((model.parent / "scores.json").read_text(encoding="utf-8")).items():
            overall, mean_class = (f"{100 * scores[name]:.2f} %" for name in ("overall", "mean_class"))
            say(f"{clouds}: overall accuracy {overall}, mean class accuracy {mean_class}")
