"""`deixis ask --each`: one question about every file by itself; answers in order, drawings into a folder.

A file that cannot be opened or asked about gets its sentence in place of an answer, and the rest go on.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from deixis.cli.pointing import typed_regions
from deixis.errors import InputError

if TYPE_CHECKING:
    from deixis.inference import Answer
    from deixis.samples.sample import Sample


def answer_each(
    files: Sequence[str],
    question: str,
    regions: Sequence[tuple[str, str]],
    load: tuple[str, *tuple[str | None, ...]],
    want: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Prints the answer about each file after its name, or as one JSON object a line; draws into the folder `out`.

    files: paths, folders (their files that can be opened, by name) and patterns. regions: (form, value) as typed, of
    every file. Raises InputError where there is no file or `out` is none, and after all were tried where some failed.
    """
    paths = list(_every_file(files))
    drawings = _Drawings(out) if out is not None else None
    from deixis.cli.answers import answer_lines, note_ignored, open_small
    from deixis.cli.batch import Assistant, answers_of

    assistant = Assistant(open_small(load[0]), load[1:])
    failed = 0
    for path, answer in answers_of(paths, partial(_question, question, regions, want), assistant):
        if isinstance(answer, str):
            failed += 1
            typer.echo(json.dumps({"file": str(path), "error": answer}, ensure_ascii=False) if as_json else answer)
            continue
        note_ignored(answer.signals)
        record = {"file": str(path)}
        if drawings is not None:
            record["drawing"] = str(drawings.add(path, answer))
        if as_json:
            typer.echo(json.dumps({**record, **answer.to_dict()}, ensure_ascii=False))
        else:
            first, *rest = answer_lines(answer)
            typer.echo("\n".join([f"{path}: {first}", *rest]))
    if drawings is not None:
        typer.echo(f"{len(drawings.names)} drawn in {out}", err=True)
    if failed:
        raise InputError(f"{failed} of {len(paths)} files could not be asked about: their lines say why")


def _every_file(files: Sequence[str]) -> Iterator[Path]:
    """The files of paths, folders and patterns. Raises InputError for one without a file."""
    from deixis.signals import MODALITIES

    endings = tuple(suffix for modality in MODALITIES.values() for suffix in modality.suffixes)
    for name in files:
        path = Path(name)
        found = [path]
        if path.is_dir():
            found = sorted(one for one in path.iterdir() if one.name.lower().endswith(endings) and one.is_file())
        elif not path.exists():
            # A shell that expands no patterns, as on Windows, hands them on.
            found = [Path(one) for one in sorted(glob(name, recursive=True))]
        if not found:
            raise InputError(f"'{name}': expected a file, a folder with files to ask about or a pattern; found none")
        yield from found


def _question(question: str, regions: Sequence[tuple[str, str]], want: str | None, path: Path) -> "Sample":
    from deixis.conversation import question_sample
    from deixis.geometry import named_question
    from deixis.signals import open_signal

    signals = (open_signal(path),)
    places = typed_regions(regions, signals)
    return question_sample(named_question(question, places), signals, places, want=want)


class _Drawings:
    """A folder of drawn answers, one PNG a file under its name; files of one name get numbers."""

    def __init__(self, folder: Path):
        if folder.suffix or (folder.exists() and not folder.is_dir()):
            raise InputError(f"--out: with --each expected a folder for the drawings, got '{folder}'")
        if not folder.parent.is_dir():
            raise InputError(f"'{folder}': there is no folder '{folder.parent}' to make it in")
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.names: set[str] = set()

    def add(self, path: Path, answer: "Answer") -> Path:
        """Draws the answer; its path."""
        name, number = path.stem, 1
        while name in self.names:
            number += 1
            name = f"{path.stem}-{number}"
        self.names.add(name)
        answer.draw(self.folder / f"{name}.png")
        return self.folder / f"{name}.png"
