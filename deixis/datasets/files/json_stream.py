"""Items of JSON files one at a time, however large the file: lists inside an object, a list itself, or lines."""

import codecs
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deixis.errors import DataError
from deixis.files.json_text import UTF16_MARKS, check_values, json_records, read_text
from deixis.files.regular import open_regular
from deixis.samples.consistency import shown

MAX_DEPTH = 200
"""Of lists and objects within each other in a file. The parser writes the path to each value: with a hundred thousand
levels, in a file as long, those paths alone would fill the memory."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{")], _STEP[list(b"]}")] = 1, -1


def json_items(path: Path, field: str = "") -> Iterator[tuple[str, Any]]:
    """(where, value) of every item of the list in `field` of the object in a JSON file; "": the file is the list.

    `field` may go down: "data.images". Where it is missing there are no items. where: "instances.json: images[3]".
    Raises DataError, naming the file, where it is no JSON (also after some items, if it breaks off); OSError where it
    cannot be opened.
    """
    import ijson

    name = f"{field}.item" if field else "item"
    with open_json(path) as file:
        try:
            for number, value in enumerate(ijson.items(file, name, use_float=True)):
                where = f"{Path(path).name}: {field}[{number}]"
                yield where, _checked(value, where)
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: expected JSON; {_fault(error)}: is the file whole?") from None


def json_pairs(path: Path, field: str = "") -> Iterator[tuple[str, str, Any]]:
    """(where, key, value) of every pair of the object in `field` of a JSON file; "": the file is the object.

    Raises as `json_items` does.
    """
    import ijson

    with open_json(path) as file:
        try:
            for key, value in ijson.kvitems(file, field, use_float=True):
                where = f"{Path(path).name}: {field}[{key!r}]"
                yield where, key, _checked(value, where)
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: expected JSON; {_fault(error)}: is the file whole?") from None


def json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, value or DataError) of each item of a JSON list, or of each line of a JSONL file.

    Raises DataError, naming the file, for a folder and for what is neither.
    """
    if path.is_dir():
        raise DataError(f"{path}: expected one JSON or JSONL file, got a folder: name the file in it")
    with open_json(path) as file:
        start = file.read(4096).lstrip(b" \t\r\n")
    return json_items(path) if start.startswith(b"[") else json_lines(path)


def text_field(record: Mapping[str, Any], field: str, expected: str = "text") -> str:
    """The text in a field of a record. Raises DataError for anything else, and for blanks alone."""
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{field}: expected {expected}, got {shown(value)}")
    return value


def flag_field(record: Mapping[str, Any], field: str) -> bool:
    """Whether a field is set, as a number or in words; whatever does not say that it is not.

    >>> [flag_field({"iscrowd": value}, "iscrowd") for value in (1, "1", "0", None, "False")]
    [True, True, False, False, False]
    """
    value = record.get(field)
    return bool(value) and str(value).strip().lower() not in _NOT_SET


_NOT_SET = ("", "0", "0.0", "false", "no", "none", "null", "unspecified")


def json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, value or DataError) of every line of a JSONL file that is not blank. where: "train.jsonl:12"."""
    for number, record in json_records(path):
        yield f"{Path(path).name}:{number}", record


class ShallowJson:
    """A JSON file that a parser reads piece by piece; DataError where it is nested more than `MAX_DEPTH` deep."""

    def __init__(self, file: io.BufferedIOBase, name: str):
        self.file, self.name = file, name
        self._depth = 0
        self._text = b""  # the beginning of a text that the last piece broke off in

    def __enter__(self) -> "ShallowJson":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the file."""
        piece = self.file.read(size)
        bare = _TEXT.sub(b"", self._text + piece)  # brackets in texts are no levels
        bare, quote, rest = bare.partition(b'"')
        escaped = (len(rest) - len(rest.rstrip(b"\\"))) % 2
        self._text = quote + b"\\" * escaped
        if bare:
            depths = self._depth + np.cumsum(_STEP[np.frombuffer(bare, np.uint8)], dtype=np.int64)
            self._depth = int(depths[-1])
            if depths.max() > MAX_DEPTH:
                raise DataError(
                    f"{self.name}: expected JSON nested at most {MAX_DEPTH} deep, got more; it is probably damaged"
                )
        return piece


def open_json(path: str | Path) -> ShallowJson:
    """A JSON file as bytes of UTF-8 from behind a byte order mark, which Windows' editors and shells write."""
    file: io.BufferedIOBase = open_regular(path)
    start = file.read(len(codecs.BOM_UTF8))
    is_utf16 = start.startswith(UTF16_MARKS)
    file.seek(0 if is_utf16 or start != codecs.BOM_UTF8 else len(start))
    if is_utf16:
        file.close()
        file = io.BytesIO(read_text(path).encode())  # all at once: such files are the small ones of shells
    return ShallowJson(file, str(path))


def _checked(value: Any, where: str) -> Any:
    try:
        check_values(value)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    return value


def _fault(error: Exception) -> str:
    """What the parser says is wrong, without the drawing of where."""
    return str(error).splitlines()[0].rstrip(" .")
