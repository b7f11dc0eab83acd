"""Whether a record is a sample of the format: the schema beside this file, then what a schema cannot say.

Data enters here, so this is the one place that distrusts it; everything behind takes samples as checked. It knows one
record at a time and opens no medium: what shows across samples, and in their files, is found by `deixis.samples.check`,
which is `deixis data check PATH` on the command line.
"""

import json
import math
from collections.abc import Iterable, Mapping
from functools import cache, reduce
from importlib import resources
from operator import getitem
from typing import Any

from deixis.errors import DataError
from deixis.samples.consistency import check_region_record, check_turn, listed, shown
from deixis.signals import MODALITIES


def validate_record(record: Any) -> None:
    """Raise ValueError, in one sentence that names the field, unless `record` is a sample of version 1.

    >>> validate_record({"version": 2})
    Traceback (most recent call last):
    ...
    deixis.errors.DataError: version: expected 1, got 2
    """
    if not _passes(record):
        error = min(_validator().iter_errors(_as_json(record)), key=_severity, default=None)
        if error is not None:
            raise DataError(_sentence(error, record))
    for number, region in enumerate(record["regions"]):
        check_region_record(f"regions[{number}]", region, record["signals"])
    for number, turn in enumerate(record["turns"]):
        check_turn(f"turns[{number}]", turn, record)


@cache
def _schema() -> dict[str, Any]:
    schema = json.loads(resources.files("deixis.samples").joinpath("schema.json").read_text("utf-8"))
    kinds = schema["$defs"]["signal"]["properties"]["kind"]["enum"]
    kinds += [name for name in MODALITIES if name not in kinds]  # the file, for other languages, lists our own
    return schema


@cache
def _validator() -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_schema())


def _passes(record: Any) -> bool:
    """Whether a record fits the schema as it stands, without the copy that `_as_json` makes."""
    try:
        return _validator().is_valid(record)
    except ValueError:  # a type that JSON has not, such as numpy's
        return False


def _as_json(value: Any) -> Any:
    """A copy in JSON's own types, so that values which JSON has not get a path in the error too.

    Subclasses of Python's numbers become those numbers. NaN and infinities become finite, as a schema knows only
    "a number" (`consistency` refuses them). Anything else becomes null, which fits no field.
    """
    if isinstance(value, Mapping):
        return {str(name): _as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else 1.0
    return value if value is None or isinstance(value, str | bool | int) else None


def _severity(error: Any) -> tuple:
    """A wrong version explains all the rest; then unknown fields, which often are misspelt missing ones."""
    path = error.instance_path
    return path != ["version"], len(path), error.kind.name != "additionalProperties", str(path)


def _sentence(error: Any, record: Any) -> str:
    path, keyword = list(error.instance_path), error.schema_path[-1]
    if error.kind.name == "falseSchema":  # an item too many: the list is what is wrong
        path.pop()
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    start = f"{name}: " if name else ""
    schema, got = _at(_schema(), error.schema_path[:-1]), _at(record, path)
    if keyword == "required":
        return f"{start}expected the field {error.kind.property!r}, which is missing"
    if keyword == "additionalProperties":
        known = schema["properties"]
        unknown = next(name for name in got if name not in known)
        return f"{start}unknown field {unknown!r}, expected {listed(known)}"
    if keyword == "anyOf":
        forms = [option["required"][0] for option in schema["anyOf"]]
        return f"{start}expected at least one of {listed(forms)}, got none"
    return f"{start}expected {_expected(schema, keyword)}, got {shown(got)}"


def _at(value: Any, path: Iterable[str | int]) -> Any:
    return reduce(getitem, path, value)


def _expected(schema: Mapping[str, Any], keyword: str) -> str:
    value = schema[keyword]
    if "title" in schema and keyword != "enum" and schema.get("type") != "object":
        return schema["title"]
    words = {
        "const": lambda: json.dumps(value),
        "enum": lambda: f"one of {listed(value)}",
        "type": lambda: " or ".join(_article(name) for name in ([value] if isinstance(value, str) else value)),
        "minimum": lambda: f"{value} or more",
        "exclusiveMinimum": lambda: f"more than {value}",
        "minItems": lambda: f"at least {value} item{'s' * (value != 1)}",
        "minLength": lambda: "text that is not empty",
        "uniqueItems": lambda: "items without repeats",
    }
    return words[keyword]() if keyword in words else f"{keyword} {value}"


def _article(type_name: str) -> str:
    names = {"string": "text", "array": "a list", "integer": "a whole number", "boolean": "true or false"}
    return names.get(type_name) or ("an " if type_name[0] in "aeiou" else "a ") + type_name
