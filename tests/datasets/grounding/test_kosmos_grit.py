"""Kosmos-2's GrIT: grounded captions from Parquet files, bad boxes counted, images by key or id."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from deixis.datasets.grounding.kosmos_grit import KOSMOS_GRIT
from deixis.datasets.plain_questions import plain_samples
from tests.datasets.reading import read_all, write_picture

CAPTION = "A dog in a {big} field"
DOG, FIELD, WHOLE = [0, 5, 0.0, 0.0, 0.5, 1.0, 0.9], [9, 22, 0.0, 0.5, 1.0, 1.0, 0.7], [0, 22, 0.0, 0.0, 0.5, 1.0, 0.9]


def row(number: int = 1, **fields) -> dict:
    return {
        "key": f"{number:09d}",
        "id": 1000 + number,
        "url": f"https://example.org/{number}.jpg",
        "caption": CAPTION,
        "width": 200,
        "height": 100,
        "clip_similarity_vitb32": 0.3,
        "clip_similarity_vitl14": 0.3,
        "noun_chunks": [DOG, FIELD],
        "ref_exps": [WHOLE],
        **fields,
    }


def write(path: Path, *rows: dict) -> Path:
    parquet.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=2)
    return path


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        pytest.param(b"[]", {}, "expected a Parquet file", id="json"),
        pytest.param(None, {}, "expected the column 'url', got id, caption", id="columns"),
        pytest.param(None, {"min_score": "high"}, "min_score: expected a number from 0 to 1, got 'high'", id="option"),
    ],
)
def test_refuses(tmp_path, content, options, message):
    path = tmp_path / "coyo.parquet"
    if content is None:
        write(path, {"id": 1, "caption": "a"})
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(KOSMOS_GRIT, path, options=options)


def test_refuses_a_folder_without_files(tmp_path):
    with pytest.raises(ValueError, match="expected Parquet files in the folder, got none"):
        read_all(KOSMOS_GRIT, tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"noun_chunks": [DOG, [0.0, 5.0]]}, "noun_chunks[1]: expected seven numbers start, end, x1",
                     id="two_numbers"),
        pytest.param({"noun_chunks": [DOG, [0, 99, *DOG[2:]]]},
                     "noun_chunks[1]: expected a span of the caption's 22 characters, got (0, 99)", id="past_the_end"),
        pytest.param({"ref_exps": [[5, 5, *DOG[2:]]]}, "ref_exps[0]: expected a span", id="empty_span"),
        pytest.param({"ref_exps": [[0, 5, 0.5, 0.0, 0.5, 1.0, 0.9]]}, "ref_exps[0]: expected a box with an area",
                     id="no_width"),
    ],
)  # fmt: skip
def test_a_bad_box_is_named_and_the_rest_is_read(tmp_path, fields, message):
    (record,), (skipped,) = read_all(KOSMOS_GRIT, write(tmp_path / "coyo.parquet", row(**fields)))
    assert skipped.where == "coyo.parquet: row 0"
    assert message in skipped.why
    assert record.objects[0].name == "dog"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"caption": None}, "caption: expected text, got null", id="no_caption"),
        pytest.param({"width": 0}, "width: expected whole pixels", id="no_width"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_read(tmp_path, fields, message):
    path = write(tmp_path / "coyo.parquet", row(1), row(2, **fields), row(3))
    records, (skipped,) = read_all(KOSMOS_GRIT, path)
    assert [record.id for record in records] == ["kosmos_grit/1001", "kosmos_grit/1003"]
    assert skipped.where == "coyo.parquet: row 1"
    assert message in skipped.why


def test_a_grounded_caption(tmp_path):
    (record,), skipped = read_all(KOSMOS_GRIT, write(tmp_path / "coyo.parquet", row()))
    assert not skipped
    assert [(obj.name, obj.region.box) for obj in record.objects] == [
        ("dog", (0, 0, 100, 100)),
        ("{big} field", (0, 50, 200, 100)),
    ]
    assert record.captions == ("[A dog]{0} in [a {{big}} field]{1}",)
    assert [(found.text, found.objects) for found in record.expressions] == [(CAPTION, (0,))]
    assert (record.signals[0].path, record.signals[0].size_hw) == (None, (100, 200))
    tasks = {sample.task: sample.turns for sample in plain_samples(record)}
    assert tasks["caption"][0].assistant == "[A dog]{0} in [a {{big}} field]{1}"
    assert tasks["ground"][0].assistant == "[A dog in a {{big}} field]{0}"


def test_several_boxes_of_one_phrase(tmp_path):
    other = [0, 5, 0.5, 0.0, 1.0, 1.0, 0.8]
    (record,), _ = read_all(KOSMOS_GRIT, write(tmp_path / "a.parquet", row(noun_chunks=[DOG, other], ref_exps=[])))
    assert record.captions[0].startswith("[A dog]{0,1} in")


def test_min_score_leaves_out(tmp_path):
    path = write(tmp_path / "coyo.parquet", row())
    (record,), skipped = read_all(KOSMOS_GRIT, path, options={"min_score": "0.8"})
    assert not skipped
    assert [obj.name for obj in record.objects] == ["dog"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("000000001.jpg", id="key"),
        pytest.param("00000/000000001.png", id="key_in_a_shard"),
        pytest.param("1001.jpg", id="id"),
    ],
)
def test_images_are_found_and_smaller_copies_too(tmp_path, name):
    write_picture(tmp_path / "pictures" / name, np.zeros((50, 100, 3), np.uint8))
    path = write(tmp_path / "coyo.parquet", row())
    (record,), _ = read_all(KOSMOS_GRIT, path, images=tmp_path / "pictures")
    assert record.signals[0].path == str(tmp_path / "pictures" / name)
    assert record.signals[0].size_hw == (50, 100)
    assert record.objects[0].region.box == (0, 0, 50, 50)


def test_an_id_that_repeats_is_reported(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.parquet", row())
    records, (skipped,) = read_all(KOSMOS_GRIT, tmp_path)
    assert len(records) == 1
    assert (skipped.where, "that of a.parquet: row 0" in skipped.why) == ("b.parquet: row 0", True)
