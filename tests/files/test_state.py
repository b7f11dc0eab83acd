"""A damaged file of an earlier run is one sentence that names it and says what to do."""

import pytest

from deixis.errors import DataError
from deixis.files.state import fields_of, read_state


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b'{"a": 1', "Expecting"),
        (b"\xff\xfe\x00", "expected text in UTF-8"),
        (b"[1]", r"expected fields with values, got \[1\]"),
        (b'{"b": 1}', "'a'"),
        (b'{"a": null}', "unsupported operand|NoneType"),
        (b'{"a": 1e999}', "finite"),
        (b"[" * 100_000, "nested"),
    ],
    ids=["empty", "cut", "no text", "list", "field missing", "null", "infinity", "deep"],
)
def test_damage_is_one_sentence(tmp_path, content, why):
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"'{path}': .* got a damaged file .*(?:{why}).*; remove it, and") as told:
        read_state(path, lambda value: fields_of(value)["a"] + 1)
    assert str(told.value).count("run.json") == 1


def test_a_whole_file_is_read(tmp_path):
    (tmp_path / "run.json").write_text('{"a": 1}')
    assert read_state(tmp_path / "run.json", fields_of) == {"a": 1}


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path / "run.json", fields_of)
