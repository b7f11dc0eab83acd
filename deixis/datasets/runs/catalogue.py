"""The rows of a set on disk, grouped by item: any item can be had at once, and a set of any size needs little memory.

One SQLite file, made in one pass over the set and then only read, by many processes at a time. Independent of format.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

from deixis.datasets.source import METADATA, Item, Row
from deixis.errors import DataError
from deixis.files.state import stored
from deixis.files.whole import whole_file
from deixis.samples.sample import Skipped

BATCH_ROWS = 2_000
CACHE_KIB = 4_096  # of pages that SQLite holds in memory


class Catalogue:
    """The items of a set, by number from 0 in the order in which the files first name them."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        # a path with ? or # is legal; as_uri writes such signs so that SQLite reads them as part of the name
        self._file = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            with stored(self.path):
                self._file.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                self.count: int = self._file.execute("SELECT count(*) FROM items").fetchone()[0]
        except DataError:
            self.close()
            raise

    def metadata(self) -> dict[str, tuple[Row, ...]]:
        """The rows that every item sees, by part."""
        found: dict[str, list[Row]] = {}
        query = "SELECT key, part, location, value FROM rows WHERE key = ? ORDER BY rowid"
        for row in self._rows(query, METADATA):
            found.setdefault(row.part, []).append(row)
        return {part: tuple(rows) for part, rows in found.items()}

    def items(self, start: int = 0, stop: int | None = None) -> Iterator[Item]:
        """Items start, start + 1, ..., stop - 1, each with its rows in the order of the files."""
        query = (
            "SELECT rows.key, part, location, value FROM items JOIN rows ON rows.key = items.key "
            "WHERE number >= ? AND number < ? ORDER BY number, rows.rowid"
        )
        found = self._rows(query, start, self.count if stop is None else stop)
        for key, rows in groupby(found, lambda row: row.key):
            yield Item(key, tuple(rows))

    def item(self, number: int) -> Item:
        """Item `number`. Raises StopIteration where there is none."""
        return next(self.items(number, number + 1))

    def skipped(self) -> Iterator[Skipped]:
        """What the pass over the files could not use."""
        with stored(self.path):
            for where, why in self._file.execute("SELECT location, why FROM skipped ORDER BY rowid"):
                yield Skipped(where, why)

    def _rows(self, query: str, *values: str | int) -> Iterator[Row]:
        with stored(self.path):
            yield from map(_row, self._file.execute(query, values))

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def build_catalogue(
    found: Iterable[Row | Skipped], path: str | Path, seen: Callable[[int], None] = lambda _: None
) -> Catalogue:
    """The catalogue of what a scan yields, written at `path`; `seen` is told how many rows there are so far.

    Whatever the scan raises passes through; then there is no file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part, closing(sqlite3.connect(part)) as file, file:
        # a broken catalogue is made again, so nothing need be safe before it is whole
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("PRAGMA synchronous = OFF")
        file.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        file.execute("CREATE TABLE rows (key TEXT, part TEXT, location TEXT, value TEXT)")
        file.execute("CREATE TABLE skipped (location TEXT, why TEXT)")
        _insert(file, found, seen)
        file.execute("CREATE INDEX rows_of_key ON rows (key)")
        file.execute("CREATE TABLE items (number INTEGER PRIMARY KEY, key TEXT)")
        file.execute(
            "INSERT INTO items SELECT row_number() OVER (ORDER BY first) - 1, key FROM "
            "(SELECT key, min(rowid) AS first FROM rows WHERE key != ? GROUP BY key)",
            (METADATA,),
        )
    return Catalogue(path)


def _insert(file: sqlite3.Connection, found: Iterable[Row | Skipped], seen: Callable[[int], None]) -> None:
    rows: list[tuple[str, str, str, str]] = []
    count = 0
    for row in found:
        if isinstance(row, Skipped):
            file.execute("INSERT INTO skipped VALUES (?, ?)", (_sound(row.where), _sound(row.why)))
            continue
        rows.append((_sound(row.key), row.part, _sound(row.where), json.dumps(row.value, separators=(",", ":"))))
        count += 1
        if len(rows) == BATCH_ROWS:
            file.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", rows)
            rows.clear()
            seen(count)
    file.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", rows)
    seen(count)


def _row(values: tuple[str, str, str, str]) -> Row:
    key, part, where, value = values
    return Row(key, part, where, json.loads(value))


def _sound(text: str) -> str:
    """The text without the half characters that names of files may hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
