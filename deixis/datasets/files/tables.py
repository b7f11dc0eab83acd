"""Tables in text files, cells with commas or TABs between: a row at a time; a broken one stops none of the others."""

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from deixis.errors import DataError
from deixis.files.lines import bounded_lines
from deixis.files.regular import open_regular

MAX_LINE_BYTES = 2**20
"""Cells have at most 131,072 letters in the parser, and tables of captions a few dozen cells."""
_TOO_LONG = b"x" * (csv.field_size_limit() + 1) + b"\n"
"""Stands for a longer line: a cell that the parser refuses."""


def table_rows(path: Path, delimiter: str = ",") -> Iterator[tuple[str, list[str] | DataError]]:
    """(where, cells or DataError) of every row that is not blank; the first one has the names, without blanks around.

    Cells may stand in quotes, and then hold line breaks. A row has as many cells as the first. where: "train.csv:12",
    of several lines "train.csv:12-14". InputError for a pipe or device, OSError where the file cannot be opened.
    """
    with open_regular(path) as stream:
        table = csv.reader(_clean_lines(stream), delimiter=delimiter)
        count = None
        while True:
            first = table.line_num + 1
            try:
                cells: list[str] | DataError = next(table)
            except StopIteration:
                return
            except csv.Error as error:
                cells = DataError(f"expected a row of the table; {error}")
            where = f"{path.name}:{first}" if table.line_num <= first else f"{path.name}:{first}-{table.line_num}"
            if not cells:
                continue
            if isinstance(cells, list) and count is None:
                cells = [name.strip() for name in cells]
                count = len(cells)
            elif isinstance(cells, list) and len(cells) != count:
                between = "TABs" if delimiter == "\t" else "commas"
                cells = DataError(f"expected {count} cells with {between} between, got {len(cells)}")
            yield where, cells


def _clean_lines(stream: BinaryIO) -> Iterator[str]:
    mark = codecs.BOM_UTF8
    for line, length in bounded_lines(stream.readline, MAX_LINE_BYTES):
        text = (line if length <= MAX_LINE_BYTES else _TOO_LONG).removeprefix(mark).decode("utf-8", "replace")
        mark = b"\0"  # only the first line may have one
        yield text.replace("\r\n", "\n").replace("\r", " ").replace("\0", " ")
