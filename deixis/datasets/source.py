"""What a reader of a public format is made of: a pass over the files that yields rows, and the reading of one item.

    files ──scan──▶ rows ──catalogue (on disk, grouped by key)──▶ items ──read──▶ Annotated or Sample

`scan` streams: it holds one row at a time and only takes apart, so that a set of any size passes through little memory.
`read` is a pure function of one item (all rows of a key: an image and its annotations), so that any process may do any
item. Both yield a `Skipped` for whatever cannot be used; `read` may also raise ValueError, which skips the whole item.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated
from deixis.datasets.files.json_stream import json_rows
from deixis.errors import DataError
from deixis.samples.consistency import shown
from deixis.samples.sample import Sample, Skipped

METADATA = ""
"""The key of rows that every item sees, such as the list of categories."""


@dataclass(frozen=True)
class DatasetConfig:
    """Where a set lies: `path` as typed; `images`, the folder of its media where that is another; `split`, where the
    files do not tell; `options`, what else the format takes, by name."""

    path: Path
    images: Path | None = None
    split: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of the media: `images`, else `path`, else the folder of the file `path`."""
        if self.images is not None:
            return self.images
        return self.path if self.path.is_dir() else self.path.parent

    def with_images(self, folders: Sequence[Path]) -> "DatasetConfig":
        """This, unless `images` is given with the first of some folders that is there, or the first of them all."""
        if self.images is not None:
            return self
        return replace(self, images=next(filter(Path.is_dir, folders), folders[0]))

    def choice(self, name: str, values: Iterable[str], default: str | None = None) -> str | None:
        """The option `name`, else `default`. Raises DataError for an option that is none of `values`."""
        value = self.options.get(name)
        if value is not None and value not in values:
            raise DataError(f"{name}: expected one of {', '.join(values)}, got {value!r}")
        return default if value is None else value


@dataclass(frozen=True)
class Row:
    """One record of a file. key: of the item it belongs to, or METADATA. part: what it is ("image", "annotation").
    where: for messages, file and line or field ("instances.json: annotations[12]"). value: plain JSON values."""

    key: str
    part: str
    where: str
    value: Any


@dataclass(frozen=True)
class Item:
    """All rows of one key, in the order of the files. repeats: those that `one` was asked for and did not give."""

    key: str
    rows: tuple[Row, ...]
    repeats: dict[str, Skipped] = field(default_factory=dict, compare=False, repr=False)

    def of(self, part: str) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.part == part)

    def one(self, part: str) -> Row:
        """The only row of a part; of several the first, the rest is skipped. Raises DataError if there is none."""
        first, *others = self.of(part) or (None,)
        if first is None:
            raise DataError(f"{self.rows[0].where}: expected the {part} that it belongs to, {self.key}, got none")
        for row in others:
            why = f"expected one {part} of {self.key}, got another, beside that of {first.where}, which is used"
            self.repeats[row.where] = Skipped(row.where, why)
        return first


def record_rows(
    records: Iterable[tuple[str, Any]],
    part: str,
    key_of: Callable[[int, Mapping[str, Any]], str],
    expected: str = "an object",
    required: str | None = None,
) -> Iterator[Row | Skipped]:
    """A row for each of the `records` (where, value) that is an object of JSON with the field `required`, if any.

    key_of: the row's key, from the record's number in the file and the record. expected: for the reason why any other
    record is skipped; a record that is an error gives its own.
    """
    for number, (where, value) in enumerate(records):
        if isinstance(value, dict) and (required is None or required in value):
            yield Row(key_of(number, value), part, where, value)
        else:
            yield Skipped(
                where, str(value) if isinstance(value, DataError) else f"expected {expected}, got {shown(value)}"
            )


def by_field(field: str, prefix: str = "") -> tuple[Callable[[int, Mapping[str, Any]], str], str, str]:
    """The last three arguments of `record_rows` for records whose keys are in a field of theirs."""
    return lambda _, record: f"{prefix}{record[field]}", f"an object with {field!r}", field


def numbered_rows(config: DatasetConfig, expected: str = "an object") -> Iterator[Row | Skipped]:
    """As `record_rows`, of the JSON or JSONL file `config.path`: each record is an item by its number, in `number`."""
    for row in record_rows(json_rows(config.path), "record", lambda number, _: str(number), expected):
        yield replace(row, value={"number": int(row.key), **row.value}) if isinstance(row, Row) else row


Metadata = Mapping[str, tuple[Row, ...]]
"""The rows of METADATA by their part."""


@dataclass(frozen=True)
class Format:
    """A public format: its name on the command line, what PATH is (and --images), where it is had and under which
    terms, and its two functions. options: further options by name, each with what it means."""

    name: str
    title: str
    wants: str
    home: str
    licence: str
    scan: Callable[[DatasetConfig], Iterator[Row | Skipped]]
    read: Callable[[Item, Metadata, DatasetConfig], Iterator[Annotated | Sample | Skipped]]
    options: Mapping[str, str] = field(default_factory=dict)
