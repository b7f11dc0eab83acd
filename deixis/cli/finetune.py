"""`deixis finetune`: a model is trained on a part of someone's samples, and measured on the rest before and after."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deixis.cli.arguments import (
    Device,
    ModelName,
    RayAddress,
    check_folder,
    check_installed,
    check_model,
    named_values,
)
from deixis.cli.dry_run import check_and_show
from deixis.cli.eval import of_model, show
from deixis.cli.terminal import say
from deixis.cli.train import NEEDED, WORLD_NEEDS, Changes, DryRun, RayCount, launched_count, training
from deixis.errors import InputError
from deixis.options import check_choice

if TYPE_CHECKING:
    from deixis.checkpoints import Opened
    from deixis.evaluation.benchmark import Benchmark
    from deixis.evaluation.reports.summary import Summary
    from deixis.model.config import DeixisConfig
    from deixis.samples.held_out import Parted

DATA, BEFORE, AFTER, RUN = "data", "before", "after", "run"
SAMPLES = "samples"  # the format that needs no reading


def run(
    data: Annotated[Path, typer.Argument(help="Samples, or a set in a format of deixis data read; a folder or file.")],
    model: ModelName = "bundled",
    out: Annotated[Path | None, typer.Option(help="Folder of the run. [default: runs/finetune-DATA]")] = None,
    format_name: Annotated[
        str | None,
        typer.Option("--format", help="deixis data read --list shows all. [default: what the files of DATA tell]"),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the media, if not beside DATA.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, an option of the format; repeatable.")] = None,
    steps: Annotated[int | None, typer.Option(help="[default: by model and data, from 100 to 2,000]", min=1)] = None,
    held_out: Annotated[
        float, typer.Option(help="Share of the media to measure on, where DATA names no split.", min=0.01, max=0.9)
    ] = 0.1,
    limit: Annotated[int, typer.Option(help="Maximum number of held-out questions per task.", min=1)] = 50,
    world_limit: Annotated[
        int, typer.Option(help="Questions per task of the generated world, on what the bundled model forgets.", min=0)
    ] = 10,
    seed: Annotated[int, typer.Option(help="Of the training.", min=0)] = 1,
    print_recipe: Annotated[
        bool,
        typer.Option("--print-recipe", help="Write OUT/data, print the recipe for deixis train, and exit."),
    ] = False,
    changes: Changes = None,
    dry_run: DryRun = False,
    ray: RayCount = None,
    ray_address: RayAddress = None,
    device: Device = None,
) -> None:
    """Fine-tune a model on your own data, and measure it on held-out data before and after.

    The same command resumes a run that was stopped. OUT/run/finetune/model is the tuned model, OUT/after/report.html
    the held-out cases, drawn.
    """
    check_model(model, device)
    source = _source(data, format_name, images, option or [])
    folder = out or Path("runs") / f"finetune-{data.name or 'data'}"
    check_folder(folder)
    _check_alone()
    check_installed(*NEEDED, *WORLD_NEEDS)
    import yaml

    from deixis.cli import answers
    from deixis.training.recipe_changes import changed
    from deixis.training.recipe_file import parse_recipe

    opened = answers.open_small(model)
    if opened.config is None:
        raise InputError(f"--model: expected a model that answers questions, got '{model}', a point cloud classifier")
    parted = _parted(source, folder, held_out, opened.config)
    values = changed(_recipe(model, opened.config, parted, steps, seed, ray or 1), changes or ())
    if print_recipe:
        return say(yaml.safe_dump(values, sort_keys=False).rstrip())
    recipe = parse_recipe(values)
    train = training(recipe, ray, ray_address)
    asked = _benchmarks(parted, limit, world_limit if opened.config.system == "deixis" else 0)
    _tell(parted)
    check_and_show(recipe, folder / RUN, dry_run)
    if not dry_run:
        _tune(lambda: train(recipe, folder / RUN), opened, asked, folder, device)


def _check_alone() -> None:
    if (count := launched_count()) > 1:
        raise InputError(
            f"finetune: expected one process, as it also measures, got {count}; to train by several: --ray N, or "
            "--print-recipe > mine.yaml, torchrun -m deixis train mine.yaml, and deixis eval samples"
        )


@dataclass(frozen=True)
class _Source:
    """Where the samples come from: a format, and the words that `deixis data read` takes."""

    format: str
    path: Path
    images: Path | None
    options: list[str]


def _source(data: Path, format_name: str | None, images: Path | None, options: list[str]) -> _Source:
    """The source that is named, or that the files tell, which is said.

    Raises InputError or DataError for data that is not there, an unknown format, and options that it does not have.
    """
    if not data.exists():
        raise InputError(f"DATA: expected a file or folder, got '{data}', which does not exist")
    from deixis.datasets.formats import FORMATS
    from deixis.datasets.recognition import format_of
    from deixis.datasets.runs.sources import check_source
    from deixis.datasets.source import DatasetConfig

    if format_name is None:
        format_name, data = format_of(data, "--format")
        if format_name != SAMPLES:
            say(f"read as {format_name}; --format chooses another", err=True)
    check_choice("--format", format_name, tuple(FORMATS))
    check_source("--format", format_name, DatasetConfig(data, images, options=named_values(options)))
    return _Source(format_name, data, images, options)


def _parted(source: _Source, folder: Path, share: float, config: "DeixisConfig") -> "Parted":
    """The samples to train on and to hold out, written under `folder`; for validation where it stops early."""
    from deixis.samples.held_out import part_samples
    from deixis.training.finetune import pace_of

    data = source.path
    if source.format != SAMPLES:
        from deixis.cli.data import read

        with redirect_stdout(sys.stderr):  # stdout is the recipe's, or the scores'
            read.run(source.format, data, folder / DATA / "read", images=source.images, option=source.options)
        data = folder / DATA / "read"
    return part_samples(data, folder / DATA, share, with_validation=pace_of(config).patience is not None)


def _tell(parted: "Parted") -> None:
    say(", ".join(f"{count:,} samples for {part}" for part, count in parted.counts.items()), err=True)
    if parted.left_out:
        say(f"{parted.left_out:,} samples left out: they are about media that are in the test split too", err=True)
    if parted.skipped:
        say(f"{len(parted.skipped):,} skipped; the first: {parted.skipped[0].where}: {parted.skipped[0].why}", err=True)


def _show(summary: "Summary", folder: Path) -> None:
    """The table, and what rose and fell, so that what the model forgot need not be searched for."""
    show(summary, folder, with_notes=False)
    for change in ("rose", "fell"):
        rows = [row for row in summary.scores if row.change == change]
        named = "; ".join(f"{row.part} {row.metric.name}" for row in rows)
        say(f"{change} beyond the interval: {len(rows)} of {len(summary.scores)} scores" + f" ({named})" * bool(rows))


def _recipe(
    model: str, config: "DeixisConfig", parted: "Parted", steps: int | None, seed: int, processes: int
) -> dict[str, Any]:
    from deixis.samples.held_out import TRAIN, VALIDATION
    from deixis.training.finetune import finetune_recipe

    train, samples = parted.shards[TRAIN], parted.counts[TRAIN]
    return finetune_recipe(model, config, train, samples, parted.shards.get(VALIDATION), steps, seed, processes)


def _benchmarks(parted: "Parted", limit: int, world: int) -> dict[str, tuple["Benchmark", Path, dict[str, str], int]]:
    """What is asked before and after, by the folder of its run: held-out samples, and what must not be forgotten."""
    from deixis.evaluation.benchmarks.own_samples import OwnSamples
    from deixis.evaluation.benchmarks.world.benchmark import World
    from deixis.samples.held_out import TEST

    asked: dict[str, Any] = {"held-out": (OwnSamples(), parted.shards[TEST], {}, limit)}
    if world:
        asked["world"] = (World(), Path(), {"limit": str(world)}, world)
    return asked


def _tune(train: Callable[[], Path], opened: "Opened", asked: dict[str, Any], folder: Path, device: str | None) -> None:
    """Measures the start model, trains it, measures what came of it, and shows both."""
    from deixis.cli import answers
    from deixis.cli.progress import stop_told, training_log

    earlier = _measured(opened, asked, folder / BEFORE, device)
    with training_log(), stop_told(f"the same command resumes {folder}"):
        trained = train()
    later = _measured(answers.open_small(str(trained)), asked, folder / AFTER, device, earlier)
    for name, summary in later.items():
        _show(summary, folder / AFTER / name)
    say(f"the tuned model: deixis ask --model {trained} FILE QUESTION")


def _measured(
    opened: "Opened",
    asked: dict[str, Any],
    folder: Path,
    device: str | None,
    before: dict[str, "Summary"] | None = None,
) -> dict[str, "Summary"]:
    """The scores of a model in every benchmark, each in a folder of its own, beside those of `before`."""
    from deixis.cli import answers
    from deixis.cli.progress import resumable
    from deixis.evaluation.benchmark import GENERATED
    from deixis.evaluation.evaluate import evaluate
    from deixis.evaluation.reports.summary import BEFORE as COLUMN
    from deixis.evaluation.runner import EvaluationRun, ModelAdapter

    summaries = {}
    with resumable(folder) as progress:
        adapter = ModelAdapter(answers.open_model(opened, device, None, None))
        for name, (known, data, options, limit) in asked.items():
            words = options | (of_model(opened.config, known, options) if opened.config else {})
            run = EvaluationRun(known, data, words, GENERATED, limit)
            columns = {} if before is None else {COLUMN: before[name].values}
            summaries[name] = evaluate(run, adapter, None, folder / name, progress, None, columns)
    return summaries
