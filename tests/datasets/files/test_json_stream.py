"""JSON read piece by piece: levels are counted before the parser sees them, and brackets in texts are none."""

import json

import pytest

from deixis.datasets.files.json_stream import MAX_DEPTH, json_items, open_json
from deixis.errors import DataError

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("text", "field"),
    [
        pytest.param(DEEP, "", id="list"),
        pytest.param('{"images": ' + DEEP + "]" * 100_000 + "}", "images", id="in_a_field"),
        pytest.param('{"a":' * 100_000, "images", id="objects"),
        pytest.param('{"images": [' + '"]]]]", ' * 50_000 + DEEP, "images", id="behind_brackets_in_texts"),
        pytest.param('{"other": ' + DEEP, "images", id="in_another_field"),
    ],
)
def test_a_file_without_end_of_levels_is_refused_at_once(tmp_path, text, field):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=rf"a\.json: expected JSON nested at most {MAX_DEPTH} deep, got more"):
        list(json_items(tmp_path / "a.json", field))


@pytest.mark.parametrize("size", [pytest.param(size, id=str(size)) for size in (1, 2, 3, 7, 4096)])
def test_brackets_in_texts_are_no_levels(tmp_path, size):
    texts = ["[" * 500, '\\"[{' * 300, "\\", '"', "ü[" * 99, "\\\\\\"]
    (tmp_path / "a.json").write_text(json.dumps({"images": texts}), encoding="utf-8")
    with open_json(tmp_path / "a.json") as file:
        read = b"".join(iter(lambda: file.read(size), b""))
    assert json.loads(read)["images"] == texts
    assert [value for _, value in json_items(tmp_path / "a.json", "images")] == texts


def test_levels_that_are_closed_do_not_add_up(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([[[[n]]] for n in range(5000)]))
    assert len(list(json_items(tmp_path / "a.json"))) == 5000
