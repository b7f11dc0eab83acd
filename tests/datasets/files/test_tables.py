"""Tables: rows with their place; broken ones are reported and do not stop reading."""

import csv

import pytest

from deixis.datasets.files.tables import table_rows


def rows_of(folder, content: str, delimiter: str = ",") -> list[tuple]:
    path = folder / "t.csv"
    path.write_bytes(content.encode())
    return [(where, str(row) if isinstance(row, ValueError) else row) for where, row in table_rows(path, delimiter)]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("\n\na, b\n\n1,2\n", [("t.csv:3", ["a", "b"]), ("t.csv:5", ["1", "2"])], id="blank_lines"),
        pytest.param("\ufeffa,b\r\n1,2\r\n", [("t.csv:1", ["a", "b"]), ("t.csv:2", ["1", "2"])], id="windows"),
        pytest.param('a,b\n1,"x\ny"\n', [("t.csv:1", ["a", "b"]), ("t.csv:2-3", ["1", "x\ny"])], id="several_lines"),
        pytest.param("a,b\n1\0,2\n", [("t.csv:1", ["a", "b"]), ("t.csv:2", ["1 ", "2"])], id="nul"),
        pytest.param(
            "a,b\n1\n1,2\n",
            [("t.csv:1", ["a", "b"]), ("t.csv:2", "expected 2 cells with commas between, got 1"),
             ("t.csv:3", ["1", "2"])],
            id="a_cell_too_few",
        ),
    ],
)  # fmt: skip
def test_rows(content, rows, tmp_path):
    assert rows_of(tmp_path, content) == rows


def test_a_cell_that_is_too_long_is_reported_and_the_rest_is_read(tmp_path):
    long = "x" * (csv.field_size_limit() + 1)
    _, broken, after = rows_of(tmp_path, f"a\tb\n{long}\t2\n1\t2\n", "\t")
    assert broken[0] == "t.csv:2"
    assert broken[1].startswith("expected a row of the table; field larger than field limit")
    assert after == ("t.csv:3", ["1", "2"])


@pytest.mark.parametrize("cell", ["1,", '"', "x"], ids=["cells", "quotes", "one_cell"])
def test_a_line_that_is_too_long_is_one_row(tmp_path, cell):
    _, broken, after = rows_of(tmp_path, f"a,b\n{cell * 3_000_000}\n1,2\n")
    assert broken == ("t.csv:2", "expected a row of the table; field larger than field limit (131072)")
    assert after == ("t.csv:3", ["1", "2"])
