"""The JSONL of answers that `deixis ask --batch --out` writes, and completes when it is run again.

One process at a time writes it. Only lines that this command wrote are ever removed: those of questions that failed,
and one that was cut while it was written. A file of anything else is refused and left as it is.
"""

import re
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from deixis.cli.terminal import json_line
from deixis.errors import DataError, InputError
from deixis.files.full_disk import full_disk_named
from deixis.files.json_text import parse_json, text_lines
from deixis.files.locks import alone, lock_beside

SUFFIXES = (".jsonl", ".json", ".ndjson")
_KEY = re.compile("[0-9a-f]{16}")
_CUT = re.compile(rb'\{"line": [0-9]+, "')
"""How a line of ours begins, as far as it must be there to be known as one."""


@dataclass
class AnswerFile:
    """An open file of answers. done: how often each question (its key) is answered; models: which ones answered."""

    path: Path
    done: Counter[str] = field(default_factory=Counter)
    models: set[str] = field(default_factory=set)
    stream: TextIO | None = None

    def add(self, record: dict[str, Any]) -> None:
        """Appends a record, which is in the file when this returns."""
        with full_disk_named(self.path):
            if self.stream is None:
                self.stream = self.path.open("a", encoding="utf-8", newline="\n")
            self.stream.write(json_line(record) + "\n")
            self.stream.flush()


@contextmanager
def answer_file(path: Path) -> Generator[AnswerFile]:
    """The file of answers at `path`, locked, without the lines of failed questions; made by the first answer.

    Raises: InputError for a missing folder, another ending, and a file that holds anything else; OutputError while
    another process writes it.
    """
    if not path.parent.is_dir():
        raise InputError(f"'{path}': there is no folder '{path.parent}' to write the answers into")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"'{path}': expected a name ending in .jsonl for the answers, got '{path.suffix or 'no ending'}'"
        )
    with alone(lock_beside(path), path):
        answers = AnswerFile(path)
        if path.exists():
            _read(answers)
        try:
            yield answers
        finally:
            if answers.stream is not None:
                answers.stream.close()


def _read(answers: AnswerFile) -> None:
    """Counts the answers that are there, and removes what is none."""
    dropped = set()
    for number, place, line in text_lines(answers.path):
        record = None if isinstance(line, DataError) else _record(line)
        if record is None:
            raise InputError(f"'{answers.path}': line {number} is no answer of an earlier batch; name another --out")
        if "text" in record:
            answers.done[record["key"]] += 1
            answers.models.add(str(record.get("model")))
        else:
            dropped.add(place)
    if dropped:
        _remove_lines(answers.path, dropped)


def _remove_lines(path: Path, places: set[int]) -> None:
    """Removes the lines that begin at these bytes of a file."""
    part = path.with_name(f".{path.name}.part")
    try:
        with full_disk_named(path, part), part.open("wb") as kept:
            kept.writelines(
                line for _, place, line in text_lines(path) if isinstance(line, bytes) and place not in places
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _record(line: bytes) -> dict[str, Any] | None:
    """What this command wrote as a line, nothing of one that is cut; None for a line of anything else."""
    if not line.endswith(b"\n"):
        return {} if _CUT.match(line) else None
    try:
        record = parse_json(line)
    except DataError:
        return None
    is_record = isinstance(record, dict) and isinstance(record.get("line"), int)
    is_ours = is_record and ("text" in record or "error" in record) and _KEY.fullmatch(str(record.get("key")))
    return record if is_ours else None
