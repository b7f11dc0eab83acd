"""`deixis ablate`: a comparison of the papers, trained and measured at the scale of the generated world."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deixis.cli.arguments import Device, check_folder, check_installed, print_entries
from deixis.cli.terminal import say
from deixis.cli.train import NEEDED, WORLD_NEEDS
from deixis.errors import InputError
from deixis.options import check_choice

if TYPE_CHECKING:
    from deixis.ablations.answers import Settings
    from deixis.ablations.comparison import Comparison


def run(
    name: Annotated[str | None, typer.Argument(help="Name of the comparison; --list shows all.")] = None,
    seeds: Annotated[int, typer.Option(help="Trainings per variant.", min=1)] = 3,
    steps: Annotated[
        int | None, typer.Option(help="Of the longest stage, the others in proportion. [default: as declared]", min=1)
    ] = None,
    questions: Annotated[int, typer.Option(help="Per task.", min=1)] = 100,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. [default: runs/ablate/NAME]")] = None,
    device: Device = None,
    listed: Annotated[bool, typer.Option("--list", help="List the comparisons with their cost, and exit.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be trained and measured.")] = False,
) -> None:
    """Repeat a comparison of the papers on small networks, and say whether its finding held.

    Every variant is trained with several seeds and asked the same unseen questions. The same command resumes a run that
    was stopped, and goes on with more --seeds. OUT/report.md holds the table.
    """
    from deixis.ablations import COMPARISONS
    from deixis.ablations.answers import Settings

    settings = Settings(seeds, steps, questions)
    if listed:
        return print_entries((own.name, own.question, _lines(own, settings)) for own in COMPARISONS.values())
    if name is None:
        raise InputError(f"NAME: expected one of {', '.join(COMPARISONS)}; got none (deixis ablate --list says more)")
    check_choice("NAME", name, tuple(COMPARISONS))
    check_folder(out)
    comparison = COMPARISONS[name]
    if dry_run:
        return _show_plan(comparison, settings)
    check_installed(*NEEDED, *WORLD_NEEDS)
    from deixis.ablations.report import report_lines
    from deixis.ablations.run import run_comparison
    from deixis.cli.progress import stop_told, training_log

    folder = out or Path("runs") / "ablate" / name
    with training_log(), stop_told(f"the same command resumes {folder}"):
        results = run_comparison(comparison, folder, settings, device, partial(say, err=True))
    for line in report_lines(results):
        say(line)


def _lines(comparison: "Comparison", settings: "Settings") -> list[str]:
    """The paper's finding, the variants, and the command with its cost."""
    return [
        f"{comparison.source}: {comparison.finding}",
        f"variants: {', '.join(comparison.variants)}",
        f"deixis ablate {comparison.name}: {_cost(comparison, settings)}",
        "",
    ]


def _cost(comparison: "Comparison", settings: "Settings") -> str:
    from deixis.ablations.cost import cost_of

    cost = cost_of(comparison, settings)
    return f"{cost.trainings} trainings, {cost.steps:,} steps, about {cost.minutes:.0f} minutes on one thread of a CPU"


def _show_plan(comparison: "Comparison", settings: "Settings") -> None:
    """Every variant with its changes and stages, what is measured, and the cost."""
    say(f"{comparison.name}: {comparison.question}")
    say(f"{comparison.source}: {comparison.finding}")
    for name, variant in comparison.variants.items():
        say(f"variant {name}: {', '.join(variant.changes) or 'the base recipe'}")
        for stage in comparison.variant_recipe(name, 1, settings.steps).stages:
            rows = ", ".join(f"{count} {modality}" for modality, count in stage.batch.items())
            say(f"    stage {stage.name}: {stage.steps:,} steps of {rows}")
    for claim in comparison.claims:
        say(f"expected: {claim.better} above {claim.worse} in {'; '.join(map(str, claim.measures))}")
    say(f"{settings.questions} questions per task; {_cost(comparison, settings)}")
