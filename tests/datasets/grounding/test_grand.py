"""GranD's records: a real one without its photo, and miniatures with masks, dense captions and what goes wrong."""

import json
import re

import numpy as np
import pytest

from deixis.datasets.grounding.grand import GRAND
from deixis.datasets.plain_questions import plain_samples
from deixis.geometry import Reference, mask_to_rle, parse_markup, rle_to_mask
from tests.datasets.reading import read_all, write_json, write_picture

MASK = np.zeros((40, 60), dtype=bool)
MASK[10:20, 10:30] = True


def obj(number, labels=("dog",), bbox=(10, 10, 30, 20), **other):
    return {"id": number, "labels": list(labels), "bbox": list(bbox), "score": 0.9, "attributes": None,
            "depth": 3.0, **other}  # fmt: skip


def record(**other):
    masked = obj(1, segmentation=mask_to_rle(MASK), segmentation_source="SAM")
    return {
        "objects": [masked],
        "floating_objects": [],
        "affordances": {},
        "landmark": {"category": "Indoor scene"},
        "relationships": {"object_ids": [], "grounding": []},
        "captions": [],
        **other,
    }


def test_refuses_a_folder_without_json(tmp_path):
    with pytest.raises(ValueError, match="expected JSON files in it, one per image, got none"):
        read_all(GRAND, tmp_path)


@pytest.mark.parametrize(
    ("bad", "where", "why"),
    [
        pytest.param({"objects": [3, *record()["objects"]]}, ".objects[0]", "expected an object with an id, got 3",
                     id="number"),
        pytest.param({"floating_objects": [obj("x")]}, ".floating_objects[0]", "expected an object with an id",
                     id="id"),
        pytest.param({"floating_objects": [obj(2, [])]}, ".floating_objects[0]",
                     "labels: expected what the object may be called, got []", id="no_label"),
        pytest.param({"floating_objects": [obj(2, bbox=(30, 2, 10, 9))]}, ".floating_objects[0]",
                     "bbox: expected a box with an area", id="reversed_box"),
        pytest.param({"floating_objects": [obj(2, bbox=(30, 2, 10, 9), segmentation={"size": [4, 4], "counts": "0"})]},
                     ".floating_objects[0]", "bbox: expected a box with an area", id="neither"),
        pytest.param({"dense_caption": {"caption": "a dog", "details": [3]}}, ".dense_caption[0]",
                     "expected a phrase with ids of objects, got 3", id="no_phrase"),
    ],
)  # fmt: skip
def test_one_bad_object_is_counted_and_the_rest_is_read(tmp_path, bad, where, why):
    write_json(tmp_path / "sa_1.json", {"sa_1.jpg": record(**bad)})
    (found,), (skipped,) = read_all(GRAND, tmp_path)
    assert len(found.objects) == 1
    assert skipped.where.endswith(where)
    assert skipped.why.startswith(why)


def test_files_that_cannot_be_read_are_counted(tmp_path):
    (tmp_path / "sa_0.json").write_text('{"sa_0.jpg": ')
    write_json(tmp_path / "sa_1.json", {"sa_1.jpg": {"objects": None}})
    write_json(tmp_path / "sa_2.json", {"sa_2.jpg": record(objects=[obj(1)])})
    write_json(tmp_path / "part_2" / "sa_3.json", {"sa_3.jpg": record()})
    (found,), skipped = read_all(GRAND, tmp_path)
    assert found.id == "grand/sa_3.jpg"
    assert [found.why.split(": ", 1)[1].split(",")[0].split(";")[0] for found in skipped] == [
        "expected JSON", "expected a list", "expected the image"
    ]  # fmt: skip


def test_names_attributes_and_captions(tmp_path):
    shoe = obj(7, ["sandal_(type_of_shoe)", "shoe"], (0, 0, 9, 9), segmentation=mask_to_rle(MASK))
    twice = {"phrase": "the dog", "tokens_positive": [9, 16], "id": 1}
    made = record(
        floating_objects=[{**shoe, "attributes": "Assistant: A worn  shoe"}],
        captions=["A dog near a shoe.", "nothing"],
        relationships={"grounding": [{"phrase": "a dog", "object_ids": [1]},
                                     {"phrase": "a shoe", "object_ids": [7, 99]},
                                     {"phrase": "a bird", "object_ids": [1]}]},
        short_captions=[{"caption": "the dog, the dog", "details": [twice]}],
        dense_caption={"caption": "Two {things}: a shoe", "details": [
            {"phrase": "a shoe", "tokens_positive": [40, 46], "ids": [7], "bbox": [[0, 0, 9, 9]]},
            {"phrase": "two {things}", "tokens_positive": None, "ids": [1, 7], "bbox": []},
        ]},
    )  # fmt: skip
    made["objects"][0]["attributes"] = ["istant: the dog is brown"]
    write_json(tmp_path / "sa_1.json", {"sa_1.jpg": made})
    (found,), skipped = read_all(GRAND, tmp_path)
    assert not skipped
    assert [(one.name, one.synonyms) for one in found.objects] == [("dog", ()), ("sandal", ("shoe",))]
    assert [(said.text, said.objects, said.unique) for said in found.expressions] == [
        ("the dog is brown", (0,), False),
        ("A worn  shoe", (1,), False),
    ]
    assert found.captions == (
        "[A dog]{0} near [a shoe]{1}.",
        "nothing",
        "the dog, [the dog]{0}",
        "[Two {{things}}]{0,1}: [a shoe]{1}",
    )
    assert (found.form, found.complete, found.author) == ("mask", False, "model")
    assert found.signals[0].id == "sa1b/sa_1"
    assert found.signals[0].size_hw == (40, 60)
    assert np.array_equal(rle_to_mask(found.objects[0].region.mask), MASK)
    assert found.objects[0].region.box == (10, 10, 30, 20)


@pytest.mark.parametrize("level", ["level_3_dense_caption", "level_4_extra_context"])
def test_a_real_record(tmp_path, shared_data, level):
    source = shared_data / "grand_json" / level / "sa_302406.json"
    official = json.loads(source.read_text())["sa_302406.jpg"]
    write_picture(tmp_path / "sa_302406.jpg", np.zeros((1500, 2250, 3), np.uint8))
    (found,), skipped = read_all(GRAND, source, images=tmp_path)
    assert not skipped
    objects = official["objects"] + official["floating_objects"]
    cut = [np.clip(one["bbox"], 0, [2250, 1500, 2250, 1500]) for one in objects]  # some begin above the image
    assert np.allclose([one.region.box for one in found.objects], cut)
    assert all(not re.search(r"[_()]", name) for one in found.objects for name in (one.name, *one.synonyms))
    lists = [[one["attributes"]] if isinstance(one["attributes"], str) else one["attributes"] for one in objects]
    said = {(n, text.split("istant: ")[-1]) for n, texts in enumerate(lists) for text in texts or ()}
    assert {(told.objects[0], told.text) for told in found.expressions} == said
    place_of = {one["id"]: number for number, one in enumerate(objects)}
    meant = {
        piece.phrase: piece.indices
        for text in found.captions
        for piece in parse_markup(text)
        if isinstance(piece, Reference)
    }
    for grounding in official["relationships"]["grounding"]:
        if grounding["phrase"] in meant:
            assert meant[grounding["phrase"]] == tuple(place_of[one] for one in grounding["object_ids"])
    assert len(meant) >= 4
    assert "caption" in {sample.task for sample in plain_samples(found)}
