"""The records of a set in its official files, in order, for benchmarks to ask about; parsed once per evaluation."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deixis.datasets.runs.sources import Record, Source
from deixis.datasets.source import Format, Place
from deixis.samples.skipped import Skipped

_CATALOGUES: ContextVar[str | None] = ContextVar("catalogues", default=None)


@contextmanager
def parsed_once() -> Generator[None]:
    """Within it, the official files of a set are parsed once, however often its `records` are iterated.

    An evaluation passes over its examples several times (to count, to ask, to draw). The parsed sets are kept in a
    temporary folder, so the files must not change meanwhile.
    """
    with TemporaryDirectory() as folder:
        token = _CATALOGUES.set(folder)
        try:
            yield
        finally:
            _CATALOGUES.reset(token)


def records(form: Format, place: Place) -> Iterator[Record | Skipped]:
    """The records that a reader yields, after what its first pass skipped; item by item in the order of the files.

    Raises:
        DataError: as the reader's pass over the files does.
    """
    shared = _CATALOGUES.get()
    with TemporaryDirectory() if shared is None else nullcontext(shared) as folder:
        key = blake2b(repr((form.name, place)).encode(), digest_size=8).hexdigest()
        source = Source(form.name, form.name, place, Path(folder) / f"{key}.sqlite")
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


def with_media(place: Place, name: str) -> Place:
    """The place with its media folder, if it has its usual name beside the file or one level above."""
    folders = [folder / name for folder in (place.path.parent, place.path.parent.parent)]
    return replace(place, images=place.images or next((folder for folder in folders if folder.is_dir()), None))
