"""`deixis convert`: an official checkpoint of OneLLM, Ferret, LISA or PointMLP into a folder that Deixis opens."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from deixis.errors import InputError

SYSTEMS = ("onellm", "ferret", "lisa", "pointmlp")


def run(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help=f"{', '.join(SYSTEMS[:-1])} or {SYSTEMS[-1]}.")],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A folder, a file, or a hub id (owner/name).")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make.")],
    clip: Annotated[str | None, typer.Option(help="CLIP's vision model, where the source has none.")] = None,
    sam: Annotated[str | None, typer.Option(help="SAM's official weights, where the source has none (LISA).")] = None,
    base: Annotated[
        str | None, typer.Option(help="The model that a delta is a difference to (Ferret: Vicuna).")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Sizes, where the source has no config.json; deixis models lists them.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.model or tokenizer.json, or their folder, if not in the source.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="A file with the name of a class a line (PointMLP: shape_names.txt).")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32, float16 or bfloat16; that of the source, if not given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT, if this command made it.")] = False,
) -> None:
    """Convert an official checkpoint.

    Every tensor is used or listed with the reason in OUT/conversion.json;
    anything unforeseen stops the conversion, and nothing is left behind.
    Afterwards: deixis ask --model OUT FILE "QUESTION"
    """
    if system not in SYSTEMS:
        raise InputError(f"SYSTEM: expected one of {', '.join(SYSTEMS)}; got '{system}'")
    from deixis.checkpoints.conversion_options import Asked
    from deixis.systems.conversion import convert

    asked = Asked(clip, sam, base, preset, tokenizer, classes)
    with _bar() as told:
        convert(system, source, out, asked, dtype, overwrite, told=told)
    typer.echo(f"converted into {out}; its README.md says what it can, and under which terms", err=True)


@contextmanager
def _bar() -> Generator[Callable[[str, int, int], None]]:
    """A progress bar on the terminal's stderr, as a function of (what is done, bytes done, bytes in all)."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    tasks: dict[str, Any] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        yield told
