"""`deixis world`: a set of the generated world on disk, a contact sheet of it, or the check of any set of samples."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deixis.data.sample import Sample

CARDS = 24  # of a contact sheet
SHEET_SCENES = 40  # drawn for a sheet alone, so that every task is among them
PROBLEMS_SHOWN = 20


def run(
    out: Annotated[
        Path | None, typer.Argument(help="Folder for the set: SPLIT.jsonl, with its media beside it.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="train, val, or test, which also has combinations never trained on.")
    ] = "train",
    count: Annotated[int, typer.Option(help="How many scenes; each gives one medium of every kind.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Number of the first scene.", min=0)] = 0,
    kinds: Annotated[str, typer.Option(help="Kinds of signal, by commas: image, audio, point_cloud.")] = "",
    show: Annotated[Path | None, typer.Option(help="Draw a contact sheet into this PNG.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Check this JSONL file, of any source, against the format.")
    ] = None,
) -> None:
    """Write scenes with questions and answers, look at them (--show), or check a file of samples (--check)."""
    if out is None and show is None and check is None:
        raise ValueError("expected a folder to write to, --show SHEET.png or --check FILE.jsonl, got none of them")
    if check is not None:
        _check(check)
    if out is None and show is None:
        return
    wanted = _wanted_kinds(kinds, split)
    if out is not None:
        from deixis.data.files import write_samples

        path = write_samples(_samples(split, seed, count, wanted), out, split)
        typer.echo(f"{count} scenes in {path}")
    if show is not None:
        from deixis.world.show import save_contact_sheet, varied

        samples = list(_samples(split, seed, min(count, SHEET_SCENES), wanted))
        save_contact_sheet(varied(samples, CARDS), show)
        typer.echo(f"contact sheet in {show}")


def _wanted_kinds(kinds: str, split: str) -> tuple[str, ...]:
    """The kinds named, all if none is; before anything is written, both words are looked at."""
    from deixis.world.generate import KINDS
    from deixis.world.scene import SPLITS

    wanted = tuple(word.strip() for word in kinds.split(",") if word.strip()) or KINDS
    for option, words, known in (("--kinds", wanted, KINDS), ("--split", (split,), tuple(SPLITS))):
        unknown = [word for word in words if word not in known]
        if unknown:
            raise ValueError(f"{option}: expected {', '.join(known)}, got {unknown[0]!r}")
    return tuple(dict.fromkeys(wanted))


def _samples(split: str, seed: int, count: int, kinds: tuple[str, ...]) -> Iterator["Sample"]:
    """The samples of `count` scenes, with a bar on stderr while they are made."""
    from rich.console import Console
    from rich.progress import track

    from deixis.world.generate import world_samples

    seeds = track(range(seed, seed + count), "scenes", console=Console(stderr=True), transient=True)
    for number in seeds:
        yield from world_samples(split, number, kinds)


def _check(path: Path) -> None:
    """Say that a file is sound, or name its bad lines and raise ValueError."""
    from deixis.data.validate import validate_file

    report = validate_file(path)
    if not report.samples:
        raise ValueError(f"{path}: expected samples, one JSON object a line, got no line at all")
    for problem in report.problems[:PROBLEMS_SHOWN]:
        typer.echo(str(problem), err=True)
    if report.problems:
        first = f", the first {PROBLEMS_SHOWN} of them above" if len(report.problems) > PROBLEMS_SHOWN else ""
        lines = len({problem.line for problem in report.problems})
        raise ValueError(f"{path}: {lines} of {report.samples} samples break the format{first}")
    typer.echo(f"{path}: {report.samples} samples, all sound")
