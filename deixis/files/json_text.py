"""Text and JSON of strangers as values: a file, a line, or the lines of a file; what is wrong with it is one sentence.

Values that are given back are safe to walk, write and compute with: nested `MAX_DEPTH` deep at most, numbers finite and
of 64 bits, texts that UTF-8 can hold. Memory is bounded before anything is read: files by the budget, lines by
`MAX_LINE_BYTES`. Knows no field and no format above JSON.
"""

import codecs
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deixis.errors import DataError
from deixis.files.budget import MB, VARIABLE, max_decoded_bytes
from deixis.files.lines import bounded_lines
from deixis.files.regular import open_regular

TEXT_SHARE = 3
"""A file that is read as a whole may have a third of the budget: its values take as much again and more. Annotation
files that are read so have a few MB; large ones are read item by item."""
MAX_LINE_BYTES = 32 * MB
"""Of a line of JSONL, and of a record: the largest real ones, with masks of a whole video, have a few MB."""
MAX_DEPTH = 100
"""Of lists and objects within each other: real files have fewer than 20."""
MAX_WHOLE = 2**63 - 1
"""Whole numbers have 64 bits in the libraries that compute with them."""
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SHOWN_LENGTH = 60


def read_text(path: str | Path, fallback: str | None = None) -> str:
    """The text of a file in UTF-8, or UTF-16 by its mark, which is left out; other text in the encoding `fallback`.

    Raises DataError for another encoding and too large a file, InputError for a pipe or device, OSError where it cannot
    be opened.
    """
    limit = max_decoded_bytes() // TEXT_SHARE
    with open_regular(path) as stream:
        content = stream.read(limit + 1)
        if len(content) > limit:
            size = os.fstat(stream.fileno()).st_size
            raise DataError(
                f"{path}: expected text of at most {limit // MB} MB, got {size // MB} MB; "
                f"set {VARIABLE} higher if it is meant"
            )
    try:
        return content.decode("utf-16" if content.startswith(UTF16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError as error:
        if fallback is not None:
            return content.decode(fallback, errors="replace")
        raise DataError(f"{path}: expected text in UTF-8, got another encoding or no text at all") from error


def read_json(path: str | Path) -> Any:
    """The values in a JSON file. Raises DataError where it is none, and as `read_text`."""
    text = read_text(path)
    try:
        return parse_json(text)
    except DataError as error:
        raise DataError(f"{path}: expected JSON, got something else ({error}); the file is damaged") from error


def read_object(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file. Raises DataError for other values, and as `read_json`."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"{path} is no JSON object; the file is damaged")
    return value


def parse_json(text: str | bytes) -> Any:
    """The values in a JSON text (bytes: UTF-8). Raises DataError, which says what is wrong, for anything else."""
    try:
        value = _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError:
        raise DataError(_too_deep()) from None
    except ValueError as error:  # not only JSONDecodeError: other encodings, numbers of thousands of digits
        raise DataError(str(error)) from None
    check_values(value)
    return value


def json_record(line: str | bytes) -> Any:
    """The JSON values of a line (bytes: UTF-8), or the DataError, one sentence, that says why it has none."""
    if len(line) > MAX_LINE_BYTES:
        return _too_long(len(line))
    try:
        return parse_json(line)
    except DataError as error:
        start = line[: 4 * SHOWN_LENGTH]
        start = (start if isinstance(start, str) else start.decode("utf-8", "replace")).strip()
        shown = start if len(start) <= SHOWN_LENGTH else start[: SHOWN_LENGTH - 3] + "..."
        return DataError(f"expected one JSON object a line, got {shown!r} ({error})")


def json_records(path: str | Path) -> Iterator[tuple[int, Any]]:
    """(line from 1, values or DataError) of every line of a JSONL file that is not blank. Raises as `text_lines`."""
    for number, _, line in text_lines(path):
        yield number, line if isinstance(line, DataError) else json_record(line)


def text_lines(path: str | Path, start: int = 0) -> Iterator[tuple[int, int, bytes | DataError]]:
    """(number from 1, byte where it begins, content or DataError) of the lines of a file from byte `start` that are not
    blank.

    A line that is too long is read in pieces and is a DataError. Raises DataError for UTF-16, InputError for a pipe or
    device, OSError where the file cannot be opened.
    """
    with open_regular(path) as stream:
        place = stream.seek(start)
        for number, (line, length) in enumerate(bounded_lines(stream.readline, MAX_LINE_BYTES), start=1):
            if place == 0 and line.startswith(UTF16_MARKS):
                raise DataError(f"{path}: expected JSON lines in UTF-8, got another encoding or no text at all")
            if place == 0:
                line = line.removeprefix(codecs.BOM_UTF8)
            if length > MAX_LINE_BYTES:
                yield number, place, _too_long(length)
            elif line.strip():
                yield number, place, line
            place += length


def check_values(value: Any) -> None:
    """Raises DataError unless lists, dicts, numbers and texts are as the head of this file promises."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif (isinstance(item, str) and item.isascii()) or isinstance(item, bool):
                continue
            elif fault := _fault(item):
                raise DataError(f"{_field_of(item, value)}{fault}")
        if not inner:
            return
        level = inner
    raise DataError(_too_deep())


def _fault(item: Any) -> str | None:
    if isinstance(item, float) and item - item != 0:  # an infinity or NaN
        return f"expected a finite number, got {item}"
    if isinstance(item, int) and not -MAX_WHOLE <= item <= MAX_WHOLE:
        return f"expected a whole number of 64 bits, got one of {item.bit_length()} bits"
    if isinstance(item, str):
        try:
            item.encode()
        except UnicodeEncodeError as error:
            half = ascii(item[error.start])
            return f"expected text, got {half}, half of a character that takes two (a lone surrogate)"
    return None


def _field_of(wanted: Any, value: Any) -> str:
    """`regions[0].box[1]: ` for where a value lies within others; nothing where it is all of them, or a key."""
    waiting = [("", value)]
    while waiting:
        name, own = waiting.pop()
        if own is wanted and name:
            return f"{name}: "
        if isinstance(own, dict):
            waiting += [(f"{name}.{key}".lstrip("."), item) for key, item in own.items() if key is not wanted]
        elif isinstance(own, list):
            waiting += [(f"{name}[{index}]", item) for index, item in enumerate(own)]
    return ""


def _too_deep() -> str:
    return f"expected lists and objects nested at most {MAX_DEPTH} deep, got more"


def _too_long(length: int) -> DataError:
    return DataError(f"expected a line of at most {MAX_LINE_BYTES // MB} MB, got {length / MB:.0f} MB")


def _refuse(word: str) -> None:
    raise DataError(f"{word} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
