"""The records of a set in its official files, in order, for benchmarks to ask about; parsed once per evaluation."""

import pickle
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deixis.datasets.runs.sources import Record, Source
from deixis.datasets.source import DatasetConfig, Format
from deixis.samples.skipped import Skipped

_FOLDER: ContextVar[Path | None] = ContextVar("folder of parsed records", default=None)


@contextmanager
def parsed_once() -> Generator[None]:
    """Within it, the official files of a set are parsed once, however often its `records` are iterated.

    An evaluation passes over its examples several times (to count, to ask, to draw). The first complete pass stores the
    records in a temporary folder, so the files must not change meanwhile.
    """
    with TemporaryDirectory() as folder:
        token = _FOLDER.set(Path(folder))
        try:
            yield
        finally:
            _FOLDER.reset(token)


def records(form: Format, config: DatasetConfig) -> Iterator[Record | Skipped]:
    """The records that a reader yields, after what its first pass skipped; item by item in the order of the files.

    Raises:
        DataError: as the reader's pass over the files does.
    """
    folder = _FOLDER.get()
    if folder is None:
        yield from _parsed(form, config)
        return
    stored = folder / f"{blake2b(repr((form.name, config)).encode(), digest_size=8).hexdigest()}.pickle"
    if stored.is_file():
        with stored.open("rb") as file:
            while file.peek(1):
                yield pickle.load(file)
        return
    # Renamed only after a complete pass: a pass that is abandoned leaves nothing behind.
    unfinished = stored.with_suffix(".part")
    with unfinished.open("wb") as file:
        for record in _parsed(form, config):
            pickle.dump(record, file)
            yield record
    unfinished.replace(stored)


def _parsed(form: Format, config: DatasetConfig) -> Iterator[Record | Skipped]:
    with TemporaryDirectory() as folder:
        source = Source(form.name, form.name, config, Path(folder) / "set.sqlite")
        count = source.prepare()
        yield from source.scan_skipped()
        for _, record in source.records(0, count):
            yield record


def converted(items: Iterable[Any], convert: Callable[[Any], Any]) -> Iterator[Any]:
    """Each item converted; `Skipped` ones unchanged."""
    return (item if isinstance(item, Skipped) else convert(item) for item in items)


def unescaped(markup: str) -> str:
    """The plain text of markup that refers to no region.

    >>> unescaped("a {{red}} mug")
    'a {red} mug'
    """
    return markup.replace("{{", "{").replace("}}", "}")


def with_media(config: DatasetConfig, name: str) -> DatasetConfig:
    """The place with its media folder, if it has its usual name beside the file or one level above."""
    folders = [folder / name for folder in (config.path.parent, config.path.parent.parent)]
    return replace(config, images=config.images or next((folder for folder in folders if folder.is_dir()), None))
