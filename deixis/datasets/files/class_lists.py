"""Lists of classes in the files that sets and tools write: which number or colour in a map means what.

    classes.json    ["sky", "road"] | {"0": "sky"} | {"sky": 0} | {"sky": [128, 128, 128]} | [{"id": 0, "name": "sky"}],
                    also inside {"labels": [...]} or {"classes": [...]}
    classes.txt     a name a line | "0: sky" | "0 sky" | "sky:128,128,128::" (CVAT's labelmap.txt)
    classes.csv     columns name and id, or name, r, g, b
    objectInfo150   columns Idx and Name, apart by tabs, as ADE20K has it

A name may be several, parted by commas: the first is the name, others are as right. Independent of map.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deixis.errors import DataError, DeixisError, one_line
from deixis.files.json_text import parse_json, read_text
from deixis.samples.consistency import shown

VOID = frozenset({"unlabelled", "unlabeled", "void", "ignore", "ignored", "background", "none", "unknown"})
"""Names of what is no class, in small letters, without underscores."""
FILES = ("classes", "class_names", "labels", "labelmap", "class_dict", "_classes", "categories", "label_colors")
"""Names, without their endings, of files with a list of classes."""
_IDS = ("id", "idx", "index", "value", "label_id", "pixel_value")
_NAMES = ("readable", "name", "label", "class", "title")

RGB = 3


@dataclass(frozen=True)
class ClassList:
    """The names of numbers (the first name of each is the one to use), and whether the numbers are colours."""

    names: Mapping[int, tuple[str, ...]]
    by_colour: bool = False

    def to_json(self) -> dict[str, Any]:
        names = {str(number): list(names) for number, names in self.names.items()}
        return {"names": names, "by_colour": self.by_colour}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ClassList":
        return cls({int(number): tuple(names) for number, names in value["names"].items()}, value["by_colour"])


def find_class_list(folders: Iterable[Path], stems: Iterable[str] = FILES) -> Path | None:
    """The first file of such a name (whatever its ending of json, txt or csv) in the folders."""
    for folder in folders:
        for stem in stems:
            for suffix in (".json", ".txt", ".csv"):
                if (folder / f"{stem}{suffix}").is_file():
                    return folder / f"{stem}{suffix}"
    return None


def read_class_list(path: Path) -> ClassList:
    """The classes that a file lists, those among them that mean nothing (`is_void`).

    Raises DataError for a file of none of the forms above.
    """
    try:
        text = read_text(path)
        pairs = _of_json(parse_json(text)) if path.suffix.lower() == ".json" else _of_text(text)
        by_colour = any(isinstance(number, tuple) for number, _ in pairs)
        names: dict[int, tuple[str, ...]] = {}
        for number, name in pairs:
            value = _packed(number) if isinstance(number, tuple) else number
            if not isinstance(value, int) or value in names or by_colour != isinstance(number, tuple):
                raise DataError(f"expected a number or a colour of its own for each class, got {shown(name)} {number}")
            names[value] = split_names(name)
    except (OSError, DeixisError, KeyError) as error:
        raise DataError(f"{path}: expected a list of classes; {one_line(error)}") from None
    if not names:
        raise DataError(f"{path}: expected a list of classes, got an empty one")
    return ClassList(names, by_colour)


def split_names(name: str) -> tuple[str, ...]:
    """The names of one class, as a person says them inside a sentence.

    >>> split_names("person, individual, someone"), split_names("SignSymbol"), split_names("TV_stand")
    (('person', 'individual', 'someone'), ('sign symbol',), ('TV stand',))
    """
    return tuple(dict.fromkeys(filter(None, map(_said, re.split(r"[,;]", name))))) or (_said(name),)


def _said(name: str) -> str:
    words = readable(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).split()
    return " ".join(word if word.isupper() else word.lower() for word in words)


def readable(name: str) -> str:
    """A class name as a person says it.

    >>> readable("traffic_light"), readable(" Sign--Symbol ")
    ('traffic light', 'Sign--Symbol')
    """
    return " ".join(name.replace("_", " ").split())


def bare_name(name: str) -> str:
    """A name without what tells it from others of its spelling.

    >>> bare_name("cup_(drink)"), bare_name("monitor_(computer_equipment) computer_monitor"), bare_name("home_plate")
    ('cup', 'monitor', 'home plate')
    """
    return readable(name.split("_(")[0])


def is_void(name: str) -> bool:
    """Whether a name says that nothing is meant.

    >>> is_void("Unlabelled"), is_void("__ignore__"), is_void("sky")
    (True, True, False)
    """
    return readable(name).lower() in VOID


def _packed(colour: tuple[int, ...]) -> int:
    return (colour[0] << 16) + (colour[1] << 8) + colour[2]


def _of_json(value: Any) -> list[tuple[Any, str]]:
    if isinstance(value, dict):
        for field in ("labels", "classes", "categories"):
            if isinstance(value.get(field), list | dict):
                return _of_json(value[field])
        return [_pair(key, item) for key, item in value.items()]
    if not isinstance(value, list):
        raise DataError(f"expected a list or an object, got {shown(value)}")
    return [_entry(number, item) for number, item in enumerate(value)]


def _pair(key: str, item: Any) -> tuple[Any, str]:
    """ "0": "sky", "sky": 0, "sky": [r, g, b] or "0": {"name": "sky"}."""
    if isinstance(item, dict):
        return _entry(_whole(key) if key.lstrip("-").isdigit() else key, item)
    if isinstance(item, str):
        return _whole(key), item
    if isinstance(item, list) and len(item) != RGB:
        raise DataError(f"expected a colour [r, g, b] or a number for {key!r}, got {shown(item)}")
    return (tuple(map(_whole, item)) if isinstance(item, list) else _whole(item)), key


def _entry(number: Any, item: Any) -> tuple[Any, str]:
    if isinstance(item, str):
        return number, item
    fields = item if isinstance(item, dict) else {}
    name = next((fields[field] for field in _NAMES if fields.get(field)), None)
    if not isinstance(name, str):
        raise DataError(f"expected a name for each class, got {shown(item)}")
    value = next((fields[field] for field in _IDS if fields.get(field) is not None), None)
    return _whole(number if value is None else value), name


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise DataError(f"expected a whole number, got {shown(value)}") from None


def _of_text(text: str) -> list[tuple[Any, str]]:
    lines = [line.strip("\r") for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return []
    separator = "\t" if "\t" in lines[0] else ","
    columns = [column.strip().lower() for column in lines[0].split(separator)]
    if len(columns) > 1 and {"name", "class"} & set(columns):
        return _of_columns(lines, separator)
    coloured = [re.fullmatch(r"(.+?)\s*[:,\s]\s*(\d+)[,\s]+(\d+)[,\s]+(\d+)(?::.*)?", line.strip()) for line in lines]
    if all(coloured):
        return [(tuple(map(int, found.groups()[1:])), found[1]) for found in coloured if found]
    numbered = [re.fullmatch(r"(\d+)\s*[:,\s]\s*(.+)", line.strip()) for line in lines]
    if all(numbered):
        return [(int(found[1]), found[2]) for found in numbered if found]
    first = -1 if lines[0].strip() == "__ignore__" else 0  # so labelme writes its maps
    return [(number, line.strip()) for number, line in enumerate(lines, first) if number >= 0]


def _of_columns(lines: list[str], separator: str) -> list[tuple[Any, str]]:
    pairs: list[tuple[Any, str]] = []
    for count, row in enumerate(csv.DictReader(io.StringIO("\n".join(lines)), delimiter=separator)):
        fields = {str(key).strip().lower(): str(value).strip() for key, value in row.items()}
        name = fields.get("name") or fields["class"]
        if {"r", "g", "b"} <= fields.keys():
            pairs.append((tuple(_whole(fields[channel]) for channel in "rgb"), name))
        else:
            pairs.append((_whole(next((fields[field] for field in _IDS if fields.get(field)), count)), name))
    return pairs
