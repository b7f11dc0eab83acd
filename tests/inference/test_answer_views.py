"""The views of `Answer.regions`: dictionaries, COCO data sets, detections of supervision and labels of FiftyOne."""

import json
import sys

import numpy as np
import pytest

from deixis.errors import UnsupportedError
from deixis.geometry import Region, rle_to_mask
from deixis.geometry.region_json import region_from_json
from deixis.inference import Answer, AnswerPhrase
from deixis.signals import open_signal

IMAGE = open_signal(np.zeros((20, 30, 3), np.uint8))
AUDIO = open_signal((np.sin(np.arange(16_000, dtype=np.float32)), 16_000), "audio")
MASK = np.zeros((20, 30), bool)
MASK[5:9, 10:20] = True
BOX = Region(box=(1.0, 2.0, 11.0, 12.0), label="mug", phrase="A mug")
TABLE = Region(mask=MASK, score=0.8, label="table", phrase="the tables")
BELL = Region(span=(0.25, 0.5), signal=1, label="bell", phrase="a bell")
DOT = Region(point=(3.0, 4.0), label="mug", phrase="A mug")
NOTHING = Region(mask=np.zeros((20, 30), bool), label="dog", phrase="a dog")


def answer_of(*phrases, signals=(IMAGE, AUDIO)) -> Answer:
    text = " ".join(regions[0].phrase or "" for regions in phrases)
    return Answer(text, tuple(AnswerPhrase(own[0].phrase, 0, 1, own) for own in phrases), signals)


ANSWER = answer_of((BOX, DOT), (TABLE, TABLE), (BELL,), (NOTHING,))


def test_regions_are_one_sequence_in_the_order_of_the_phrases():
    assert ANSWER.regions == (BOX, DOT, TABLE, TABLE, BELL, NOTHING)
    assert [region.label for region in ANSWER.regions] == ["mug", "mug", "table", "table", "bell", "dog"]
    assert [region.signal for region in ANSWER.regions] == [0, 0, 0, 0, 1, 0]
    assert [region.phrase for region in ANSWER.phrases[1].regions] == ["the tables"] * 2


def test_views_by_form_keep_the_order():
    assert [mask.sum() for mask in ANSWER.masks] == [40, 40, 0]
    assert (ANSWER.boxes, ANSWER.spans, ANSWER.points, ANSWER.boxes3d) == ([BOX.box], [BELL.span], [], [])


def test_a_dictionary_names_regions_by_index():
    values = json.loads(json.dumps(ANSWER.to_dict()))
    assert (values["version"], [phrase["regions"] for phrase in values["phrases"]]) == (2, [[0, 1], [2, 3], [4], [5]])
    assert values["regions"][0] == {
        "signal": 0, "box": [1.0, 2.0, 11.0, 12.0], "label": "mug", "score": None, "phrase": "A mug",
    }  # fmt: skip
    assert tuple(region_from_json(item) for item in values["regions"]) == ANSWER.regions


def test_a_coco_data_set_holds_what_has_an_area_in_an_image():
    coco = json.loads(json.dumps(ANSWER.to_coco()))
    assert coco["images"] == [{"id": 0, "file_name": None, "height": 20, "width": 30}]
    assert [item["name"] for item in coco["categories"]] == ["mug", "table"]
    box, mask, _ = coco["annotations"]
    assert (box["bbox"], box["area"], box["category_id"]) == ([1.0, 2.0, 10.0, 10.0], 100.0, 1)
    assert "score" not in box  # null is no number, which readers of COCO expect
    assert (mask["bbox"], mask["area"], mask["category_id"], mask["score"]) == ([10.0, 5.0, 10.0, 4.0], 40, 2, 0.8)
    assert np.array_equal(rle_to_mask(mask["segmentation"]), MASK)
    assert [item["id"] for item in coco["annotations"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("phrases", "masks", "scores"),
    [
        pytest.param([(BOX,)], None, None, id="boxes_alone"),
        pytest.param([(BOX,), (TABLE,)], [100, 40], [np.nan, 0.8], id="box_and_mask"),
        pytest.param([(TABLE,), (DOT, BELL, NOTHING)], [40], [0.8], id="without_area_or_elsewhere"),
    ],
)
def test_detections_are_aligned(phrases, masks, scores):
    found = answer_of(*phrases).to_supervision()
    shown = [region for own in phrases for region in own if region in (BOX, TABLE)]
    assert found.data["class_name"].tolist() == [region.label for region in shown]
    assert found.data["phrase"].tolist() == [region.phrase for region in shown]
    assert found.xyxy.tolist() == [list(region.box or (10, 5, 20, 9)) for region in shown]
    assert (found.mask is None and masks is None) or found.mask.sum((1, 2)).tolist() == masks
    assert np.array_equal(found.confidence, scores, equal_nan=True) if scores else found.confidence is None
    assert found.class_id.tolist() == list(range(len(shown)))


def test_an_answer_without_regions_has_no_detections():
    empty = Answer("Nothing.", (), (IMAGE,))
    assert len(empty.to_supervision()) == 0
    assert (empty.regions, empty.to_coco()["annotations"], empty.to_dict()["regions"]) == ((), [], [])


@pytest.mark.parametrize("signal", [1, 2, -1])
def test_detections_need_an_image(signal):
    with pytest.raises(ValueError, match=rf"signal: expected the index of an image, one of \[0\], got {signal}"):
        ANSWER.to_supervision(signal)


def test_supervision_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UnsupportedError, match=r"install supervision, pip install 'deixis\[supervision\]'"):
        ANSWER.to_supervision()
