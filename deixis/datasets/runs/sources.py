"""A set as a run sees it: where it lies, its catalogue, and its items as records, with whatever went wrong counted."""

import csv
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from deixis.datasets.annotated import Annotated
from deixis.datasets.formats import FORMATS
from deixis.datasets.runs.catalogue import Catalogue, build_catalogue
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata
from deixis.errors import DataError, DeixisError
from deixis.samples.sample import Sample, Skipped

Record = Annotated | Sample
Opened = TypeVar("Opened")

# A plain ValueError is not among them: it means a bug of ours, which has to stop the run. Fields of another type or
# shape than the format's (TypeError, AttributeError, LookupError) are the file's fault: readers index them directly.
UNREADABLE = (
    *(DeixisError, TypeError, AttributeError, LookupError, OverflowError, OSError, EOFError, RecursionError),
    *(SyntaxError, csv.Error, struct.error, zlib.error),  # of the parsers of images, tables and arrays
)
"""What reading a broken item may raise: such items are skipped with a reason, and the run continues."""
OPEN_AT_ONCE = 8


@dataclass(frozen=True)
class Source:
    """One set of a run. name: its own in the run. catalogue: where its rows are kept meanwhile."""

    name: str
    format: str
    config: DatasetConfig
    catalogue: Path

    @property
    def reader(self) -> Format:
        return FORMATS[self.format]

    def prepare(self, seen: Callable[[int], None] = lambda _: None) -> int:
        """The number of items; the catalogue is made if it is not there. Raises DataError for a set without any."""
        if not self.catalogue.is_file():
            build_catalogue(self.reader.scan(self.config), self.catalogue, seen).close()
        return _opened(self.catalogue)[0].count

    def count(self) -> int:
        return _opened(self.catalogue)[0].count

    def scan_skipped(self) -> Iterator[Skipped]:
        """What the first pass over the files could not use."""
        return _opened(self.catalogue)[0].skipped()

    def records(self, start: int, stop: int) -> Iterator[tuple[int, Record | Skipped]]:
        """(number of the item, record or what was skipped) of items start, ..., stop - 1."""
        catalogue, metadata = _opened(self.catalogue)
        for number, item in enumerate(catalogue.items(start, stop), start):
            for record in self._read(item, metadata):
                yield number, record

    def records_of(self, number: int) -> list[Record | Skipped]:
        """What item `number` gives."""
        catalogue, metadata = _opened(self.catalogue)
        return list(self._read(catalogue.item(number), metadata))

    def _read(self, item: Item, metadata: Metadata) -> Iterator[Record | Skipped]:
        try:
            yield from self.reader.read(item, metadata, self.config)
        except UNREADABLE as error:
            yield Skipped(item.rows[0].where, _sentence(error))
        yield from item.repeats.values()

    def description(self) -> dict[str, Any]:
        """What makes it the same set in a later run: where it lies, how it is read, and when its file was changed."""
        state = self.config.path.stat() if self.config.path.is_file() else None
        return {
            "format": self.format,
            "path": str(self.config.path),
            "images": None if self.config.images is None else str(self.config.images),
            "split": self.config.split,
            "options": dict(self.config.options),
            "size_and_time": None if state is None else [state.st_size, state.st_mtime_ns],
        }


def check_source(where: str, format_name: str, config: DatasetConfig) -> None:
    """Raises DataError unless the format is known, its options are its own, and the path is there."""
    if format_name not in FORMATS:
        raise DataError(f"{where}: expected a format among {', '.join(sorted(FORMATS))}; got {format_name!r}")
    known = FORMATS[format_name].options
    if unknown := [name for name in config.options if name not in known]:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise DataError(f"{where}: the format {format_name} has no option {unknown[0]!r}; {has}")
    wanted = (("path", config.path, FORMATS[format_name].wants), ("images", config.images, "the folder of the media"))
    for name, path, wants in wanted:
        if path is not None and not path.exists():
            raise DataError(f"{where}: {name}: got {path}, which is not there; expected {wants}")


def open_once(open_file: Callable[[Path], Opened]) -> Callable[[Path], Opened]:
    """A function that opens a file once in a process, and again where another file has come to lie at its path."""

    @lru_cache(maxsize=OPEN_AT_ONCE)
    def known(path: Path, inode: int) -> Opened:
        return open_file(path)

    return lambda path: known(path, path.stat().st_ino)


@open_once
def _opened(path: Path) -> tuple[Catalogue, Metadata]:
    """A catalogue and its metadata."""
    catalogue = Catalogue(path)
    return catalogue, catalogue.metadata()


def _sentence(error: Exception) -> str:
    """What a broken item's exception says; Python's own are said to be what they are: a field of another shape."""
    if isinstance(error, DeixisError | OSError):
        return str(error)
    return f"expected the fields of the format, got others ({type(error).__name__}: {error})"
