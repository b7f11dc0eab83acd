"""Boxes of annotation files: their two orders, clipped to the image, refused where nothing remains."""

import re

import pytest

from deixis.datasets.files.boxes import box_from_xywh, box_from_xyxy

SIZE_HW = (50, 100)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(None, "bbox: expected four numbers x, y, width, height, got None", id="none"),
        pytest.param([1, 2, 3], "four numbers x, y, width, height, got [1, 2, 3]", id="three"),
        pytest.param("1234", "four numbers x, y, width, height, got '1234'", id="text"),
        pytest.param([1, 2, "3", 4], "four numbers", id="word"),
        pytest.param([1, 2, float("nan"), 4], "four numbers", id="nan"),
        pytest.param([1, 2, float("inf"), 4], "four numbers", id="endless"),
        pytest.param([1, 2, 0, 4], "bbox: expected a box with an area on the image of 100 x 50 pixels, got [1",
                     id="no_width"),
        pytest.param([1, 2, -3, 4], "expected a box with an area", id="reversed"),
        pytest.param([100, 2, 5, 5], "expected a box with an area on the image", id="off_the_picture"),
    ],
)  # fmt: skip
def test_refuses(values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        box_from_xywh(values, SIZE_HW)


@pytest.mark.parametrize(
    ("box_of", "values", "size_hw", "expected"),
    [
        pytest.param(box_from_xywh, [10, 20, 30, 5.5], SIZE_HW, (10.0, 20.0, 40.0, 25.5), id="xywh"),
        pytest.param(box_from_xywh, [-4, -4, 200, 200], SIZE_HW, (0.0, 0.0, 100.0, 50.0), id="xywh_cut"),
        pytest.param(box_from_xywh, [-4, -4, 200, 200], None, (-4.0, -4.0, 196.0, 196.0), id="no_size"),
        pytest.param(box_from_xyxy, [10, 20, 30, 25.5], SIZE_HW, (10.0, 20.0, 30.0, 25.5), id="xyxy"),
        pytest.param(box_from_xyxy, [10, 20, 300, 25], SIZE_HW, (10.0, 20.0, 100.0, 25.0), id="xyxy_cut"),
    ],
)
def test_boxes(box_of, values, size_hw, expected):
    assert box_of(values, size_hw) == expected


def test_the_field_is_named_as_the_file_names_it():
    with pytest.raises(ValueError, match=re.escape("bndbox: expected four numbers x1, y1, x2, y2, got []")):
        box_from_xyxy([], SIZE_HW, "bndbox")
