"""Whether a record is a sample of the format: the schema beside this file, then what a schema cannot say.

Data enters here, so this is the one place that distrusts it; everything behind takes samples as checked. It knows one
record at a time and opens no medium: what shows across samples, and in their files, is found by `deixis.samples.check`,
which is `deixis data check PATH` on the command line.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from deixis.errors import DataError
from deixis.samples.consistency import check_region_record, check_turn, listed, shown

SHOWN_INDICES = 8  # of a long list of whole numbers, so many go through the schema; `consistency` checks the rest


def validate_record(record: Any) -> None:
    """Raise ValueError, in one sentence that names the field, unless `record` is a sample of version 1.

    >>> validate_record({"version": 2})
    Traceback (most recent call last):
    ...
    deixis.errors.DataError: version: expected 1, got 2
    """
    if not _passes(record):
        error = min(_validator().iter_errors(_shortened(record)), key=_severity, default=None)
        if error is not None:
            raise DataError(_sentence(error))
    for number, region in enumerate(record["regions"]):
        check_region_record(f"regions[{number}]", region, record["signals"])
    for number, turn in enumerate(record["turns"]):
        check_turn(f"turns[{number}]", turn, record)


def read_records(path: str | Path) -> Iterator[tuple[int, Any]]:
    """(line from 1, record or ValueError) of every line of a JSONL file that is not blank."""
    with Path(path).open(encoding="utf-8") as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, load_record(line)
        except UnicodeDecodeError:
            raise DataError(f"{path}: expected JSON lines in UTF-8, got another encoding or no text at all") from None


def load_record(line: str | bytes) -> Any:
    """The JSON values of a line (bytes: UTF-8), or the ValueError, one sentence, that says why it has none."""
    try:
        line = line if isinstance(line, str) else line.decode("utf-8")
        return _DECODER.decode(line)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        text = line if isinstance(line, str) else line.decode("utf-8", "replace")
        return DataError(f"expected one JSON object a line, got {shown(text.strip())} ({error})")


def _refuse(word: str) -> None:
    raise DataError(f"{word} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


@cache
def _schema() -> dict[str, Any]:
    return json.loads(resources.files("deixis.samples").joinpath("schema.json").read_text("utf-8"))


@cache
def _compiled() -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(_schema())


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(_schema())


def _passes(record: Any) -> bool:
    """Whether a record surely fits the schema: a hundred times as fast as `_validator`, which has the last word.

    It has no place for values that JSON has not, such as NaN or numpy's numbers, so the other decides about them.
    """
    try:
        return _compiled().is_valid(record)
    except ValueError:
        return False


def _shortened(record: Any) -> Any:
    """The record with long lists of indices cut: the schema takes 10 us an item, and clouds have thousands."""
    if not (isinstance(record, Mapping) and isinstance(record.get("regions"), list)):
        return record
    regions = []
    for region in record["regions"]:
        if isinstance(region, Mapping):
            mask = region.get("mask")
            if isinstance(region.get("points"), list):
                region = {**region, "points": region["points"][:SHOWN_INDICES]}
            if isinstance(mask, Mapping) and isinstance(mask.get("counts"), list):
                region = {**region, "mask": {**mask, "counts": mask["counts"][:SHOWN_INDICES]}}
        regions.append(region)
    return {**record, "regions": regions}


def _severity(error: Any) -> tuple:
    """A wrong version explains all the rest; then unknown fields, which often are misspelt missing ones."""
    path = list(error.absolute_path)
    return path != ["version"], len(path), error.validator != "additionalProperties", str(path)


def _sentence(error: Any) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    start = f"{path}: " if path else ""
    schema, got = error.schema, error.instance
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in got)
        return f"{start}expected the field {missing!r}, which is missing"
    if error.validator == "additionalProperties":
        known = schema["properties"]
        unknown = next(name for name in got if name not in known)
        return f"{start}unknown field {unknown!r}, expected {listed(known)}"
    if error.validator == "anyOf":
        forms = [option["required"][0] for option in schema["anyOf"]]
        return f"{start}expected at least one of {listed(forms)}, got none"
    return f"{start}expected {_expected(error)}, got {shown(got)}"


def _expected(error: Any) -> str:
    value = error.validator_value
    if "title" in error.schema and error.validator != "enum" and error.schema.get("type") != "object":
        return error.schema["title"]
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
    return words[error.validator]() if error.validator in words else f"{error.validator} {value}"


def _article(type_name: str) -> str:
    names = {"string": "text", "array": "a list", "integer": "a whole number", "boolean": "true or false"}
    return names.get(type_name) or ("an " if type_name[0] in "aeiou" else "a ") + type_name
