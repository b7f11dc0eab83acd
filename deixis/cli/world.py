"""`deixis world`: a dataset of the generated world on disk, or a contact sheet of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deixis.cli.terminal import say
from deixis.errors import DataError, InputError
from deixis.options import check_choice

if TYPE_CHECKING:
    from deixis.samples.sample import Sample

CARDS = 24  # of a contact sheet
SHEET_SCENES = 8  # generated for a contact sheet, which are enough for cards of different tasks


def run(
    out: Annotated[
        Path | None, typer.Argument(help="Folder for the dataset: SPLIT.jsonl, and its media beside it.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="train, val or test; test also has combinations never trained on.")
    ] = "train",
    count: Annotated[int, typer.Option(help="Number of scenes; each has one signal per modality.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the first scene.", min=0)] = 0,
    modalities: Annotated[str, typer.Option(help="Modalities, by commas. [default: all of the world]")] = "",
    show: Annotated[Path | None, typer.Option(help="Draw a contact sheet into this PNG.")] = None,
) -> None:
    """Generate scenes with questions and answers, or show them (--show).

    deixis data show, stats and check read the dataset that is written.
    """
    if out is None and show is None:
        raise InputError("expected a folder to write to or --show SHEET.png, got neither")
    from deixis.world.generate import WORLD_MODALITIES
    from deixis.world.scene import SPLITS

    check_choice("--split", split, tuple(SPLITS))
    wanted = tuple(dict.fromkeys(word.strip() for word in modalities.split(",") if word.strip())) or WORLD_MODALITIES
    for modality in wanted:
        check_choice("--modalities", modality, WORLD_MODALITIES)
    if show is not None:
        from deixis.cli.ask import check_drawing

        check_drawing(show, ())
    if out is not None:
        from deixis.files.locks import alone
        from deixis.files.own import check_own
        from deixis.samples.shards import write_shard

        path = out / f"{split}.jsonl"
        out.mkdir(parents=True, exist_ok=True)
        with alone(out / f".{split}.lock", path):
            check_own(path, '"source":"world"')
            for skipped in write_shard(_samples(split, seed, count, wanted), path, "copy").skipped:
                raise DataError(f"{skipped.where}: {skipped.why}")
        say(f"{count} scenes in {path}")
    if show is not None:
        from deixis.visualize.samples.contact_sheet import save_contact_sheet, varied

        samples = list(_samples(split, seed, min(count, SHEET_SCENES), wanted))
        save_contact_sheet(varied(samples, CARDS), show)
        say(f"contact sheet in {show}")


def _samples(split: str, seed: int, count: int, modalities: tuple[str, ...]) -> Iterator["Sample"]:
    """The samples of `count` scenes, with a progress bar on stderr."""
    from deixis.cli.progress import Stages
    from deixis.world.generate import world_samples

    with Stages() as progress:
        progress.stage("scenes", count)
        for number in range(seed, seed + count):
            yield from world_samples(split, number, modalities)
            progress.advance(1)
