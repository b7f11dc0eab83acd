"""`deixis data read`: converts a public dataset, or a folder of the user, to samples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deixis.cli.arguments import RayAddress, Workers, check_installed, named_values, print_entries
from deixis.cli.terminal import console, say
from deixis.errors import InputError
from deixis.options import check_choice

if TYPE_CHECKING:
    from deixis.datasets.runs.sources import Source


REASONS_SHOWN = 10


def run(
    format_name: Annotated[
        str | None,
        typer.Argument(
            metavar="[FORMAT]", help="Name of the dataset or layout; --list shows all. [default: what the files tell]"
        ),
    ] = None,
    path: Annotated[Path | None, typer.Argument(help="File or folder of the dataset, as shown by --list.")] = None,
    out: Annotated[Path | None, typer.Argument(help="A new folder for the samples.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the media, if not beside PATH.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val, ..., if the files do not state it.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, an option of the format; repeatable.")] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(help="FORMAT:PATH of a dataset whose val and test images are excluded from the train split."),
    ] = None,
    to: Annotated[str, typer.Option(help="Format of the shards: jsonl, tar (WebDataset) or parquet.")] = "jsonl",
    media: Annotated[str, typer.Option(help="link, copy, or none: without media.")] = "link",
    shard_items: Annotated[int, typer.Option(help="Items of the dataset per shard.", min=1)] = 1_000,
    workers: Workers = 1,
    ray_address: RayAddress = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the formats, or describe one: files and options; and exit.")
    ] = False,
) -> None:
    """Convert a public dataset, or a folder of images and masks, to samples.

    The same command resumes a run that was stopped. Items that cannot be used are skipped, counted, and listed in
    OUT/skipped.csv with place and reason.
    """
    if listed:
        return _show_formats(format_name)
    format_name, path, out = _named(format_name, path, out)
    from deixis.cli.progress import resumable
    from deixis.datasets.runs import pool
    from deixis.datasets.runs.folder import RunFolder
    from deixis.datasets.runs.read_run import ReadPlan, read_set
    from deixis.datasets.source import DatasetConfig
    from deixis.samples.media import PLACEMENTS
    from deixis.synthesis.recipe import ENDINGS

    check_choice("--to", to, ENDINGS)
    check_choice("--media", media, PLACEMENTS)
    check_installed(*["pyarrow"] * (to == "parquet"), *["ray"] * (ray_address is not None))
    folder = RunFolder(out)
    config = DatasetConfig(path, images, split, named_values(option or ()))
    source = _source("FORMAT", format_name, config, folder.hidden / "source.sqlite", "source")
    held = tuple(_held_out(word, number, folder.hidden) for number, word in enumerate(held_out or ()))
    plan = ReadPlan(source, held, to, media, shard_items)
    was_done = folder.is_finished
    with resumable(out) as progress:
        report = read_set(plan, folder, pool.Workers(workers, ray_address), progress)
    show_report(report, out, was_done)


def _named(first: str | None, second: Path | None, third: Path | None) -> tuple[str, Path, Path]:
    """(format, path, folder for the samples); of two words the format is what the files tell, which is said."""
    from deixis.datasets.formats import FORMATS

    if first is None or second is None or (third is None and first in FORMATS and not Path(first).exists()):
        raise InputError("expected FORMAT PATH OUT, as in: deixis data read coco instances.json out/set; or --list")
    if third is not None:
        return first, second, third
    from deixis.datasets.recognition import format_of

    if not Path(first).exists():
        raise InputError(f"PATH: expected a file or folder, got '{first}', which does not exist")
    name, path = format_of(Path(first), "FORMAT")
    say(f"read as {name}; deixis data read FORMAT {first} {second} chooses another", err=True)
    return name, path, second


def _source(where: str, format_name: str, place: Any, catalogue: Path, name: str) -> "Source":
    from deixis.datasets.runs.sources import Source, check_source

    check_source(where, format_name, place)
    return Source(name, format_name, place, catalogue)


def _held_out(word: str, number: int, folder: Path) -> "Source":
    from deixis.datasets.source import DatasetConfig

    format_name, colon, path = word.partition(":")
    if not colon:
        raise InputError(f"--held-out: expected FORMAT:PATH, as in refcoco:data/refcoco; got {word!r}")
    return _source(
        "--held-out", format_name, DatasetConfig(Path(path)), folder / f"held-{number}.sqlite", f"held-{number}"
    )


def _show_formats(name: str | None) -> None:
    """Prints each format, or the one of this name: name, title, what PATH is, options, source and licence."""
    from deixis.datasets.formats import FORMATS

    if name is not None:
        check_choice("FORMAT", name, tuple(FORMATS))
    entries = []
    for known in FORMATS.values() if name is None else [FORMATS[name]]:
        options = [f"--option {name}=…: {meaning}" for name, meaning in known.options.items()]
        lines = (f"PATH: {known.wants}", *options, f"from {known.home}; {known.licence}")
        entries.append((known.name, known.title, lines))
    print_entries(entries)


def show_report(report: dict[str, Any], out: Path, was_done: bool) -> None:
    """Prints what a run wrote and skipped, and where the list is; was_done: by an earlier call.

    Raises InputError where nothing was written, and where a run stopped before its end.
    """
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    wanted = report.get("wanted", {})
    table = Table("", "samples", *(["wanted"] if wanted else []))
    for name in wanted or report["samples"]:
        table.add_row(name, f"{report['samples'].get(name, 0):,}", *([f"{wanted[name]:,}"] if wanted else []))
    if table.rows:
        screen.print(table)
    for name, why in report.get("left_out", {}).items():
        screen.print(f"skipped part: {escape(name)}: {escape(why)}", soft_wrap=True)
    if report["skipped"]:
        listed = "" if "stopped" in report else f", listed in {out / 'skipped.csv'}"
        screen.print(f"skipped: {report['skipped']:,}{listed}; by reason:", soft_wrap=True)
        for why, count in list(report["reasons"].items())[:REASONS_SHOWN]:
            screen.print(f"  {count:,} × {escape(why)}", soft_wrap=True)
    if "stopped" in report:
        raise InputError(f"{out}: incomplete: {report['stopped']}")
    total, shards = sum(report["samples"].values()), report["shards"]
    if not total:
        raise InputError(f"{out}: no samples: got none of {report['items']:,} items")
    screen.print(
        f"{total:,} sample{'s' * (total != 1)} in {shards:,} shard{'s' * (shards != 1)} in {out}", soft_wrap=True
    )
    if was_done:
        screen.print("it was there before: remove that folder to write it again", soft_wrap=True)
