"""What a run stored for itself, read again: a damaged file is one sentence, which names it and says what to do."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from deixis.errors import DataError, DeixisError
from deixis.files.json_text import parse_json, read_text

T = TypeVar("T")
AGAIN = "remove it, and the same command makes it again"
DAMAGE = (DeixisError, sqlite3.DatabaseError, TypeError, AttributeError, LookupError, ValueError)


def read_state(path: Path, parse: Callable[[Any], T], remedy: str = AGAIN) -> T:
    """`parse` of the values in a JSON file of an earlier run; whatever it raises for them means a damaged file.

    Raises: DataError, which ends with `remedy`; OSError where the file cannot be opened.
    """
    with stored(path, remedy):
        return parse(parse_json(read_text(path)))


@contextmanager
def stored(path: Path, remedy: str = AGAIN) -> Generator[None]:
    """Within it a file of an earlier run is read, and nothing else: what goes wrong is a DataError about that file."""
    try:
        yield
    except DAMAGE as error:
        told = " ".join(str(error).removeprefix(f"{path}: ").split()) or type(error).__name__
        raise DataError(
            f"'{path}': expected what an earlier run stored there, got a damaged file ({told}); {remedy}"
        ) from error


def fields_of(value: Any) -> dict[str, Any]:
    """A JSON object. Raises DataError for any other value."""
    if not isinstance(value, dict):
        raise DataError(f"expected fields with values, got {value!r:.60}")
    return value
