"""`deixis data show`: a page and a contact sheet of samples, their regions drawn."""

from pathlib import Path
from typing import Annotated

import typer

from deixis.errors import InputError


def run(
    path: Annotated[Path, typer.Argument(help="A file of samples (.jsonl, .tar, .parquet) or a folder of such.")],
    out: Annotated[Path, typer.Option(help="Folder for page.html and sheet.png.")] = Path("out/show"),
    count: Annotated[int, typer.Option(help="At most so many samples of each task.", min=1)] = 24,
    task: Annotated[str | None, typer.Option(help="This task only, such as refer.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed shows other samples.")] = 0,
    first: Annotated[
        int | None, typer.Option(help="Choose among the first so many samples, not all of them.", min=1)
    ] = None,
) -> None:
    """Look at samples: a page by task (page.html), and a picture (sheet.png).

    Samples are chosen by chance, the same ones each time. Regions are
    numbered and have the colours of the phrases that stand for them. The
    page is one file that opens in any browser without a network. What is
    missing or broken is said on its card; nothing stops the rest.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out: expected a folder, got the file {out}")
    from deixis.cli.data.progress import Stages
    from deixis.visualize.samples.look import show_samples

    with Stages() as progress:
        shown = show_samples(path, out, count=count, task=task, seed=seed, first=first, progress=progress)
    typer.echo(f"{shown} samples in {out / 'page.html'}, some of them in {out / 'sheet.png'}")
