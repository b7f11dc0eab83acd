"""Ferret's own parsers and score, on adversarial texts; the expected values follow from its published code."""

import pytest

from deixis.systems.ferret.scoring import (
    box_in_pixels,
    decode_boxes,
    score_refexp,
    similar_phrases,
)

SIZE_WH = (1000, 500)


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        pytest.param("", ([], []), id="empty"),
        pytest.param("dog [1, 2, 3, 4", ([], []), id="half_a_bracket"),
        pytest.param("dog [10, 20, 30, 40].", (["dog"], [[10, 10, 30, 20]]), id="one"),
        pytest.param("dog [10, 20, 30, 40, 50].", (["dog"], [[10, 10, 30, 20]]), id="five_numbers"),
        pytest.param(
            "two dogs [1, 2, 3, 4] [5, 6, 7, 8]. cat [1, 2, 3, 4]",
            (["two dogs", "", "cat"], [[1, 1, 3, 2], [5, 3, 7, 4], [1, 1, 3, 2]]),
            id="several",
        ),
        pytest.param("a-b's cup [-9, 0, 9, 2000]", (["a-b's cup"], [[-9, 0, 9, 1000]]), id="out_of_range"),
    ],
)
def test_decoded_boxes(text, decoded):
    assert decode_boxes(text, SIZE_WH) == decoded


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        pytest.param("dog [1.5, 2, 3, 4]", ValueError, "invalid literal for int", id="fraction"),
        pytest.param("cat [] here", ValueError, "invalid literal for int", id="empty_bracket"),
        pytest.param("dog 1, 2, 3, 4]", ValueError, "invalid literal for int", id="no_opening_bracket"),
        pytest.param("dog [1, 2, 3]", IndexError, "out of range", id="three_numbers"),
    ],
)
def test_decoding_raises(text, error, message):
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


def test_scores_are_shares():
    own = scores("dog [100, 100, 200, 200].", "no", "dog [500, 500, 600, 600]. dog [100, 100, 200, 200].")
    assert own == {1: 1 / 3, "mean": 1 / 3, "upper bound": 2 / 3}


def test_three_numbers_stop_the_evaluation():
    with pytest.raises(IndexError, match="out of range"):
        scores("dog [1, 2, 3]")


def test_annotations_have_to_go_with_their_images():
    with pytest.raises(ValueError, match="expected one of image 0 at this position, got one of image 7"):
        score_refexp([image(0)], [{"image_id": 7, "bbox": (0, 0, 1, 1)}], [{"image_id": 0, "text": ""}])
