"""A folder of drawn answers, for the commands that answer many questions."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from deixis.errors import InputError
from deixis.files.own import check_own
from deixis.options import check_choice

if TYPE_CHECKING:
    from deixis.inference import Answer


class Drawings:
    """One drawing an answer, under names; equal ones get numbers. option: what asked for them, for sentences.

    names: those that will be asked for, so that an image of someone else's is refused before anything is asked.
    form: the ending of their names, "png" or another that drawings have.
    """

    def __init__(self, folder: Path, option: str, names: Iterable[str], form: str = "png"):
        from deixis.visualize.answer_image import FORMATS

        check_choice("--draw-format", form, tuple(suffix[1:] for suffix in FORMATS))
        if folder.suffix or (folder.exists() and not folder.is_dir()):
            raise InputError(f"{option}: expected a folder for the drawings, got '{folder}'")
        if not folder.parent.is_dir():
            raise InputError(f"'{folder}': there is no folder '{folder.parent}' to make it in")
        for name in names:
            check_own(folder / f"{name}.{form}")
        folder.mkdir(exist_ok=True)
        self.folder, self.form = folder, form
        self.names: set[str] = set()
        self.count = 0

    def add(self, wanted: str, answer: "Answer") -> str:
        """Draws the answer; its path. Raises InputError for a file of someone else's there, OSError from writing."""
        name, number = wanted, 1
        while name in self.names:
            number += 1
            name = f"{wanted}-{number}"
        self.names.add(name)
        path = self.folder / f"{name}.{self.form}"
        check_own(path)
        answer.draw(path)
        self.count += 1
        return str(path)

    @property
    def summary(self) -> str:
        return f"{self.count} drawn in {self.folder}"
