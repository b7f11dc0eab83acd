"""Finding a benchmark's official files below --data, and parsing its options."""

from collections.abc import Mapping
from pathlib import Path

from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError, InputError
from deixis.evaluation.benchmark import RequiredFile

IMAGES = {"images": "folder of the images, if they are not below --data"}
"""The option of every benchmark whose files only name their images."""


def coco_images(folder: str) -> RequiredFile:
    """A folder of COCO's images, such as "val2017/"."""
    return RequiredFile(folder, "COCO's images", "https://cocodataset.org/#download", "per image")


def find_files(data: Path, *patterns: str) -> list[Path]:
    """The files of the first pattern that matches any, in --data or a folder directly below; --data itself if it
    matches.

    Patterns are tried in order; the files of one are in alphabetical order.
    """
    for pattern in patterns:
        if data.is_file() and data.match(pattern):
            return [data]
        for below in ("", "*/"):
            if files := sorted(path for path in data.glob(below + pattern) if path.exists()):
                return files
    return []


def require_files(data: Path, required: RequiredFile, *patterns: str) -> list[Path]:
    """As `find_files`, by the patterns of a required file (its own path by default).

    Raises:
        DataError: there is none; the message names the file and its official address.
    """
    files = find_files(data, *(patterns or (required.path,)))
    if not files:
        raise DataError(f"{data}: expected {required.path}, {required.what}, got none; it is from {required.home}")
    return files


def place_for(path: Path, options: Mapping[str, str], **more: str) -> DatasetConfig:
    """The place of a set's file, with its images where the option says.

    Raises:
        InputError: the option is not a folder.
    """
    images = options.get("images")
    if images is not None and not Path(images).is_dir():
        raise InputError(f"images: expected the folder of the images, got {images!r}, which is none")
    return DatasetConfig(path, None if images is None else Path(images), options=more)


def integer_option(options: Mapping[str, str], name: str, default: int, least: int = 0) -> int:
    """An integer option.

    >>> integer_option({"seed": "7"}, "seed", 0), integer_option({}, "seed", 0)
    (7, 0)

    Raises:
        InputError: not an integer, or below `least`.
    """
    text = options.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise InputError(f"{name}: expected a whole number from {least}, got {text!r}")
    return int(text)


def choice_option(options: Mapping[str, str], name: str, *choices: str) -> str:
    """An option with fixed choices, by default the first.

    >>> choice_option({}, "negatives", "any", "there")
    'any'

    Raises:
        InputError: none of the choices.
    """
    word = options.get(name, choices[0])
    if word not in choices:
        raise InputError(f"{name}: expected {' or '.join(choices)}, got {word!r}")
    return word
