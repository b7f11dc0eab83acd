"""What a JSON file holds, told by its head: the names of its fields and those of the first record of each list.

For telling forms apart without reading gigabytes of annotations; it knows no form.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from deixis.datasets.files.json_stream import ShallowJson, open_json
from deixis.errors import DeixisError

MAX_BYTES = 64 * 2**20
"""Of a file that are looked at: the list of COCO's images, before that of its annotations, has 40 MB."""
MAX_EVENTS = 4_000_000
"""Of the parser, some seconds."""
JsonHead = dict[str, frozenset[str]]
"""The fields of an object, each with the keys of its first record; of a file that is a list, or lines, that of ""."""


def json_head(path: Path) -> JsonHead | None:
    """The head of a JSON or JSONL file, as far as it can be read; None for what is neither.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (file := Path(folder, "a.json")).write_text('{"images": [{"id": 1}], "info": "mine"}')
    ...     head = json_head(file)
    >>> head
    {'images': frozenset({'id'}), 'info': frozenset()}
    """
    import ijson

    found: dict[str, set[str]] = {}
    try:
        with open_json(path) as file:
            _look(ijson.parse(_Beginning(file), use_float=True, multiple_values=True), found)
    except (ijson.JSONError, DeixisError, OSError, UnicodeDecodeError):
        pass  # what was seen before counts
    return {name: frozenset(keys) for name, keys in found.items()} or None


def _look(events: Iterator[tuple[str, str, Any]], found: dict[str, set[str]]) -> None:
    """Takes in the keys of the first records, until the first value of the file ends."""
    field = ""
    closed: set[str] = set()  # fields whose first record is over
    for prefix, event, value in islice(events, MAX_EVENTS):
        records = (field, f"{field}.item") if field else ("item",)
        if event == "map_key" and prefix == "":
            field = value
            found.setdefault(field, set())
        elif event == "map_key" and prefix in records and field not in closed:
            found.setdefault(field, set()).add(value)
        elif event == "end_map" and prefix in records:
            closed.add(field)
        if prefix == "" and event in ("end_map", "end_array"):
            return


class _Beginning:
    """The first bytes of a file, as a parser reads them."""

    def __init__(self, file: ShallowJson):
        self.file, self.left = file, MAX_BYTES

    def read(self, size: int = -1) -> bytes:
        piece = self.file.read(min(size, self.left) if size >= 0 else self.left)
        self.left -= len(piece)
        return piece
