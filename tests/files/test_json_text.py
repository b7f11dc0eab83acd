"""JSON and JSONL of strangers: what is safe is given back, everything else is one sentence, and memory is bounded."""

import json
import os

import pytest

from deixis.errors import DataError, DeixisError
from deixis.files import json_text
from deixis.files.json_text import (
    check_values,
    json_record,
    json_records,
    parse_json,
    read_json,
    read_object,
    read_text,
)

BAD = [
    pytest.param("", "Expecting value", id="empty"),
    pytest.param('{"a": 1', "delimiter", id="cut"),
    pytest.param("[NaN]", "NaN is no number of JSON", id="nan"),
    pytest.param("[-Infinity]", "-Infinity is no number of JSON", id="infinity"),
    pytest.param('{"a": [{"b": 1e999}]}', r"^a\[0\].b: expected a finite number, got inf", id="number_beyond_floats"),
    pytest.param('{"box": [1, 100000000000000000000]}', r"^box\[1\]: .* 64 bits, got one of 67 bits", id="67_bits"),
    pytest.param(f"[{'9' * 5000}]", "limit .* for integer string conversion", id="thousands_of_digits"),
    pytest.param("[" * 200_000, "nested at most 100 deep", id="nested_too_deep_to_parse"),
    pytest.param("[" * 102 + "]" * 102, "nested at most 100 deep", id="nested_too_deep_to_walk"),
    pytest.param('{"a":' * 102 + "0" + "}" * 102, "nested at most 100 deep", id="objects_nested_too_deep"),
    pytest.param(r'{"id": "a\ud800"}', r"^id: expected text, got '\\ud800', half of a character", id="lone_surrogate"),
    pytest.param(r'{"\udfff": 1}', r"^expected text, got '\\udfff', half of a character", id="lone_surrogate_key"),
    pytest.param(b"\xff\xfe{}", "utf-8", id="another_encoding"),
]
GOOD = [
    pytest.param("[" * 100 + "]" * 100, id="nested_deep"),
    pytest.param(b"\xef\xbb\xbf[1]", id="byte_order_mark"),
    pytest.param(r'["\ud83d\ude00", "\u4f60"]', id="surrogate_pair"),
    pytest.param(f"[{2**63 - 1}, {-(2**63) + 1}, 1e308]", id="largest_numbers"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD)
def test_what_is_no_safe_json_says_why(text, sentence):
    with pytest.raises(DataError, match=sentence) as raised:
        parse_json(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", GOOD)
def test_safe_json_is_given_back(text):
    assert parse_json(text) == json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))


def test_values_are_checked_that_another_parser_made():
    with pytest.raises(DataError, match=r"^turns\[1\].box\[0\]: expected a finite number, got nan"):
        check_values({"turns": [{}, {"box": [float("nan")]}], "ok": [True, None, "text", 1.5]})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        pytest.param("{", "expected one JSON object a line, got '{'", id="cut"),
        pytest.param('{"version": NaN}', "NaN is no number of JSON", id="nan"),
        pytest.param("[" * 100_000, r"expected one JSON object a line, got '\[\[.*\.\.\.' ", id="nested_too_deep"),
        pytest.param(b"\xff\xfe{}", "expected one JSON object a line", id="another_encoding"),
    ],
)
def test_a_line_that_is_no_json_says_why(line, sentence):
    with pytest.raises(DataError, match=sentence):
        raise json_record(line)


def test_records_are_numbered_by_line(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('\ufeff\n7\n  \n"a"\n', encoding="utf-8")
    assert list(json_records(path)) == [(2, 7), (4, "a")]


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('\ufeff{"a": 1}\n{"a": 2}', encoding="utf-8")
    assert list(json_records(path)) == [(1, {"a": 1}), (2, {"a": 2})]


def test_a_bad_line_is_one_error_among_records(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_bytes(b'1\n\xff\n{"id": "\\ud800"}\n2\n')
    records = dict(json_records(path))
    assert [number for number, record in records.items() if isinstance(record, DataError)] == [2, 3]
    assert (records[1], records[4]) == (1, 2)


def test_a_line_that_is_too_long_is_that_lines_error_and_not_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(json_text, "MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "set.jsonl"
    path.write_bytes(b"1\n[" + b"1," * (3 << 20) + b"1]\n2\n" + b" " * (1 << 20) + b"3\n4")
    records = list(json_records(path))
    assert [number for number, _ in records] == [1, 2, 3, 4, 5]
    assert str(records[1][1]) == "expected a line of at most 1 MB, got 6 MB"
    assert [record for _, record in (records[0], records[2], records[4])] == [1, 2, 4]


def test_lines_are_found_again_by_their_byte(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text("\ufeff1\n\n22\n3", encoding="utf-8")
    whole = [(place, line) for _, place, line in json_text.text_lines(path)]
    assert whole == [(0, b"1\n"), (6, b"22\n"), (9, b"3")]
    assert [next(json_text.text_lines(path, place))[2] for place, _ in whole] == [line for _, line in whole]


def test_records_of_another_encoding_are_one_sentence(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match="expected JSON lines in UTF-8"):
        list(json_records(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_the_encodings_of_editors(tmp_path, encoding):
    path = tmp_path / "classes.json"
    path.write_text('{"a": "\u4f60"}', encoding=encoding)
    assert read_json(path) == {"a": "\u4f60"}


def test_a_file_that_is_too_large_is_refused_with_its_size(tmp_path, monkeypatch):
    path = tmp_path / "classes.json"
    path.write_bytes(b" " * (3 << 20) + b"1")
    assert read_json(path) == 1
    monkeypatch.setenv("DEIXIS_MAX_DECODED_MB", "6")
    with pytest.raises(
        DataError, match=r"classes.json: expected text of at most 2 MB, got 3 MB; set DEIXIS_MAX_DECODED_MB"
    ):
        read_json(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("read", [read_json, read_object, read_text, lambda path: list(json_records(path))])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(DeixisError, match="expected a regular file, got a named pipe"):
        read(tmp_path / "pipe.json")


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "classes.json"
    path.write_text("{")
    with pytest.raises(DataError, match=r"classes.json: expected JSON, got something else .* the file is damaged"):
        read_json(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("[{}]", r"classes.json is no JSON object; the file is damaged", id="list"),
        pytest.param('{"a": NaN}', r"classes.json: expected JSON, got .*NaN is no number of JSON", id="nan"),
    ],
)
def test_a_file_that_holds_no_object_is_named(tmp_path, text, sentence):
    path = tmp_path / "classes.json"
    path.write_text('{"a": 1}')
    assert read_object(path) == {"a": 1}
    path.write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_object(path)
