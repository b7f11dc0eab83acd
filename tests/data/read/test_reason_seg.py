"""Polygons pixel for pixel as OpenCV draws them, and the masks of ReasonSeg made of them."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deixis.data.polygons import polygon_mask
from deixis.data.reason_seg import IGNORED, MEANT, parse_reason_seg, read_reason_seg, reason_seg_mask


def picture(rows: str) -> np.ndarray:
    """A mask written as rows of . and # (or of 0, 1 and i for ReasonSeg)."""
    return np.array([list(row) for row in rows.split()])


# What cv2.polylines and cv2.fillPoly (OpenCV 4.12.0) draw of these corners.
DRAWN = [
    pytest.param([], "..... ..... .....", id="no_corner"),
    pytest.param([[2, 1]], "..... ..#.. .....", id="one_corner"),
    pytest.param([[0, 0], [4, 2]], "##... ..##. ....#", id="two_corners"),
    pytest.param([[0, 0], [4, 0], [4, 2], [0, 2]], "##### ##### #####", id="rectangle"),
    pytest.param([[7, 7], [9, 9]], "..... ..... .....", id="off_the_picture"),
    pytest.param([[-3, -3], [8, -3], [8, 9]], "##### .#### ..###", id="larger_than_the_picture"),
    pytest.param([[0, 0], [4, 2], [4, 0], [0, 2]], "##..# ##### ##..#", id="crossed"),
    pytest.param([[0, 0], [4, 1], [1, 2]], "###.. ##### .##..", id="triangle"),
]


@pytest.mark.parametrize(("corners", "expected"), DRAWN)
def test_polygon_mask(corners, expected):
    mask = polygon_mask(np.array(corners, dtype=int).reshape(-1, 2), (3, 5))
    assert np.array_equal(mask, picture(expected) == "#")


def test_a_large_polygon_covers_everything_on_its_side():
    mask = polygon_mask(np.array([[-50, -50], [50, -50], [50, 50]]), (8, 8))
    assert all(mask[y, x] for y in range(8) for x in range(8) if x >= y)
    assert not any(mask[y, x] for y in range(8) for x in range(8) if x < y - 1)


CORNERS = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), min_size=3, max_size=8)


@settings(max_examples=60, deadline=None)
@given(CORNERS)
def test_a_polygon_is_what_lies_inside(corners):
    """Away from its outline, even-odd by a ray to the left of each pixel, in plain numpy."""
    y, x = np.mgrid[0:30, 0:30]
    near, inside = np.zeros((2, 30, 30), dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        squared = (x2 - x1) ** 2 + (y2 - y1) ** 2
        along = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / max(squared, 1), 0, 1)
        near |= np.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1)) < 1.5
        if y1 != y2:
            crosses = (min(y1, y2) <= y + 0.01) & (y + 0.01 < max(y1, y2))
            inside ^= crosses & (x1 + (y + 0.01 - y1) * (x2 - x1) / (y2 - y1) < x)
    mask = polygon_mask(np.array(corners), (30, 30))
    assert np.array_equal(mask[~near], inside[~near])


SQUARE = [[0, 0], [4, 0], [4, 2], [0, 2]]


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        pytest.param([], "00000 00000 00000", id="none"),
        pytest.param([{"label": "flag", "points": SQUARE}], "00000 00000 00000", id="flag"),
        pytest.param([{"label": "Flag", "points": SQUARE}], "00000 00000 00000", id="flag_in_capitals"),
        pytest.param([{"label": "target", "points": [[1.9, 0.9], [2.9, 0.9], [2.9, 1.9]]}], "01100 00100 00000",
                     id="toward_zero"),
        pytest.param([{"label": "target", "points": [[1, 1], [2, 1]]}, {"label": "my IGNORE", "points": SQUARE}],
                     "iiiii i11ii iiiii", id="small_over_large"),
    ],
)  # fmt: skip
def test_reason_seg_mask(shapes, expected):
    mask = reason_seg_mask(shapes, (3, 5))
    assert np.array_equal(np.select([mask == MEANT, mask == IGNORED], ["1", "i"], "0"), picture(expected))


def test_texts_are_read_in_either_encoding(tmp_path):
    annotation = {"text": ["the café’s cup"], "is_sentence": True, "shapes": []}
    for encoding in ("utf-8", "cp1252"):
        path = tmp_path / f"{encoding}.json"
        path.write_bytes(json.dumps(annotation, ensure_ascii=False).encode(encoding))
        read = read_reason_seg(path, (3, 5))
        assert (read.texts, read.is_sentence) == (("the café’s cup",), True)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        pytest.param({}, "the field 'text' is missing, there are none", id="empty"),
        pytest.param({"text": [], "is_sentence": False}, "the field 'shapes' is missing", id="no_shapes"),
        pytest.param({"text": [], "is_sentence": False, "shapes": [{"label": "a", "points": [[1, 2, 3]]}]},
                     "shape 0 needs points of shape (N, 2), finite numbers, got (1, 3)", id="three_numbers"),
        pytest.param({"text": [], "is_sentence": False, "shapes": [{"label": "a", "points": [[1, float("nan")]]}]},
                     "finite numbers", id="nan"),
    ],
)  # fmt: skip
def test_refuses(annotation, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_reason_seg(annotation, (3, 5))


def test_a_file_that_is_no_annotation_is_named(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json' is no annotation of ReasonSeg"):
        read_reason_seg(path, (3, 5))


def test_official_mask(shared_golden):
    folder = shared_golden / "lisa_tiny"
    units = json.loads((folder / "units.json").read_text())["reasonseg"]
    read = read_reason_seg(folder / "reasonseg.json", (units["height"], units["width"]))
    assert np.array_equal(read.mask, np.load(folder / "masks.npz")["reasonseg"])
    assert list(read.texts) == units["text"]
