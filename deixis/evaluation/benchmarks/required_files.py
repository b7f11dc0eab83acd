"""Where a benchmark's files lie below --data, found under their official names, or said to be missing."""

from collections.abc import Mapping
from pathlib import Path

from deixis.datasets.source import Place
from deixis.errors import DataError, InputError
from deixis.evaluation.benchmark import RequiredFile

IMAGES = {"images": "the folder of the pictures, where they do not lie below --data"}
"""The option of every benchmark whose files only name their pictures."""


def find_files(data: Path, *patterns: str) -> list[Path]:
    """The files of the first pattern that any is of, in --data or in a folder right below; --data itself, if it fits.

    Patterns are tried in order, in each the names in alphabetical order.
    """
    for pattern in patterns:
        if data.is_file() and data.match(pattern):
            return [data]
        for below in ("", "*/"):
            if files := sorted(path for path in data.glob(below + pattern) if path.exists()):
                return files
    return []


def require_files(data: Path, wanted: RequiredFile, *patterns: str) -> list[Path]:
    """As `found`, by the names of a wanted file. Raises ValueError, naming it and its home, where there is none."""
    files = find_files(data, *(patterns or (wanted.path,)))
    if not files:
        raise DataError(f"{data}: expected {wanted.path}, {wanted.what}, got none; it is from {wanted.home}")
    return files


def place_for(path: Path, options: Mapping[str, str], **more: str) -> Place:
    """The place of a set's file, its pictures where the option says. Raises ValueError where that is no folder."""
    images = options.get("images")
    if images is not None and not Path(images).is_dir():
        raise InputError(f"images: expected the folder of the pictures, got {images!r}, which is none")
    return Place(path, None if images is None else Path(images), options=more)


def integer_option(options: Mapping[str, str], name: str, default: int, least: int = 0) -> int:
    """An option that is a number. Raises ValueError for anything else.

    >>> integer_option({"seed": "7"}, "seed", 0), integer_option({}, "seed", 0)
    (7, 0)
    """
    text = options.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise InputError(f"{name}: expected a whole number from {least}, got {text!r}")
    return int(text)


def choice_option(options: Mapping[str, str], name: str, *choices: str) -> str:
    """An option that is one of some words, the first if it is not given. Raises ValueError for another.

    >>> one_of({}, "negatives", "any", "there")
    'any'
    """
    word = options.get(name, choices[0])
    if word not in choices:
        raise InputError(f"{name}: expected {' or '.join(choices)}, got {word!r}")
    return word
