"""Polygons pixel for pixel as OpenCV draws them, and the masks of ReasonSeg made of them."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deixis.datasets.files.polygons import polygon_mask
from deixis.datasets.plain_questions import plain_samples
from deixis.datasets.segmentation.reason_seg import (
    IGNORED,
    MEANT,
    REASON_SEG,
    parse_reason_seg,
    read_reason_seg,
    reason_seg_mask,
)
from deixis.geometry import rle_to_mask
from tests.datasets.reading import read_all, write_json, write_picture


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
        pytest.param([], "expected an object with text, is_sentence and shapes, got []", id="list"),
        pytest.param({"text": 3, "is_sentence": False, "shapes": []}, "text: expected texts, got 3", id="text"),
        pytest.param({"text": [3], "is_sentence": False, "shapes": []}, "text: expected texts, got [3]", id="texts"),
        pytest.param({"text": [], "is_sentence": False, "shapes": 3}, "shapes: expected a list of label and points",
                     id="no_list_of_shapes"),
        pytest.param({"text": [], "is_sentence": False, "shapes": [{"label": "a"}]}, "shapes: expected a list of label",
                     id="no_points"),
        pytest.param({"text": [], "is_sentence": False, "shapes": [{"label": "a", "points": [["x", None]]}]},
                     "shape 0 needs points of shape (N, 2)", id="words"),
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


def shape(label, x1, y1, x2, y2):
    return {"label": label, "points": [[x1, y1], [x2, y1], [x2, y2], [x1, y2]], "image_name": "a.jpg"}


TARGET = {
    "text": ["What melts here?", "Where would it be cold?"],
    "is_sentence": True,
    "shapes": [shape("target", 2, 2, 9, 5), shape("ignore", 20, 2, 25, 5), shape("flag", 0, 0, 30, 20)],
}
PHRASE = {"text": ["the cold thing"], "is_sentence": False, "shapes": [shape("target", 2, 2, 9, 5)]}


def layout(folder, explained=(), **splits):
    """ReasonSeg's folders, an image of 30 x 20 pixels beside each annotation."""
    for split, annotations in splits.items():
        for name, annotation in annotations.items():
            write_json(folder / split / f"{name}.json", annotation)
            write_picture(folder / split / f"{name}.jpg", np.zeros((20, 30, 3), np.uint8))
    if explained:
        write_json(folder / "explanatory" / "train.json", list(explained))
    return folder


def test_refuses_a_folder_without_annotations(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match=re.escape("expected NAME.jpg and NAME.json in train, val, test, got no JSON")):
        read_all(REASON_SEG, tmp_path)


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        pytest.param({**TARGET, "shapes": []}, "shapes: expected a polygon of what is meant, got", id="no_polygons"),
        pytest.param({**TARGET, "shapes": [shape("ignore", 1, 1, 5, 5)]}, "shapes: expected a polygon of what is meant",
                     id="only_ignored"),
        pytest.param({**TARGET, "text": []}, "text: expected at least one, got none", id="no_text"),
        pytest.param({**TARGET, "shapes": None}, "shapes: expected a list of label and points, got null", id="null"),
    ],
)  # fmt: skip
def test_an_annotation_that_cannot_be_used_is_skipped(tmp_path, annotation, why):
    records, skipped = read_all(REASON_SEG, layout(tmp_path, test={"a": annotation, "b": PHRASE}))
    assert [record.id for record in records] == ["reason_seg/test/b"]
    assert [found.where for found in skipped] == ["test/a.json"]
    assert why in skipped[0].why


def test_an_annotation_without_its_image_is_skipped(tmp_path):
    layout(tmp_path, val={"a": TARGET})
    (tmp_path / "val" / "a.jpg").unlink()
    _, (skipped,) = read_all(REASON_SEG, tmp_path)
    assert "val/a.jpg: expected the image, whose size the set does not tell, got no such file" in skipped.why


def test_sentences_are_implicit_and_what_is_ignored_is_a_thing_apart(tmp_path):
    told = {"image": "ice.jpg", "query": "What melts here?", "outputs": "Ice melts."}
    bad = [{"image": "ice.jpg"}, {**told, "image": "none.jpg"}]
    layout(tmp_path / "ReasonSeg", [told, *bad], train={"ice": TARGET}, val={"cold": PHRASE})
    (ice, cold), skipped = read_all(REASON_SEG, tmp_path)
    assert [found.why.split(",")[0] for found in skipped] == [
        "expected an explanation with the texts image and outputs",
        "image: expected an image with an annotation",
    ]
    assert [(record.id, record.split) for record in (ice, cold)] == [
        ("reason_seg/train/ice", "train"), ("reason_seg/val/cold", "val")
    ]  # fmt: skip
    assert [(said.text, said.objects, said.implicit, said.explanation) for said in ice.expressions] == [
        ("What melts here?", (0,), True, "Ice melts."),
        ("Where would it be cold?", (0,), True, "Ice melts."),
    ]
    assert [(said.text, said.implicit, said.explanation) for said in cold.expressions] == [
        ("the cold thing", False, None)
    ]
    meant, ignored = ice.objects
    assert (meant.region.ignore, ignored.region.ignore) == (False, True)
    official = reason_seg_mask(TARGET["shapes"], (20, 30))
    assert np.array_equal(rle_to_mask(meant.region.mask), official == MEANT)
    assert np.array_equal(rle_to_mask(ignored.region.mask), official == IGNORED)
    assert meant.region.box == (2, 2, 10, 6)
    assert (ice.form, ice.complete, ice.signals[0].size_hw) == ("mask", False, (20, 30))
    assert ice.signals[0].path == str(tmp_path / "ReasonSeg" / "train" / "ice.jpg")
    (sample,) = (sample for sample in plain_samples(ice) if sample.task == "reason")
    assert sample.turns[0].assistant == "[this]{0:mask}. Ice melts."


def test_one_split_alone_and_images_elsewhere(tmp_path):
    layout(tmp_path / "all", test={"ice": TARGET})
    (tmp_path / "pictures").mkdir()
    (tmp_path / "all/test/ice.jpg").rename(tmp_path / "pictures/ice.jpg")
    (record,), _ = read_all(REASON_SEG, tmp_path / "all/test", images=tmp_path / "pictures")
    assert (record.split, record.signals[0].path) == ("test", str(tmp_path / "pictures/ice.jpg"))


def test_the_official_record_as_a_set(tmp_path, shared_golden):
    """LISA's own mask of its own form of record, through the whole reader."""
    from PIL import Image

    golden = shared_golden / "lisa_tiny"
    units = json.loads((golden / "units.json").read_text())["reasonseg"]
    (tmp_path / "val").mkdir()
    (tmp_path / "val/a.json").write_bytes((golden / "reasonseg.json").read_bytes())
    Image.new("RGB", (units["width"], units["height"])).save(tmp_path / "val/a.jpg")
    (record,), _ = read_all(REASON_SEG, tmp_path)
    official = np.load(golden / "masks.npz")["reasonseg"]
    assert np.array_equal(rle_to_mask(record.objects[0].region.mask), official == MEANT)
    assert np.array_equal(rle_to_mask(record.objects[1].region.mask), official == IGNORED)
    assert [said.text for said in record.expressions] == units["text"]
