"""The small files of a stranger's model folder, as JSON objects: none names Python to run, or what lies elsewhere."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deixis.errors import CheckpointError, ConfigError, DataError, one_line
from deixis.files import json_text

CODE = "auto_map"
"""The field by which a folder names Python to run."""


def read_settings(file: Path) -> dict[str, Any]:
    """The fields of tokenizer_config.json, but the longest length, which is beyond 64 bits; none without the file."""
    if not file.is_file():
        return {}
    try:
        values = json.loads(json_text.read_text(file))
        if isinstance(values, dict):
            values.pop("model_max_length", None)
        json_text.check_values(values)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file.name}: expected JSON, got something else; the file is damaged") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{file.name} is no JSON object; the file is damaged")
    return _without_code(values, file)


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises CheckpointError, which names the file."""
    try:
        return _without_code(json_text.read_object(file), file)
    except DataError as error:
        raise CheckpointError(f"{file.name}{str(error).removeprefix(str(file))}") from error


def text_of(file: Path) -> str:
    """The text of a file. Raises CheckpointError, which names it."""
    try:
        return json_text.read_text(file)
    except DataError as error:
        raise CheckpointError(f"{file.name}: {str(error).removeprefix(f'{file}: ')}") from error


def _without_code(values: dict[str, Any], file: Path) -> dict[str, Any]:
    """The same values. Raises CheckpointError where they name Python to run."""
    if CODE in values:
        raise CheckpointError(
            f"{file.name}: expected no {CODE}, got {json.dumps(values[CODE])[:120]}: it names Python to run, and the "
            "code of a model folder is never run"
        )
    return values


@contextmanager
def naming(name: str) -> Generator[None]:
    """Puts the name of a file before the errors of the block; those of libraries become a ConfigError."""
    try:
        yield
    except (CheckpointError, ConfigError) as error:
        raise type(error)(f"{name}: {error}") from error
    except Exception as error:
        raise ConfigError(f"{name}: {one_line(error, 300)}") from error
