"""What is damaged: small sound files of every kind, and what is done with each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Seed:
    """A folder of sound files, and what a person does with it.

    group: what its cases are counted as, a modality, "dataset", "model", "state" or "question". target: the function of
    `targets.py` that gets the folder and the `arguments`. damaged: the files that are damaged, all if empty. is_bomb:
    already built to do harm, so that it is one case, as it is.
    """

    group: str
    name: str
    target: str
    files: Mapping[str, bytes]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    is_bomb: bool = False


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its relative path, links followed."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes the files into a folder; names that would lead out of it are an error of this harness."""
    for name, content in files.items():
        path = folder / name
        assert path.resolve().is_relative_to(folder.resolve()), name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
