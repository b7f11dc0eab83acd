"""`deixis data build`: a region-level dataset from a recipe and the annotations of other datasets."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deixis.cli.arguments import RayAddress, Workers, check_installed, print_entries
from deixis.cli.data.read import show_report
from deixis.cli.recipes import find_recipe
from deixis.errors import InputError

ANSWERS = "answers.sqlite"  # of the language model, in OUT, unless the recipe names another place

if TYPE_CHECKING:
    from deixis.synthesis.annotators import Annotators
    from deixis.synthesis.recipe import BuildRecipe


def run(
    recipe: Annotated[Path | None, typer.Argument(help="A YAML file, or a shipped one: recipes/grit.yaml.")] = None,
    out: Annotated[Path | None, typer.Argument(help="A new folder for the samples.")] = None,
    scale: Annotated[
        float | None, typer.Option(help="Factor on the samples of each part. [default: the recipe's]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random choices. [default: the recipe's]")] = None,
    workers: Workers = 1,
    ray_address: RayAddress = None,
    listed: Annotated[bool, typer.Option("--list", help="List the parts with their options, and exit.")] = False,
) -> None:
    """Build region-level data, as in Ferret's GRIT, from detection, segmentation and grounding annotations.

    The samples are the same for any number of workers. The same command resumes a run that was stopped. Parts that
    require a model which the recipe does not name are skipped and reported.
    """
    if listed:
        return _show_parts()
    if recipe is None or out is None:
        raise InputError("expected RECIPE OUT, as in: deixis data build recipes/grit.yaml out/grit; or --list")
    recipe = find_recipe(recipe)
    from deixis.cli.progress import resumable
    from deixis.datasets.runs import pool
    from deixis.datasets.runs.folder import RunFolder
    from deixis.synthesis.build_run import build_set, plan_build
    from deixis.synthesis.recipe import read_build_recipe

    wanted = read_build_recipe(recipe)
    if scale is not None and not scale > 0:
        raise InputError(f"--scale: expected a number above 0, got {scale}")
    wanted = replace(wanted, **{k: v for k, v in {"scale": scale, "seed": seed}.items() if v is not None})
    check_installed(*["pyarrow"] * (wanted.ending == "parquet"), *["ray"] * (ray_address is not None))
    folder = RunFolder(out)
    plan = plan_build(wanted, folder, _tools(wanted, out))
    was_done = folder.is_finished
    with resumable(out) as progress:
        report = build_set(plan, folder, pool.Workers(workers, ray_address), progress)
    show_report(report, out, was_done)


def _tools(recipe: "BuildRecipe", out: Path) -> "Annotators":
    """Factories of the models that a recipe names; nothing is loaded yet."""
    from deixis.language.endpoint import endpoint_from_recipe
    from deixis.synthesis.annotators import open_annotators

    language = None
    if recipe.language is not None:
        language = endpoint_from_recipe(recipe.language, out / ANSWERS).open
    models: dict[str, Any] = dict(recipe.models)
    return open_annotators(language=language, **models)


def _show_parts() -> None:
    """Prints each part: its result, the models it requires, its options with their defaults."""
    from dataclasses import fields

    from deixis.synthesis.parts.registry import PARTS

    entries = []
    for name, part in PARTS.items():
        needs = [f"needs: {', '.join(part.needs)}"] if part.needs else []
        options = ", ".join(f"{option.name} ({option.default!r})" for option in fields(part.options))
        granularity = f"granularity: {part.granularity}; regions go {', '.join(part.directions)}"
        entries.append((name, part.title, (granularity, *needs, options)))
    print_entries(entries)
