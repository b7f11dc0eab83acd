"""Text and JSON files of the user as values; a damaged file is one sentence."""

import json
from pathlib import Path
from typing import Any

from deixis.errors import DataError


def read_text(path: str | Path) -> str:
    """The UTF-8 text of a file. Raises DataError for another encoding, OSError where the file cannot be opened."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8, got another encoding or no text at all") from error


def read_json(path: str | Path) -> Any:
    """The values in a JSON file. Raises DataError where it is none, OSError where the file cannot be opened."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # plain ValueError: a number of too many digits
        raise DataError(f"{path}: expected JSON, got something else ({error}); the file is damaged") from error
