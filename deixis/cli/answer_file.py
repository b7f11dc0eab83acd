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
    part = answers.path.with_name(f".{answers.path.name}.part")
    try:
        with full_disk_named(answers.path, part), part.open("wb") as kept:
            dropped = False
            for number, _, line in text_lines(answers.path):
                if isinstance(line, DataError) or not _is_ours(line):
                    raise InputError(
                        f"'{answers.path}': line {number} is no answer of an earlier batch; name another --out"
                    )
                record = parse_json(line) if line.endswith(b"\n") else {}
                if "text" not in record:
                    dropped = True
                    continue
                kept.write(line)
                answers.done[record["key"]] += 1
                answers.models.add(str(record.get("model")))
        if dropped:
            part.replace(answers.path)
    finally:
        part.unlink(missing_ok=True)


def _is_ours(line: bytes) -> bool:
    """Whether this command wrote a line, also one that is cut."""
    if not line.endswith(b"\n"):
        return _CUT.match(line) is not None
    try:
        record = parse_json(line)
    except DataError:
        return False
    is_record = isinstance(record, dict) and isinstance(record.get("line"), int)
    return is_record and ("text" in record or "error" in record) and _KEY.fullmatch(str(record.get("key"))) is not None
