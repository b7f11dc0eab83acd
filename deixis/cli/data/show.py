"""`deixis data show`: an HTML page and a contact sheet of samples with their regions."""

from pathlib import Path
from typing import Annotated

import typer

from deixis.cli.arguments import SamplesPath, check_folder
from deixis.cli.terminal import say


def run(
    path: SamplesPath,
    out: Annotated[Path, typer.Option(help="Folder for page.html and sheet.png.")] = Path("out/show"),
    count: Annotated[int, typer.Option(help="Maximum number of samples per task.", min=1)] = 24,
    task: Annotated[str | None, typer.Option(help="Only this task, such as refer.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the selection.")] = 0,
    first: Annotated[int | None, typer.Option(help="Select from the first N samples. [default: all]", min=1)] = None,
) -> None:
    """Show samples: a page by task (page.html) and a contact sheet (sheet.png).

    Samples are selected at random with a seed. Regions are numbered and have
    the colours of the phrases that refer to them. The page is one file that
    opens in any browser without a network. Missing or damaged media are
    reported on their cards.
    """
    check_folder(out)
    from deixis.cli.progress import Stages
    from deixis.visualize.samples.look import show_samples

    with Stages() as progress:
        shown = show_samples(path, out, count=count, task=task, seed=seed, first=first, progress=progress)
    say(f"{shown} samples in {out / 'page.html'}, some of them in {out / 'sheet.png'}")
