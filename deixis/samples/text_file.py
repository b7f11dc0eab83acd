"""Text and JSON files of the user as values; a damaged file is one sentence."""

import json
from pathlib import Path
from typing import Any

import yaml

from deixis.errors import ConfigError, DataError


def read_text(path: str | Path) -> str:
    """The UTF-8 text of a file, without a byte order mark.

    Raises DataError for another encoding, OSError where the file cannot be opened.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8, got another encoding or no text at all") from error


def read_json(path: str | Path) -> Any:
    """The values in a JSON file. Raises DataError where it is none, OSError where the file cannot be opened."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # plain ValueError: a number of too many digits
        raise DataError(f"{path}: expected JSON, got something else ({error}); the file is damaged") from error


def read_yaml(path: str | Path) -> Any:
    """The values in a YAML file. Raises ConfigError, one sentence with file and line, for a file that is no YAML."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f":{error.problem_mark.line + 1}"
        raise ConfigError(f"{path}{line}: expected YAML; {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected YAML; {str(error).splitlines()[0]}") from None
