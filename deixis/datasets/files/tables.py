"""Tables in text files, cells with commas or TABs between: a row at a time; a broken one stops none of the others."""

import csv
from collections.abc import Iterator
from pathlib import Path

from deixis.errors import DataError


def table_rows(path: Path, delimiter: str = ",") -> Iterator[tuple[str, list[str] | DataError]]:
    """(where, cells or DataError) of every row that is not blank; the first one has the names, without blanks around.

    Cells may stand in quotes, and then hold line breaks. A row has as many cells as the first. where: "train.csv:12",
    of several lines "train.csv:12-14". OSError where the file cannot be opened.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
        clean = (line.replace("\r\n", "\n").replace("\r", " ").replace("\0", " ") for line in lines)
        table = csv.reader(clean, delimiter=delimiter)
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
