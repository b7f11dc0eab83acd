"""`deixis export`: a trained model as a folder of its own, in another type, quantised, or with an adapter merged."""

from pathlib import Path
from typing import Annotated

import typer

from deixis.cli.arguments import AdapterFolder, check_model
from deixis.cli.terminal import say
from deixis.errors import InputError
from deixis.options import check_choice


def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="bundled, a folder or a hub id.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write; it may not hold anything yet.")],
    merge: Annotated[bool, typer.Option("--merge", help="Add the adapter to the weights of the model.")] = False,
    quantize: Annotated[str | None, typer.Option(metavar="int8|int4", help="Pack the weights, for the CPU.")] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="bfloat16|float16|float32",
            help="Of the weights. [default: that of the model; bfloat16 beside --quantize]",
        ),
    ] = None,
    adapter: AdapterFolder = None,
) -> None:
    """Export a model: safetensors, configuration, tokenizer and card.

    With --adapter FOLDER the adapter alone is written, for that model; with
    --merge too, the model with the adapter in its weights.
    Afterwards: deixis ask --model OUT FILE "QUESTION"
    """
    check_model(model, None, dtype, None, adapter)
    if quantize is not None:
        check_choice("--quantize", quantize, ("int8", "int4"))
    if merge and adapter is None:
        raise InputError("--merge: expected beside --adapter FOLDER, which is merged; got it alone")
    if quantize is not None and adapter is not None and not merge:
        raise InputError("--quantize: expected a model to pack, got an adapter alone; add --merge")
    from deixis.files.whole import check_free

    check_free(out)
    from deixis.cli.answers import open_small
    from deixis.cli.progress import byte_bars

    with byte_bars("reading names and shapes") as (report, _):
        from deixis.checkpoints.export import export_adapter, export_model
        from deixis.model.devices import dtype_named

        floating = None if dtype is None else dtype_named(dtype)
        opened = open_small(model, adapter)
        if adapter is not None and not merge:
            written = export_adapter(opened, out, floating)
        else:
            written = export_model(opened, out, floating, quantize, lambda done, total: report("weights", done, total))
    how = f"--model {model} --adapter {out}" if adapter is not None and not merge else f"--model {out}"
    say(f"exported into {out}: {written}; deixis ask {how} FILE QUESTION", err=True)
