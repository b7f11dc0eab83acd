"""Arguments that several verbs share: their help, their checks, and lists of what they may name."""

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from os.path import exists
from pathlib import Path
from typing import Annotated

import typer

from deixis.cli.terminal import console
from deixis.errors import CheckpointError, DataError, InputError, UnsupportedError

ModelName = Annotated[str, typer.Option(help="bundled, a folder or a hub id.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or mps. [default: the best available]")]
Dtype = Annotated[
    str | None,
    typer.Option(
        metavar="float32|bfloat16|float16",
        help="Of the weights. [default: float32 on the CPU if memory allows, else bfloat16]",
    ),
]
Quantization = Annotated[
    str | None,
    typer.Option(metavar="int8|int4", help="Quantize the weights, on CUDA by bitsandbytes."),
]
AdapterFolder = Annotated[
    Path | None, typer.Option("--adapter", help="A folder of LoRA adapters that belong to the model.")
]
Workers = Annotated[int, typer.Option(help="Number of processes.", min=1)]
RayAddress = Annotated[str | None, typer.Option(help="Address of a Ray cluster, or local: one of this machine.")]
SamplesPath = Annotated[Path, typer.Argument(help="A file of samples (.jsonl, .tar, .parquet) or a folder of them.")]

WEIGHTS = (".safetensors", ".pth", ".pt", ".bin", ".tar")
"""Suffixes of files of weights."""


@dataclass(frozen=True)
class ModelChoice:
    """A model as a command names it, and how it is loaded, as `deixis.load` takes it."""

    model: str
    device: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    adapter: Path | None = None

    @property
    def how(self) -> tuple[str | None, ...]:
        """What `answers.open_model` takes beside the model."""
        return self.device, self.dtype, self.quantization


def named_values(words: Iterable[str]) -> dict[str, str]:
    """{NAME: VALUE} of the words NAME=VALUE of --option. Raises InputError for another word."""
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not equals:
            raise InputError(f"--option: expected NAME=VALUE, got {name!r}")
    return {name: value for name, _, value in pairs}


def check_model(
    model: str,
    device: str | None = None,
    dtype: str | None = None,
    quantization: str | None = None,
    adapter: Path | None = None,
) -> None:
    """Raises DeixisError for a model, device, dtype or backend that is not here, before anything slow is imported."""
    if not (model == "bundled" or exists(model) or re.fullmatch(r"[\w.-]+/[\w.-]+", model)):
        raise InputError(f"model: expected 'bundled', a folder or a hub id (owner/name); got '{model}', which is none")
    _check_model_folder(model)
    if adapter is not None and not (adapter / "adapter_config.json").is_file():
        raise InputError(f"adapter: expected a folder with a file adapter_config.json, got '{adapter}', without one")
    if dtype not in (None, "float32", "bfloat16", "float16"):
        raise InputError(f"dtype: expected one of float32, bfloat16, float16; got '{dtype}'")
    if quantization is not None and quantization not in ("int8", "int4"):
        raise InputError(f"quantization: expected int8 or int4, got '{quantization}'")
    name, _, index = (device or "").partition(":")
    if device is not None and (
        name not in ("cpu", "cuda", "mps") or not (index or "0").isdigit() or device[-1:] == ":"
    ):
        raise InputError(f"device: expected cpu, cuda or mps, and one that is here; got '{device}'")
    if name in ("cuda", "mps"):
        from deixis.cli.environment import devices

        if not any(own["device"] in (device, f"{device}:0") for own in devices()):
            raise UnsupportedError(f"device: expected cpu, cuda or mps, and one that is here; got '{device}'")
    if quantization is not None and name == "cuda" and find_spec("bitsandbytes") is None:
        raise UnsupportedError(
            f"quantization: '{quantization}' on CUDA needs bitsandbytes, which is not here: pip install bitsandbytes"
        )


def _check_model_folder(model: str) -> None:
    """Raises CheckpointError for a folder that cannot hold a model, by its names and config.json alone."""
    from deixis.files.json_text import read_object

    folder = Path(model)
    if model == "bundled" or not folder.is_dir():  # a folder of that name here is not what is opened
        return
    file = folder / "config.json"
    if not file.is_file() and not holds_weights(folder):
        raise CheckpointError(
            f"model '{model}': expected a file config.json in the folder, got none; it is no Deixis model"
        )
    try:
        if file.is_file():
            read_object(file)
    except DataError as error:
        raise CheckpointError(f"model '{model}': {file.name}{str(error).removeprefix(str(file))}") from error


def holds_weights(folder: Path) -> bool:
    """Whether a folder holds a file that may be weights, of any system."""
    return any(file.suffix in WEIGHTS or file.name.endswith(".index.json") for file in folder.iterdir())


def check_folder(out: Path | None) -> None:
    """Raises InputError where --out names a file."""
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"--out: expected a folder, got the file {out}")


def check_installed(*packages: str) -> None:
    """Imports packages of extras, so that a missing one is reported before a run writes anything.

    Raises ModuleNotFoundError.
    """
    for package in packages:
        importlib.import_module(package)


def print_entries(entries: Iterable[tuple[str, str, Iterable[str]]]) -> None:
    """Prints entries (name, title, lines) of a list: the name in bold, the lines indented below."""
    from rich.markup import escape
    from rich.padding import Padding

    screen = console()
    for name, title, lines in entries:
        screen.print(f"[bold]{escape(name)}[/bold]  {escape(title)}", highlight=False)
        for line in lines:
            screen.print(Padding(escape(line), (0, 0, 0, 4)), highlight=False)
