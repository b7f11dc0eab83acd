"""What a training will need, printed before it begins: parameters, memory, samples, steps and time."""

from pathlib import Path
from typing import TYPE_CHECKING

from deixis.cli.terminal import console, say
from deixis.errors import UnsupportedError

if TYPE_CHECKING:
    from deixis.training.classifier import ClassifyRecipe
    from deixis.training.plan import MeasuredSteps, StagePlan
    from deixis.training.recipe_file import Recipe

TABLE_WIDTH = 100


def check_and_show(recipe: "Recipe | ClassifyRecipe", folder: Path, is_dry: bool) -> None:
    """Checks the memory of stages that are not done in `folder`; with `is_dry` prints the plan and times first steps.

    A classifier is small. Raises UnsupportedError for what does not fit, and for the plan of a classifier.
    """
    from deixis.training.plan import check_memory, measure_steps, plan_recipe
    from deixis.training.recipe import finished_stages
    from deixis.training.recipe_file import Recipe
    from deixis.training.same_run import check_same_run

    if not isinstance(recipe, Recipe):
        if is_dry:
            raise UnsupportedError("--dry-run: expected a recipe of stages; got one of a classifier")
        return
    plans = plan_recipe(recipe, finished_stages(recipe, folder, check_same_run(recipe, folder)))
    if is_dry:
        for plan, before in zip(plans, (None, *plans), strict=False):
            _show(plan, before)
    check_memory(plans, _free_bytes())
    if is_dry:
        for plan in plans:
            _show_time(plan, measure_steps(recipe, plan))


def _free_bytes() -> int | None:
    """Memory for a network: with sharded weights that of all devices, with processes on CPUs the share of one."""
    from deixis.inference.memory import free_bytes
    from deixis.model.devices import choose_device
    from deixis.training.processes import on_cpu, process_count
    from deixis.training.sharding import is_sharded

    if (free := free_bytes(choose_device(None))) is None:
        return None
    if on_cpu():
        return free if is_sharded() else free // process_count()
    return free * process_count() if is_sharded() else free


def _show(plan: "StagePlan", before: "StagePlan | None") -> None:
    """before: the stage before, whose table is not printed again."""
    if before is None or before.parts != plan.parts:
        _show_parts(plan)
    a_step = ", ".join(f"{count} {name}" for name, count in plan.stage.batch.items())
    batches = f"{plan.stage.accumulate} batches of " if plan.stage.accumulate > 1 else ""
    samples = "" if plan.samples is None else f", from {plan.samples:,} samples"
    say(f"stage {plan.stage.name}: {plan.steps:,} steps, each of {batches}{a_step}{samples}")


def _show_parts(plan: "StagePlan") -> None:
    from rich.table import Table

    from deixis.systems.needs import size_text

    table = Table(title=f"stage {plan.stage.name}", title_justify="left")
    for title in ("part", "weights", "trained", "memory"):
        table.add_column(title, justify="left" if title == "part" else "right")
    for name, part in plan.parts.items():
        table.add_row(name, f"{part.weights:,}", f"{part.trained:,}", size_text(part.nbytes))
    weights, trained = (sum(getattr(part, name) for part in plan.parts.values()) for name in ("weights", "trained"))
    table.add_section()
    table.add_row("all", f"{weights:,}", f"{trained:,}", size_text(plan.nbytes))
    console(width=TABLE_WIDTH).print(table)
    say("memory: weights, gradients and optimizer; activations come on top")


def _show_time(plan: "StagePlan", measured: "MeasuredSteps") -> None:
    from datetime import timedelta

    from deixis.systems.needs import size_text

    whole = timedelta(seconds=round(plan.steps * measured.seconds))
    peak = "" if measured.peak_bytes is None else f"; peak of memory so far {size_text(measured.peak_bytes)}"
    say(f"stage {plan.stage.name}: {measured.seconds:.2f} s a step, {whole} for all{peak}")
