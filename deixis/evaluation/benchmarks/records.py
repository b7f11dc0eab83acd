"""The records of a set in its official files, in order, for a benchmark to ask about."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from deixis.datasets.runs.sources import Record, Source
from deixis.datasets.source import Format, Place
from deixis.samples.skipped import Skipped


def records(form: Format, place: Place) -> Iterator[Record | Skipped]:
    """What a reader yields, item by item in the order of the files; what it skips too.

    Raises ValueError as the reader's pass over the files does.
    """
    with TemporaryDirectory() as folder:
        source = Source(form.name, form.name, place, Path(folder) / "set.sqlite")
        count = source.prepare()
        yield from source.scan_skipped()
        for _, record in source.records(0, count):
            yield record


def unescaped(markup: str) -> str:
    """Foreign text again of markup that says the same and mentions no region.

    >>> unescaped("a {{red}} mug")
    'a {red} mug'
    """
    return markup.replace("{{", "{").replace("}}", "}")


def with_media(place: Place, name: str) -> Place:
    """The place with the folder of the media, where that lies under its usual name beside the file or above it."""
    folders = [folder / name for folder in (place.path.parent, place.path.parent.parent)]
    images = place.images or next((folder for folder in folders if folder.is_dir()), None)
    return replace(place, images=images)
