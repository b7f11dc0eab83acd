"""`deixis eval`: how well a model answers, as a table by task or as JSON."""

import json
from pathlib import Path
from typing import Annotated

import typer

BENCHMARKS = ("world",)
TABLE_WIDTH = 136  # at least: narrower, the notes would be columns of syllables


def run(
    benchmark: Annotated[str, typer.Argument(help="The benchmark: world, the generated scenes.")] = "world",
    model: Annotated[str, typer.Option(help="bundled, a folder, or a hub id.")] = "bundled",
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps; the best there is if not given.")] = None,
    split: Annotated[str, typer.Option(help="train, val, or test, which no model was trained on.")] = "test",
    limit: Annotated[int, typer.Option(help="How many questions a task.", min=1)] = 200,
    tasks: Annotated[str, typer.Option(help="Names of tasks, by commas; all if not given.")] = "",
    seed_offset: Annotated[int, typer.Option(help="Number of the first scene.", min=0)] = 0,
    blind: Annotated[bool, typer.Option(help="Ask everything again with the signals blanked.")] = True,
    batch: Annotated[int, typer.Option(help="Questions asked at a time.", min=1)] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of the table.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON to this file too.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write every answer to this JSONL file.")] = None,
) -> None:
    """Score a model: generated answers, with 95 % intervals, beside blind and constant answers."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from deixis.assistant import load
    from deixis.evaluate.blind import blind as blinded
    from deixis.evaluate.report import write_json, write_predictions
    from deixis.evaluate.world import chosen_tasks, evaluate_world
    from deixis.world.scene import SPLITS

    names = tuple(word.strip() for word in tasks.split(",") if word.strip())
    for option, word, known in (("benchmark", benchmark, BENCHMARKS), ("--split", split, tuple(SPLITS))):
        if word not in known:
            raise ValueError(f"{option}: expected {', '.join(known)}, got {word!r}")
    chosen_tasks(names)
    for path in filter(None, (out, predictions)):
        if not path.parent.is_dir():
            raise ValueError(f"{path}: there is no folder {path.parent} to write into")
    asked = load(model, device)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        report = evaluate_world(
            asked,
            blinded(asked) if blind else None,
            split=split,
            limit=limit,
            tasks=names,
            first_seed=seed_offset,
            batch=batch,
            model=asked.name,
            progress=bar,
        )
    if out is not None:
        write_json(report.to_json(), out)
    if predictions is not None:
        write_predictions(report, predictions)
    for line in report.failures():
        typer.echo(line, err=True)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        Console(width=max(Console().width, TABLE_WIDTH)).print(report.table())
