"""Masks in each of COCO's encodings, against polygons rasterised separately and counted by hand."""

import re

import numpy as np
import pytest

from deixis.datasets.files.mask_regions import segmentation_rle
from deixis.geometry import mask_to_rle, rle_to_mask

SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]  # three pixels wide, two high
LEFT, BELOW = [0, 0, 1, 0, 1, 4, 0, 4], [0, 3, 6, 3, 6, 4, 0, 4]


def rows(segmentation, size_hw=(4, 6)) -> str:
    mask = rle_to_mask(segmentation_rle(segmentation, size_hw))
    return " ".join("".join(".#"[int(pixel)] for pixel in row) for row in mask)


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        pytest.param([SQUARE], "...... .###.. .###.. ......", id="polygon"),
        pytest.param([LEFT, BELOW], "#..... #..... #..... ######", id="polygons_are_joined"),
        pytest.param([SQUARE, [2, 2, 3, 3]], "...... .###.. .###.. ......", id="two_corners_are_no_box"),
        pytest.param([[-3, -3, 1, -3, 1, 7, -3, 7]], "#..... #..... #..... #.....", id="over_the_edge"),
        pytest.param({"size": [4, 6], "counts": [5, 2, 17]}, "...... .#.... .#.... ......", id="list_of_runs"),
        pytest.param(mask_to_rle(np.ones((4, 6), dtype=bool)), "###### ###### ###### ######", id="text_of_runs"),
        pytest.param([{"size": [4, 6], "counts": [0, 4, 20]}, {"size": [4, 6], "counts": [20, 4]}],
                     "#....# #....# #....# #....#", id="list_of_run_lengths"),
    ],
)  # fmt: skip
def test_segmentation_rle(segmentation, expected):
    assert rows(segmentation) == expected


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        pytest.param(None, "expected polygons or run lengths, got None", id="none"),
        pytest.param([], "expected polygons or run lengths, got []", id="empty"),
        pytest.param("abc", "expected polygons or run lengths, got 'abc'", id="text"),
        pytest.param([SQUARE, [1, 2, 3]], "expected a polygon x1, y1, x2, y2, ..., got [1, 2, 3]", id="odd"),
        pytest.param([["1", "2"]], "expected a polygon x1, y1, x2, y2, ..., got ['1', '2']", id="words"),
        pytest.param([[[1, 2], [3]]], "expected a polygon", id="ragged"),
        pytest.param([[1, 1, float("nan"), 2, 3, 3]], "expected corners on the image of 6 x 4 pixels", id="nan"),
        pytest.param([[0, 0, 1e9, 0, 1e9, 1e9]], "got one far off it", id="would_take_all_memory"),
        pytest.param([[1, 1, 2, 2]], "at least one pixel of the image, got none", id="two_corners"),
        pytest.param([[-5, -3, -4, -3, -4, -2]], "at least one pixel of the image, got none", id="off_the_picture"),
        pytest.param({"counts": [24]}, "needs the keys 'size' and 'counts'", id="no_size"),
        pytest.param({"size": [4, 6], "counts": [24]}, "at least one pixel of the image, got none", id="no_ones"),
        pytest.param({"size": [4, 6], "counts": [3, 4]}, "must fill its size [4, 6]: 24 pixels", id="too_few"),
        pytest.param({"size": [6, 4], "counts": [0, 24]}, "expected the image's size [4, 6], got [6, 4]",
                     id="turned"),
        pytest.param({"size": [4, 6], "counts": "\xff\xfe"}, "a character that is not of this code", id="foreign"),
        pytest.param([{"size": [4, 6], "counts": [0, 24]}, 3], "expected run lengths, as the first mask has, got 3",
                     id="mixed"),
    ],
)  # fmt: skip
def test_refuses(segmentation, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        segmentation_rle(segmentation, (4, 6))
