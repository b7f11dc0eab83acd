"""GranD-f's four forms in the official layout: phrases placed by the file or found, masks joined."""

import re

import numpy as np
import pytest

from deixis.datasets.grounding.grand_f import GRAND_F
from deixis.datasets.plain_questions import plain_samples
from deixis.geometry import mask_to_rle, rle_to_mask
from tests.datasets.reading import read_all, write_json, write_picture


def mask(x1, y1, x2, y2):
    made = np.zeros((40, 60), dtype=bool)
    made[y1:y2, x1:x2] = True
    return made


DOG, LEFT, RIGHT = mask(10, 10, 30, 20), mask(0, 0, 5, 5), mask(50, 0, 60, 5)
CAPTION = '" A dog lies between two men. "'


def grounding(span, *masks):
    return {"token_positives": span, "rle_masks": [mask_to_rle(made) for made in masks]}


def gcg(**groundings):
    return {"file_name": "sa_10.jpg", "image_id": "sa_10", "caption": CAPTION, "groundings": groundings}


GOOD = {"A dog": grounding([0, 5], DOG), "two men": grounding([19, 26], LEFT, RIGHT)}


def test_refuses_a_folder_with_files_for_scoring_only(tmp_path):
    write_json(tmp_path / "val_gcg_coco_mask_gt.json", {"images": []})
    with pytest.raises(ValueError, match=re.escape("expected GranD-f's files of captions (*_GCG_*.json), got none")):
        read_all(GRAND_F, tmp_path)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        pytest.param(3, "segmentation: expected polygons or run lengths, got None", id="no_grounding"),
        pytest.param(grounding([0], DOG), "token_positives: expected [start, end], got [0]", id="one_end"),
        pytest.param(grounding([0, 90], DOG), "token_positives: expected a part of the caption", id="behind"),
        pytest.param(grounding([0, 5]), "segmentation: expected polygons or run lengths, got []", id="no_mask"),
        pytest.param({"token_positives": [0, 5], "rle_masks": [mask_to_rle(DOG), "ab"]},
                     "segmentation: expected run lengths, as the first mask has, got 'ab'", id="text_for_a_mask"),
        pytest.param(grounding([0, 5], np.zeros((40, 60), bool)), "segmentation: expected at least one pixel",
                     id="empty"),
        pytest.param(grounding([0, 5], np.ones((9, 9), bool)), "segmentation: expected the image's size [40, 60]",
                     id="another_size"),
    ],
)  # fmt: skip
def test_one_bad_phrase_is_counted_and_the_rest_is_read(tmp_path, bad, why):
    write_json(tmp_path / "GranDf_HA_GCG_train.json", [gcg(**GOOD, bad=bad)])
    (record,), (skipped,) = read_all(GRAND_F, tmp_path)
    assert len(record.objects) == 2
    assert skipped.where == "GranDf_HA_GCG_train.json: [0].groundings['bad']"
    assert skipped.why.startswith(why)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param([], "expected an image with a caption, got []", id="list"),
        pytest.param({"file_name": "a.jpg"}, "expected an image with a caption, got {", id="no_caption"),
        pytest.param({**gcg(), "groundings": 3}, "groundings: expected phrases with their masks, got 3",
                     id="groundings"),
        pytest.param({**gcg(**GOOD), "file_name": None}, "file_name: expected the name of an image, got null",
                     id="name"),
        pytest.param(gcg(), "expected the image, whose size the set does not tell, got no such file", id="no_size"),
        pytest.param(gcg(a={"token_positives": [0, 5], "rle_masks": [{"size": [40, 60], "counts": "x"}]}),
                     "expected a phrase with a mask, got none to use", id="no_phrase_to_use"),
    ],
)  # fmt: skip
def test_a_caption_that_cannot_be_used_is_skipped(tmp_path, record, why):
    write_json(tmp_path / "GranDf_HA_GCG_train.json", [record, gcg(**GOOD)])
    records, skipped = read_all(GRAND_F, tmp_path)
    assert [found.id for found in records] == ["grand_f/GranDf_HA_GCG_train/1"]
    assert why in skipped[-1].why


@pytest.mark.parametrize(
    ("file", "author", "split"),
    [
        pytest.param("GranDf_HA_GCG_train.json", "person", "train", id="by_people"),
        pytest.param("OpenPsgGCG_val.json", "model", "val", id="by_a_model"),
    ],
)
def test_phrases_with_places(tmp_path, file, author, split):
    write_json(tmp_path / file, [gcg(**GOOD)])
    (record,), skipped = read_all(GRAND_F, tmp_path / file)
    assert not skipped
    assert record.captions == ("[A dog]{0} lies between [two men]{1}.",)
    assert [obj.name for obj in record.objects] == ["dog", "two men"]
    assert [obj.region.box for obj in record.objects] == [(10, 10, 30, 20), (0, 0, 60, 5)]
    assert np.array_equal(rle_to_mask(record.objects[1].region.mask), LEFT | RIGHT)
    assert (record.author, record.split, record.form, record.complete) == (author, split, "mask", False)
    assert (record.signals[0].id, record.signals[0].size_hw) == ("sa1b/sa_10", (40, 60))
    caption = next(sample for sample in plain_samples(record) if sample.task == "caption")
    assert caption.turns[0].assistant == "[A dog]{0} lies between [two men]{1}."


def test_images_lie_in_the_folders_of_their_sets(tmp_path):
    write_json(tmp_path / "OpenPsgGCG_train.json", [{**gcg(**GOOD), "file_name": "000000000139.jpg"}])
    write_picture(tmp_path / "data/coco_2017/train2017/000000000139.jpg", np.zeros((40, 60, 3), np.uint8))
    (record,), _ = read_all(GRAND_F, tmp_path / "OpenPsgGCG_train.json", images=tmp_path / "data")
    assert record.signals[0].id == "coco/000000000139"
    assert record.signals[0].path == str(tmp_path / "data/coco_2017/train2017/000000000139.jpg")


def test_refcocog_finds_its_sentences_in_the_caption(tmp_path):
    refs = [
        {"sentence": "a dog", "segmentation": [[10, 10, 30, 10, 30, 20, 10, 20]]},
        {"sentence": "a bird ", "segmentation": [[0, 0, 5, 0, 5, 5, 0, 5]]},
        {"sentence": "bad", "segmentation": []},
    ]
    name = "COCO_train2014_000000000139.jpg"
    write_json(
        tmp_path / "RefCOCOg_GCG_train.json", [{"17": {"img_file_name": name, "caption": CAPTION, "refs": refs}}]
    )
    write_picture(tmp_path / "coco_2014/train2014" / name, np.zeros((40, 60, 3), np.uint8))
    (record,), (skipped,) = read_all(GRAND_F, tmp_path / "RefCOCOg_GCG_train.json", images=tmp_path)
    assert skipped.where == "RefCOCOg_GCG_train.json: [0].refs[2]"
    assert record.captions == ("[A dog]{0} lies between two men.",)
    assert [(said.text, said.objects, said.unique) for said in record.expressions] == [
        ("a dog", (0,), True), ("a bird", (1,), True)
    ]  # fmt: skip
    assert [obj.name for obj in record.objects] == ["", ""]
    assert np.array_equal(rle_to_mask(record.objects[0].region.mask), DOG)
    assert record.signals[0].id == "coco/000000000139"


def test_flickr_is_in_mdetrs_form(tmp_path):
    image = {"id": 4, "file_name": "1007129816.jpg", "height": 40, "width": 60, "caption": "A dog lies."}
    made = {"id": 1, "image_id": 4, "bbox": [10, 10, 20, 10], "area": 200, "tokens_positive": [[0, 5]],
            "sam_mask": mask_to_rle(DOG)}  # fmt: skip
    write_json(tmp_path / "flickr_mergedGT_GCG_val.json", {"images": [image], "annotations": [made], "categories": []})
    (tmp_path / "flikcr_30k/train").mkdir(parents=True)
    (record,), skipped = read_all(GRAND_F, tmp_path)
    assert not skipped
    assert (record.id, record.source, record.split) == ("grand_f/flickr_mergedGT_GCG_val/4", "grand_f", "val")
    assert record.captions == ("[A dog]{0} lies.",)
    assert np.array_equal(rle_to_mask(record.objects[0].region.mask), DOG)
    assert record.signals[0].id == "flickr/1007129816"
    assert record.signals[0].path == str(tmp_path / "flikcr_30k/train/1007129816.jpg")
