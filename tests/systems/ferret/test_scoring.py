"""Ferret's own parsers and score, on adversarial texts; the expected values follow from its published code."""

import re

import numpy as np
import pytest

from deixis.systems.ferret.prompts import (
    demo_question,
    gpt4_question,
    lvis_question,
    painted_region,
    with_names,
)
from deixis.systems.ferret.scoring import (
    box_in_pixels,
    decode_boxes,
    flickr_boxes,
    refcoco_boxes,
    reported_refexp,
    score_refexp,
    similar_phrases,
)

SIZE_WH = (1000, 500)


@pytest.mark.parametrize(
    ("text", "decoded", "refcoco", "flickr"),
    [
        pytest.param("", ([], []), ([], []), ([], []), id="empty"),
        pytest.param("dog [1, 2, 3, 4", ([], []), (["dog [1, 2, 3, 4"], []), ([], []), id="half_a_bracket"),
        pytest.param("dog [10, 20, 30, 40].", (["dog"], [[10, 10, 30, 20]]), (["dog"], [[10, 10, 30, 20]]),
                     (["dog"], [[10, 10, 30, 20]]), id="one"),
        pytest.param("dog [10, 20, 30, 40, 50].", (["dog"], [[10, 10, 30, 20]]), (["dog [10, 20, 30, 40, 50]."], []),
                     (["dog"], [[10, 10, 30, 20]]), id="five_numbers"),
        pytest.param("two dogs [1, 2, 3, 4] [5, 6, 7, 8]. cat [1, 2, 3, 4]",
                     (["two dogs", "", "cat"], [[1, 1, 3, 2], [5, 3, 7, 4], [1, 1, 3, 2]]),
                     (["two dogs", "cat"], [[1, 1, 3, 2], [5, 3, 7, 4]]),
                     (["two dogs", "cat"], [[1, 1, 3, 2], [1, 1, 3, 2]]), id="several"),
        pytest.param("a-b's cup [-9, 0, 9, 2000]", (["a-b's cup"], [[-9, 0, 9, 1000]]),
                     (["a-b's cup [-9, 0, 9, 2000]"], []), ([], []), id="out_of_range"),
    ],
)  # fmt: skip
def test_readers(text, decoded, refcoco, flickr):
    assert decode_boxes(text, SIZE_WH) == decoded
    assert flickr_boxes(text, SIZE_WH) == flickr
    assert refcoco_boxes(text, SIZE_WH) == refcoco


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        pytest.param("dog [1.5, 2, 3, 4]", ValueError, "invalid literal for int", id="fraction"),
        pytest.param("cat [] here", ValueError, "invalid literal for int", id="empty_bracket"),
        pytest.param("dog 1, 2, 3, 4]", ValueError, "invalid literal for int", id="no_opening_bracket"),
        pytest.param("dog [1, 2, 3]", IndexError, "out of range", id="three_numbers"),
    ],
)
def test_readers_raise(text, error, message):
    with pytest.raises(error, match=message):
        decode_boxes(text, SIZE_WH)


def test_pixels_are_cut_toward_zero():
    assert box_in_pixels([-3, -1, 7, 8], (333, 500)) == [0, 0, 2, 4]
    assert box_in_pixels([29, 57, 58, 115], (500, 375)) == [14, 21, 29, 43]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("The Dog.", "the dog", True, id="case_and_stop"),
        pytest.param("x,y", "x , y", True, id="comma"),
        pytest.param("", ".", True, id="nothing"),
        pytest.param("t-shirt", "t shirt", False, id="hyphen"),
        pytest.param("left man", "man left", False, id="order"),
    ],
)
def test_similar_phrases(one, other, same):
    assert similar_phrases(one, other) is same


def image(index: int, dataset: str = "refcoco") -> dict:
    return {"id": index, "dataset_name": dataset, "width": 1000, "height": 1000, "caption": "dog"}


def scores(*texts: str, box=(100, 100, 100, 100)) -> dict:
    images = [image(index) for index in range(len(texts))]
    annotations = [{"image_id": index, "bbox": box} for index in range(len(texts))]
    predictions = [{"image_id": index, "text": text} for index, text in enumerate(texts)]
    return score_refexp(images, annotations, predictions[::-1])["refcoco"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("dog [100, 100, 200, 200].", (1, 1, 1), id="right"),
        pytest.param("cat [100, 100, 200, 200].", (1, 1, 1), id="right_box_of_another_phrase"),
        pytest.param("dog [500, 500, 600, 600]. dog [100, 100, 200, 200].", (0, 0, 1), id="second_is_right"),
        pytest.param("dog [80, 80, 180, 180]. dog [120, 120, 220, 220].", (0, 1, 0), id="right_on_average"),
        pytest.param("I do not know.", (0, 0, 0), id="no_box"),
        pytest.param("dog [100, 100, 200, 200]. dog [x].", (0, 0, 0), id="one_bracket_spoils_all"),
    ],
)
def test_one_expression(text, expected):
    assert tuple(scores(text).values()) == expected


def test_scores_are_shares_and_are_reported_without_ranks():
    own = scores("dog [100, 100, 200, 200].", "no", "dog [500, 500, 600, 600]. dog [100, 100, 200, 200].")
    assert own == {1: 1 / 3, "mean": 1 / 3, "upper bound": 2 / 3}
    assert reported_refexp({"refcoco": {1: 0.5, "mean": 0.25, "upper bound": 1.0}}) == {"refcoco": [0.25, 0.5, 1.0]}


def test_three_numbers_stop_the_evaluation():
    with pytest.raises(IndexError, match="out of range"):
        scores("dog [1, 2, 3]")


def test_annotations_have_to_go_with_their_images():
    with pytest.raises(ValueError, match="expected one of image 0 at this position, got one of image 7"):
        score_refexp([image(0)], [{"image_id": 7, "bbox": (0, 0, 1, 1)}], [{"image_id": 0, "text": ""}])


RECORD = {"width": 484, "height": 100, "sample_point": [121.9, 50.2], "bbox_norm": [0.25, 0.1, 0.5, 0.999]}


@pytest.mark.parametrize(
    ("form", "place", "pixels"),
    [
        pytest.param("point", "[251, 502]", 121, id="point"),
        pytest.param("box", "[250, 100, 500, 999]", (242 - 121 + 1) * (99 - 10 + 1), id="box"),
    ],
)
def test_lvis_question(form, place, pixels):
    question, mask = lvis_question(RECORD, form)
    assert question == f"Is the object {place} <region_fea> of the image a <obj1> or a <obj2>?"
    assert mask.sum() == pixels
    assert with_names(question, "cow", "horse", 0).endswith("a cow or a horse?")
    assert with_names(question, "cow", "horse", 1).endswith("a horse or a cow?")


def test_lvis_free_shape():
    shape = np.tri(40, dtype=bool)
    record = {"width": 40, "height": 40, "free_shape_bbox_raw": [0, 0, 9, 9]}
    question, mask = lvis_question(record, "free_shape", shape)
    assert "[0, 0, 225, 225] <region_fea>" in question
    assert np.array_equal(np.argwhere(mask), np.argwhere(np.tri(10, dtype=bool)))


def test_gpt4_question():
    question, masks = gpt4_question("What is [0.12, 0.2055, 0.5, 0.999]?", (500, 333))
    assert question == "What is [120, 205, 500, 999] <region_fea>?"
    assert [mask.sum() for mask in masks] == [(250 - 60 + 1) * (332 - 68 + 1)]


@pytest.mark.parametrize(
    ("mode", "coordinates", "pixels"),
    [
        pytest.param("Point", "[120, 220]", 121, id="point"),
        pytest.param("Box", "[100, 200, 150, 220]", 6 * 2, id="box"),
        pytest.param("Sketch", "[100, 200, 150, 220]", 11, id="sketch"),
    ],
)
def test_painted_region(mode, coordinates, pixels):
    painted = np.zeros((100, 50), dtype=bool)
    painted[10:16, 10:12] = True
    painted[15, 10] = False
    text, mask = painted_region(painted, mode)
    assert (text, mask.sum()) == (coordinates, pixels)


def test_demo_question_keeps_what_it_does_not_know():
    text, order = demo_question("[region0] [region7] [region1] [region0]", ["[1, 2]", "[3, 4]"])
    assert re.sub("<region_fea>", "*", text) == "[1, 2] * [region7] [3, 4] * [1, 2] *"
    assert order == [0, 1, 0]
