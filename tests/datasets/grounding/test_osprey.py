"""Osprey-724K in the official layout: regions by number in questions and answers, descriptions, damaged masks."""

import numpy as np
import pytest

from deixis.datasets.grounding.osprey import OSPREY
from deixis.geometry import mask_to_rle, rle_to_mask
from tests.datasets.reading import read_all, write_json

SQUARE = {"bbox": [10, 10, 20, 10], "segmentation": [[10, 10, 30, 10, 30, 20, 10, 20]]}
TALL = {"bbox": [50, 0, 10, 40], "segmentation": mask_to_rle(np.arange(60) * np.ones((40, 1)) >= 50)}


def record(*said, annotation=(SQUARE, TALL), **other):
    turns = [{"from": "human" if n % 2 == 0 else "gpt", "value": text} for n, text in enumerate(said)]
    return {"id": 139, "file_name": "COCO_train2014_000000000139.jpg", "height": 40, "width": 60,
            "annotation": list(annotation), **({"conversations": turns} if said else {}), **other}  # fmt: skip


GOOD = record("What is <region1>?", "A dog.")


def test_refuses_a_folder_without_files(tmp_path):
    with pytest.raises(ValueError, match=r"expected osprey_conversation\.json and the like in it, got no JSON file"):
        read_all(OSPREY, tmp_path)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        pytest.param(3, "expected an object with annotation and conversations, got 3", id="number"),
        pytest.param({**GOOD, "file_name": 3}, "file_name: expected the name of an image, got 3", id="name"),
        pytest.param({**GOOD, "height": -1}, "height: expected whole pixels", id="height"),
        pytest.param({**GOOD, "annotation": []}, "annotation: expected a list of masks, got []", id="no_mask"),
        pytest.param({**GOOD, "conversations": []}, "conversations: expected a list of turns, got []", id="no_turn"),
        pytest.param(record("<region3>?", "a"), "<region3>: expected one of 2 masks, got none", id="no_such_region"),
        pytest.param(record("<region0>?", "a"), "<region0>: expected one of 2 masks, got none", id="region_0"),
        pytest.param(record("<region1>?", "a", annotation=[{"bbox": [1, 2, 3]}]),
                     "annotation[0].bbox: expected four numbers", id="three_numbers"),
        pytest.param(record("<region1>?", "a", annotation=[3]), "annotation[0]: expected bbox and segmentation, got 3",
                     id="no_annotation"),
        pytest.param(record(description=3), "description: expected a list of texts, got 3", id="description"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_used_is_skipped(tmp_path, bad, why):
    write_json(tmp_path / "osprey_conversation.json", [bad, GOOD])
    (sample,), (skipped,) = read_all(OSPREY, tmp_path)
    assert sample.id == "osprey/osprey_conversation/1"
    assert skipped.where == "osprey_conversation.json: [0]"
    assert skipped.why.startswith(why)


def test_regions_are_numbered_as_they_are_mentioned(tmp_path):
    said = ("<image>\nIs <region2> {near} <region1>?", "Yes, the tall post <region2> is.", "And now?", "The same.")
    broken = {"bbox": [1, 2, 3]}  # not mentioned, so that it does no harm
    write_json(tmp_path / "osprey_conversation.json", [record(*said, annotation=(SQUARE, TALL, broken))])
    (sample,), skipped = read_all(OSPREY, tmp_path / "osprey_conversation.json")
    assert not skipped
    assert [(turn.user, turn.assistant) for turn in sample.turns] == [
        ("Is {0} {{near}} {1}?", "Yes, [the tall post]{0} is."),
        ("And now?", "The same."),
    ]
    assert [region.box for region in sample.regions] == [(50, 0, 60, 40), (10, 10, 30, 20)]
    assert rle_to_mask(sample.regions[0].mask)[:, 50:].all()
    assert int(rle_to_mask(sample.regions[1].mask).sum()) == 200
    assert (sample.signals[0].id, sample.signals[0].size_hw) == ("coco/000000000139", (40, 60))
    assert (sample.task, sample.author, sample.split) == ("dialogue", "model", "train")


@pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param("osprey_short_form", "question", id="short"),
        pytest.param("osprey_part_level", "name", id="part"),
        pytest.param("osprey_lvis_positive_negative", "exists", id="positive_negative"),
        pytest.param("mine", "dialogue", id="other"),
    ],
)
def test_what_is_asked_is_given_by_the_file(tmp_path, name, task):
    write_json(tmp_path / f"{name}.json", [GOOD])
    (sample,), _ = read_all(OSPREY, tmp_path)
    assert (sample.task, sample.id) == (task, f"osprey/{name}/0")


def test_descriptions_are_asked_for_one_by_one(tmp_path):
    told = ["<region1>: A dog\nthat sleeps near <region2>. ", "no region", 3, "<region4>: Nothing."]
    write_json(tmp_path / "osprey_detail_description.json", [record(description=told)])
    (sample,), skipped = read_all(OSPREY, tmp_path)
    assert [found.why for found in skipped] == [
        "description[1]: expected <region2>: and a text, got 'no region'",
        "description[2]: expected <region3>: and a text, got 3",
        "description[3]: <region4>: expected one of 2 masks, got none",
    ]
    assert [(turn.user, turn.assistant) for turn in sample.turns] == [
        ("Describe {0} in detail.", "A dog\nthat sleeps near {1}.")
    ]
    assert sample.task == "describe"


def test_images_lie_by_their_number_too(tmp_path):
    write_json(tmp_path / "osprey_short_form.json", [GOOD])
    (tmp_path / "imgs").mkdir()
    (tmp_path / "imgs" / "000000000139.jpg").touch()
    (sample,), _ = read_all(OSPREY, tmp_path, images=tmp_path / "imgs")
    assert sample.signals[0].path == str(tmp_path / "imgs" / "000000000139.jpg")
