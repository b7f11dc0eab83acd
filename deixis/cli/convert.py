"""`deixis convert`: an official checkpoint of OneLLM, Ferret, LISA or PointMLP as a folder that Deixis opens."""

from os.path import isdir  # pathlib's raises for a name that is too long
from pathlib import Path
from typing import Annotated

import typer

from deixis.cli.arguments import holds_weights
from deixis.cli.terminal import say
from deixis.errors import CheckpointError
from deixis.options import check_choice

SYSTEMS = ("onellm", "ferret", "lisa", "pointmlp")


def run(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help=f"{', '.join(SYSTEMS[:-1])} or {SYSTEMS[-1]}.")],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A folder, a file, or a hub id (owner/name).")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    clip: Annotated[str | None, typer.Option(help="CLIP's vision model, if the source has none.")] = None,
    sam: Annotated[str | None, typer.Option(help="SAM's official weights, if the source has none (LISA).")] = None,
    base: Annotated[
        str | None, typer.Option(help="The base model that delta weights are added to (Ferret: Vicuna).")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Preset of sizes, if the source has no config.json; deixis models lists them.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.model or tokenizer.json, or their folder, if not in the source.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="A file with one class name per line (PointMLP: shape_names.txt).")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32, float16 or bfloat16. [default: that of the source]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if this command wrote it.")] = False,
) -> None:
    """Convert an official checkpoint.

    Every tensor is used or listed with the reason in OUT/conversion.json;
    an unknown tensor stops the conversion, and nothing is written.
    Afterwards: deixis ask --model OUT FILE "QUESTION"
    """
    check_choice("SYSTEM", system, SYSTEMS)
    if isdir(source) and not holds_weights(Path(source)):
        raise CheckpointError(
            f"source '{source}': expected weights (*.safetensors, pytorch_model*.bin or consolidated.*.pth), got none "
            "in the folder"
        )
    from deixis.cli.progress import byte_bars

    with byte_bars("reading names and shapes") as (report, tell):
        from deixis.systems.conversion import convert
        from deixis.systems.release import ConversionOptions

        options = ConversionOptions(clip, sam, base, preset, tokenizer, classes)
        convert(system, source, out, options, dtype, overwrite, progress=report, tell=tell)
    say(f"converted into {out}; see its README.md for abilities and licence", err=True)
