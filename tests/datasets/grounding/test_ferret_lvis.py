"""Ferret's LVIS-ROC: three forms of a region, masks with columns first, names in turn."""

import json

import numpy as np
import pytest

from deixis.datasets.grounding.ferret_lvis import FERRET_LVIS, synonyms
from deixis.geometry import rle_to_mask
from tests.datasets.reading import read_all

WIDTH, HEIGHT = 6, 4
STROKE = np.zeros((WIDTH, HEIGHT), dtype=int)
STROKE[2:5, 1] = 1  # along a row of the image, y = 1
ROW = {
    "id": 3,
    "image_path": "coco/val2017/000000000139.jpg",
    "name": "cup_(drink)",
    "synonyms": ["cup_(drink)", "tea_cup"],
    "neg_class": "wine_bottle",
    "bbox": [1, 0, 4, 3],
    "bbox_norm": [1 / 6, 0.0, 5 / 6, 0.75],
    "width": WIDTH,
    "height": HEIGHT,
    "sample_point": [3, 1],
    "free_shape_bbox_raw": [1, 1, 3, 2],
    "free_shape_segment_mask": STROKE.tolist(),
}


def read(tmp_path, *rows, **place):
    path = tmp_path / "lvis_eval.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return read_all(FERRET_LVIS, path, **place)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"sample_point": [9, 1]}, "point: sample_point: expected x, y on the image of 6 x", id="point"),
        pytest.param({"bbox_norm": [0.5, 0, 0.2, 1]}, "box: the box [0.5, 0.0, 0.2, 1.0]: expected a box", id="box"),
        pytest.param({"free_shape_segment_mask": STROKE.T.tolist()},
                     "free_shape: free_shape_segment_mask: expected lists [width][height], [6, 4], got [4, 6]",
                     id="rows_first"),
        pytest.param({"free_shape_segment_mask": [[0, 1], [1]]}, "expected lists [width][height], [6, 4], got [0]",
                     id="uneven"),
        pytest.param({"free_shape_bbox_raw": [0, 0, 1, 0]}, "expected a pixel within free_shape_bbox_raw, got none",
                     id="stroke_elsewhere"),
        pytest.param({"free_shape_bbox_raw": None}, "free_shape: ", id="none"),
    ],
)  # fmt: skip
def test_a_bad_form_is_named_and_the_others_go_on(tmp_path, fields, message):
    records, (skipped,) = read(tmp_path, ROW | fields)
    assert len(records) == 2
    assert skipped.where == "lvis_eval.jsonl:1"
    assert message in skipped.why


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"name": ""}, "name, neg_class, synonyms: expected names, got ''", id="no_name"),
        pytest.param({"width": 0}, "width: expected whole pixels", id="no_width"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_read(tmp_path, fields, message):
    records, (skipped,) = read(tmp_path, ROW, ROW | fields)
    assert len(records) == 3
    assert skipped.where == "lvis_eval.jsonl:2"
    assert message in skipped.why


def test_refuses_another_form(tmp_path):
    with pytest.raises(ValueError, match="form: expected one of point, box, free_shape, got 'mask'"):
        read(tmp_path, ROW, options={"form": "mask"})


def test_the_three_forms(tmp_path):
    records, skipped = read(tmp_path, ROW)
    assert not skipped
    point, box, shape = (record.regions[0] for record in records)
    assert point.point == (3, 1)
    assert box.box == pytest.approx((1, 0, 5, 3))
    expected = np.zeros((HEIGHT, WIDTH), dtype=bool)
    expected[1, 2:4] = True  # the scribble within x 1 to 3, y 1 to 2, both ends included
    assert np.array_equal(rle_to_mask(shape.mask), expected)
    assert {record.signals[0].id for record in records} == {"coco/000000000139"}


def test_names_in_turn(tmp_path):
    records, _ = read(tmp_path, ROW, ROW, options={"form": "box"})
    first, second = (record.turns[0] for record in records)
    assert first.user == "Is the object {0} of the image a cup (drink) or a wine bottle?"
    assert second.user == "Is the object {0} of the image a wine bottle or a cup (drink)?"
    assert (first.assistant, first.references) == ("cup (drink)", ("cup", "drink", "tea cup"))


def test_synonyms_without_the_name():
    assert synonyms(["mug", "cup_(drink)"], "mug") == ["cup", "drink"]
