"""A folder of drawn answers, for the commands that answer many questions."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from deixis.errors import InputError
from deixis.files.own import check_own

if TYPE_CHECKING:
    from deixis.inference import Answer


class Drawings:
    """One PNG an answer, under names; equal ones get numbers. option: what asked for them, for sentences.

    names: those that will be asked for, so that an image of someone else's is refused before anything is asked.
    """

    def __init__(self, folder: Path, option: str, names: Iterable[str]):
        if folder.suffix or (folder.exists() and not folder.is_dir()):
            raise InputError(f"{option}: expected a folder for the drawings, got '{folder}'")
        if not folder.parent.is_dir():
            raise InputError(f"'{folder}': there is no folder '{folder.parent}' to make it in")
        for name in names:
            check_own(folder / f"{name}.png")
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.names: set[str] = set()

    def add(self, wanted: str, answer: "Answer") -> str:
        """Draws the answer; its path."""
        name, number = wanted, 1
        while name in self.names:
            number += 1
            name = f"{wanted}-{number}"
        self.names.add(name)
        check_own(self.folder / f"{name}.png")
        answer.draw(self.folder / f"{name}.png")
        return str(self.folder / f"{name}.png")

    @property
    def summary(self) -> str:
        return f"{len(self.names)} drawn in {self.folder}"
