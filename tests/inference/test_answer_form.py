"""What `want` asks for is what the regions of an answer are, whatever form the question makes the model choose."""

import numpy as np
import pytest

from deixis.geometry import Mask, Point, box_iou, mask_to_box_xyxy
from deixis.inference.answer import Answer, AnswerPhrase
from deixis.inference.answer_form import boxed
from deixis.signals import open_signal
from tests.inference.conftest import EXAMPLES
from tests.toy import toy_image

CAR_XYXY, LEAST_IOU = (270, 166, 416, 288), 0.6
CASES = [
    pytest.param("scene.png", "Where is the orange car?", "mask", ["mask"], id="box_to_mask"),
    pytest.param("scene.png", "Mark the orange car.", "mask", ["mask"], id="mask_stays"),
    pytest.param("scene.png", "Mark the orange car.", "box", ["box"], id="mask_to_box"),
    pytest.param("scene.png", "Where is the orange car?", None, ["box"], id="as_it_likes"),
    pytest.param("scene.png", "Find everything.", "mask", ["mask"] * 4, id="several"),
    pytest.param("scene.png", "Where is the red pan?", "mask", [], id="none_stays_none"),
    pytest.param("scene.png", "What colour is the car?", "mask", [], id="text_alone"),
    pytest.param("cloud.ply", "Where is the table?", "mask", ["points"], id="coordinates_of_no_cloud"),
    pytest.param("cloud.ply", "Mark the purple table.", "box", ["box3d"], id="points_to_box"),
    pytest.param("sound.wav", "When do you hear the bell?", "mask", ["span"], id="span"),
]


@pytest.mark.parametrize(("file", "question", "want", "forms"), CASES)
def test_the_regions_have_the_wanted_form(bundled, file, question, want, forms):
    answer = bundled.ask(question, EXAMPLES / file, want=want)
    assert [region.form for region in answer.regions] == forms
    if "orange car" in question:
        [region] = answer.regions
        box = region.box or mask_to_box_xyxy(region.mask_array)
        assert box_iou(np.array([box]), np.array([CAR_XYXY]))[0, 0] > LEAST_IOU
        assert (answer.text, region.phrase, region.label) == ("The orange car.", "The orange car", "orange car")


@pytest.mark.parametrize(("file", "question", "want", "forms"), CASES[:6])
def test_a_stream_ends_in_the_same_answer(bundled, file, question, want, forms):
    *events, last = bundled.stream(question, EXAMPLES / file, want=want)
    assert "".join(event.text for event in events if event.kind == "text") == last.answer.text
    assert [event.region.form for event in events if event.kind == "region"] == forms
    assert tuple(event.region for event in events if event.kind == "region") == last.answer.regions


def test_an_empty_mask_has_no_box():
    image = open_signal(toy_image())
    height, width = image.extent.size_hw
    nothing, dot = Mask([[0] * width] * height), Point(1, 2)
    answer = Answer("A mug.", (AnswerPhrase("A mug", 0, 5, (nothing, dot)),), (image,))
    assert boxed(answer).regions == (dot,)


def test_a_question_without_a_file_is_refused(bundled):
    with pytest.raises(
        ValueError, match=r"at least one file to ask about, got the question .Where is the red pan\?. alone"
    ):
        bundled.ask("Where is the red pan?")
