"""Items of JSON files one at a time, however large the file: lists inside an object, a list itself, or lines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deixis.errors import DataError


def json_items(path: Path, field: str = "") -> Iterator[tuple[str, Any]]:
    """(where, value) of every item of the list in `field` of the object in a JSON file; "": the file is the list.

    `field` may go down: "data.images". Where it is missing there are no items. where: "instances.json: images[3]".
    Raises DataError, naming the file, where it is no JSON (also after some items, if it breaks off); OSError where it
    cannot be opened.
    """
    import ijson

    name = f"{field}.item" if field else "item"
    with Path(path).open("rb") as file:
        try:
            for number, value in enumerate(ijson.items(file, name, use_float=True)):
                yield f"{Path(path).name}: {field}[{number}]", value
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: expected JSON; {_fault(error)}: is the file whole?") from None


def json_pairs(path: Path, field: str = "") -> Iterator[tuple[str, str, Any]]:
    """(where, key, value) of every pair of the object in `field` of a JSON file; "": the file is the object.

    Raises as `json_items` does.
    """
    import ijson

    with Path(path).open("rb") as file:
        try:
            for key, value in ijson.kvitems(file, field, use_float=True):
                yield f"{Path(path).name}: {field}[{key!r}]", key, value
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: expected JSON; {_fault(error)}: is the file whole?") from None


def json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, value or DataError) of every line of a JSONL file that is not blank. where: "train.jsonl:12"."""
    with Path(path).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                where = f"{Path(path).name}:{number}"
                try:
                    yield where, json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield where, DataError(f"expected one JSON value per line; {error}")


def _fault(error: Exception) -> str:
    """What the parser says is wrong, without the drawing of where."""
    return str(error).splitlines()[0].rstrip(" .")
