"""Labels of FiftyOne: their values as FiftyOne documents them, and its own classes where it is installed."""

import sys

import numpy as np
import pytest

from deixis.errors import InputError, UnsupportedError
from deixis.geometry import Point, Polygon, Region, Scribble
from deixis.inference import Answer, AnswerPhrase
from deixis.inference.fiftyone_labels import label_values
from deixis.signals import open_signal

IMAGE = open_signal(np.zeros((20, 40, 3), np.uint8))
AUDIO = open_signal((np.sin(np.arange(16_000, dtype=np.float32)), 16_000), "audio")
VIDEO = open_signal((np.zeros((8, 20, 40, 3), np.uint8), 4.0), "video")  # a frame every 0.25 s
MASK = np.zeros((20, 40), bool)
MASK[5:10, 10:20] = True
MASK[5, 10] = False
BOX = Region(box=(4.0, 5.0, 12.0, 15.0), label="mug", phrase="A mug")
TABLE = Region(mask=MASK, score=0.8, label="table", phrase="the table")
NOTHING = Region(mask=np.zeros((20, 40), bool), label="dog", phrase="a dog")


def answer_of(*regions: Region, signals=(IMAGE, AUDIO, VIDEO)) -> Answer:
    return Answer("It.", (AnswerPhrase("It", 0, 2, regions),), signals)


@pytest.mark.parametrize(
    ("region", "field", "expected"),
    [
        pytest.param(BOX, "detections", {"bounding_box": [0.1, 0.25, 0.2, 0.5], "confidence": None}, id="box"),
        pytest.param(TABLE, "detections", {"bounding_box": [0.25, 0.25, 0.25, 0.25], "confidence": 0.8}, id="mask"),
        pytest.param(Point(10, 5), "keypoints", {"points": [[0.25, 0.25]], "confidence": None}, id="point"),
        pytest.param(
            Polygon([(0, 0), (40, 0), (20, 10)]),
            "polylines",
            {"points": [[[0, 0], [1, 0], [0.5, 0.5]]], "closed": True, "filled": True, "confidence": None},
            id="polygon",
        ),
        pytest.param(
            Scribble([(0, 0), (20, 10)]),
            "polylines",
            {"points": [[[0, 0], [0.5, 0.5]]], "closed": False, "filled": False, "confidence": None},
            id="scribble",
        ),
    ],
)
def test_places_are_shares_of_the_image(region, field, expected):
    fields, frames = label_values([region, NOTHING], IMAGE)
    assert not frames
    ((values,),) = [fields.pop(field)]
    assert not fields, "what is empty has no label"
    mask = values.pop("mask", None)
    assert values == {"label": region.label, "phrase": region.phrase or "", **expected}
    if region.mask is not None:
        assert np.array_equal(mask, MASK[5:10, 10:20])


@pytest.mark.parametrize(
    ("start_s", "end_s", "support"),
    [
        pytest.param(0.0, 2.0, [1, 8], id="all"),
        pytest.param(0.25, 0.75, [2, 3], id="at_frames"),
        pytest.param(0.3, 0.8, [2, 4], id="between_frames"),
        pytest.param(0.3, 0.35, [2, 2], id="within_a_frame"),
        pytest.param(1.9, 2.0, [8, 8], id="last_frame"),
    ],
)
def test_a_span_of_a_video_is_supported_by_the_frames_that_are_seen_in_it(start_s, end_s, support):
    rolling = Region(span=(start_s, end_s), label="rolling", score=0.5)
    (values,) = label_values([rolling], VIDEO)[0]["temporal_detections"]
    assert values == {"label": "rolling", "phrase": "", "support": support, "confidence": 0.5}


@pytest.mark.parametrize(
    ("region", "numbers"),
    [
        pytest.param(Region(box=BOX.box, time_s=(0.25, 0.75)), [2, 3], id="for_a_while"),
        pytest.param(BOX, list(range(1, 9)), id="always"),
        pytest.param(Point(10, 5, 1.0), [5], id="at_an_instant"),
    ],
)
def test_what_lies_in_a_video_is_in_the_frames_that_show_it(region, numbers):
    whole, frames = label_values([region], VIDEO)
    assert not whole
    assert list(frames) == numbers
    assert all(len(rows) == 1 for fields in frames.values() for rows in fields.values())


@pytest.mark.parametrize("signal", [1, 3, -1])
def test_labels_need_an_image_or_a_video(signal):
    with pytest.raises(
        InputError, match=rf"signal: expected the index of an image or video, one of \[0, 2\], got {signal}"
    ):
        answer_of(BOX).to_fiftyone(signal)


def test_fiftyone_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(UnsupportedError, match=r"install FiftyOne, pip install 'deixis\[fiftyone\]'"):
        answer_of(BOX).to_fiftyone()


@pytest.fixture(scope="module")
def fiftyone():
    return pytest.importorskip("fiftyone", reason="needs FiftyOne, pip install 'deixis[fiftyone]'")


def test_labels_are_those_of_fiftyone_and_survive_its_json(fiftyone):
    drawn = Polygon([(0, 0), (40, 0), (20, 10)])
    labels = answer_of(BOX, TABLE, Point(10, 5), drawn).to_fiftyone()
    assert labels.keys() == {"detections", "keypoints", "polylines"}
    again = {field: type(own).from_dict(own.to_dict()) for field, own in labels.items()}
    box, table = again["detections"].detections
    assert (box.label, box.phrase, box.bounding_box, box.mask) == ("mug", "A mug", [0.1, 0.25, 0.2, 0.5], None)
    assert table.confidence == 0.8
    assert np.array_equal(table.mask, MASK[5:10, 10:20])
    assert again["keypoints"].keypoints[0].points == [[0.25, 0.25]]
    assert again["polylines"].polylines[0].filled
    sample = fiftyone.Sample("scene.png")
    sample.update_fields(labels)
    assert sample.detections.detections[1].label == "table"


def test_labels_of_a_video_are_taken_by_its_sample(fiftyone):
    seen = Region(box=BOX.box, time_s=(0.25, 0.75), signal=2, label="mug")
    labels = answer_of(seen, Region(span=(0.25, 0.75), signal=2, label="rolling")).to_fiftyone(2)
    sample = fiftyone.Sample("clip.mp4")
    sample.update_fields(labels)
    assert sample.temporal_detections.detections[0].support == [2, 3]
    assert {number: frame.detections.detections[0].label for number, frame in sample.frames.items()} == {
        2: "mug",
        3: "mug",
    }
