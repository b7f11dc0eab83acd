"""A benchmark's official files: finding them below --data, the options that select among them, and their records."""

import pickle
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deixis.datasets.runs.sources import Record, Source
from deixis.datasets.source import DatasetConfig, Format
from deixis.errors import DataError, InputError
from deixis.evaluation.benchmark import Example, RequiredFile
from deixis.samples.sample import MediaReference, Skipped

_FOLDER: ContextVar[Path | None] = ContextVar("folder of parsed records", default=None)
DEPTH = 4
"""So many folders below --data files are looked for: repositories lie there as they are cloned
(POPE/output/coco/coco_pope_random.json, ml-ferret/ferret/eval/ferret_gpt4_data/refer_desc/question.jsonl)."""
IMAGES = {"images": "folder of the images, if they are not below --data"}
"""The option of every benchmark whose files only name their images."""


@dataclass(frozen=True)
class Item:
    """Signals of a set with the ground truth of their question. part: as in `Example`. question: the set's, if any."""

    id: str
    part: str
    media: tuple[MediaReference, ...]
    ground_truth: Any
    question: str = ""

    def example(self, text: str) -> Example:
        """The item as an example with this question."""
        return Example(self.id, self.part, self.media[0].id, text, self.media, self.ground_truth)


def coco_images(folder: str) -> RequiredFile:
    """A folder of COCO's images, such as "val2017/"."""
    return RequiredFile(folder, "COCO's images", "https://cocodataset.org/#download", "per image")


def find_files(data: Path, *patterns: str) -> list[Path]:
    """The files of the first pattern that matches any, in alphabetical order, in --data or up to `DEPTH` folders below
    it, the nearest ones; --data itself if it matches.
    """
    for pattern in patterns:
        if data.is_file() and data.match(pattern):
            return [data]
        for depth in range(DEPTH + 1):
            if files := sorted(path for path in data.glob("*/" * depth + pattern) if path.exists()):
                return files
    return []


def require_files(data: Path, required: RequiredFile, *patterns: str) -> list[Path]:
    """As `find_files`, by the patterns of a required file (its own path by default).

    Raises DataError: there is none; the message names the file and its official address.
    """
    files = find_files(data, *(patterns or (required.path,)))
    if not files:
        raise DataError(f"{data}: expected {required.path}, {required.what}, got none; it is from {required.home}")
    return files


def place_for(path: Path, options: Mapping[str, str], **more: str) -> DatasetConfig:
    """The place of a set's file, with its images where the option says; InputError if that is no folder."""
    images = options.get("images")
    if images is not None and not Path(images).is_dir():
        got = "a file" if Path(images).exists() else "which does not exist"
        raise InputError(f"images: expected the folder of the images, got {images!r}, {got}")
    return DatasetConfig(path, None if images is None else Path(images), options=more)


def split_option(options: Mapping[str, str], splits: Sequence[str]) -> Sequence[str]:
    """The split of the option as the only one, or all of them."""
    return (choice_option(options, "split", *splits),) if options.get("split") else splits


def integer_option(options: Mapping[str, str], name: str, default: int, least: int = 0) -> int:
    """An integer option.

    >>> integer_option({"seed": "7"}, "seed", 0), integer_option({}, "seed", 0)
    (7, 0)

    Raises InputError: not an integer, or below `least`.
    """
    text = options.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise InputError(f"{name}: expected a whole number from {least}, got {text!r}")
    return int(text)


def choice_option(options: Mapping[str, str], name: str, *choices: str) -> str:
    """An option with fixed choices, by default the first.

    >>> choice_option({}, "negatives", "any", "there")
    'any'

    Raises InputError: none of the choices.
    """
    word = options.get(name, choices[0])
    if word not in choices:
        raise InputError(f"{name}: expected {' or '.join(choices)}, got {word!r}")
    return word


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
    """The records that a reader yields, after what its first pass skipped; item by item in the order of the files."""
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
    """The configuration with its media folder, if it has its usual name beside the file or in a folder above it."""
    folders = [folder / name for folder in config.path.absolute().parents[: DEPTH + 1]]
    return replace(config, images=config.images or next((folder for folder in folders if folder.is_dir()), None))
