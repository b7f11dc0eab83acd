"""MDETR's files in the official layout: expressions of RefCOCO's, captions of Flickr30k, masks that others added."""

import numpy as np
import pytest

from deixis.datasets.grounding.mdetr import MDETR
from deixis.datasets.plain_questions import plain_samples
from deixis.geometry import mask_to_rle
from tests.datasets.reading import read_all, write_json

CATEGORIES = [{"id": 1, "name": "object", "supercategory": "object"}]


def entry(number, caption, dataset_name="refcoco", **other):
    named = "1007129816.jpg" if dataset_name == "flickr" else "COCO_train2014_000000000139.jpg"
    return {"id": number, "file_name": named, "height": 40, "width": 60, "caption": caption,
            "dataset_name": dataset_name, **other}  # fmt: skip


def annotation(number, image_id, bbox, tokens, **other):
    return {"id": number, "image_id": image_id, "bbox": bbox, "tokens_positive": tokens, "category_id": 1,
            "area": 1.0, "iscrowd": 0, **other}  # fmt: skip


def file(path, images, annotations):
    return write_json(path, {"info": [], "licenses": [], "images": images, "annotations": annotations,
                             "categories": CATEGORIES})  # fmt: skip


WALKS = "A man, old, walks two dogs near him."


@pytest.mark.parametrize(
    ("image", "made", "why"),
    [
        pytest.param(entry(1, WALKS, "flickr"), {"tokens_positive": 3},
                     "tokens_positive: expected a list of [start, end], got 3", id="no_list"),
        pytest.param(entry(1, WALKS, "flickr"), {"tokens_positive": [[0, 400]]},
                     "tokens_positive: expected a part of the caption, which has 36 characters", id="behind_the_end"),
        pytest.param(entry(1, WALKS, "flickr"), {"bbox": [1, 2, 3]}, "bbox: expected four numbers", id="three_numbers"),
    ],
)  # fmt: skip
def test_one_bad_annotation_is_counted_and_the_rest_is_read(tmp_path, image, made, why):
    good, bad = annotation(1, 1, [1, 1, 9, 9], [[0, 5]]), {**annotation(2, 1, [1, 1, 9, 9], [[0, 5]]), **made}
    records, skipped = read_all(MDETR, file(tmp_path / "final_x_val.json", [image], [bad, good]))
    assert [len(record.objects) for record in records] == [1]
    assert [found.where for found in skipped] == ["final_x_val.json: annotations[0]"]
    assert skipped[0].why.startswith(why)


def test_words_for_what_cannot_be_used_are_not_linked_to_the_rest_of_it(tmp_path):
    """An expression that means two things does not mean the one of them; nor does a phrase of a caption."""
    good, bad = annotation(1, 1, [1, 1, 9, 9], [[0, 5]]), annotation(2, 1, [90, 2, 3, 3], [[0, 5]])
    dogs, caption = entry(1, "the dogs"), entry(1, WALKS, "flickr")
    assert read_all(MDETR, file(tmp_path / "a_val.json", [dogs], [good, bad]))[0] == []
    (record,), (skipped,) = read_all(MDETR, file(tmp_path / "b_val.json", [caption], [good, bad]))
    assert record.captions == (WALKS,)
    assert skipped.why.startswith("bbox: expected a box with an area on the image")


@pytest.mark.parametrize(
    ("image", "why"),
    [
        pytest.param(entry(1, " "), "images[0]: caption: expected text, got ' '", id="no_caption"),
        pytest.param({**entry(1, "a"), "file_name": None}, "file_name: expected the name of an image", id="no_name"),
        pytest.param({**entry(1, "a"), "height": 0}, "height: expected whole pixels", id="no_height"),
        pytest.param(entry(2, "a dog"), "expected an annotation of what 'a dog' means, got none", id="no_annotation"),
    ],
)
def test_an_entry_that_cannot_be_used_is_skipped(tmp_path, image, why):
    records, skipped = read_all(MDETR, file(tmp_path / "a.json", [image, entry(5, "the dog")],
                                            [annotation(1, 1, [1, 1, 9, 9], [[0, 1]]),
                                             annotation(2, 5, [1, 1, 9, 9], [[0, 1]])]))  # fmt: skip
    assert [record.id for record in records] == ["refcoco/train/5"]
    assert any(why in found.why for found in skipped), skipped


@pytest.mark.parametrize(
    ("name", "dataset_name", "source", "split"),
    [
        pytest.param("finetune_refcoco_testA.json", "refcoco", "refcoco", "testA", id="refcoco"),
        pytest.param("finetune_refcoco+_val.json", "refcoco+", "refcoco_plus", "val", id="refcoco_plus"),
        pytest.param("finetune_refcocog_test.json", None, "refcocog", "test", id="by_the_files_name"),
        pytest.param("finetune_refcoco+_train_with_mask.json", None, "refcoco_plus", "train", id="ospreys"),
    ],
)
def test_an_entry_of_refcoco_is_one_expression(tmp_path, name, dataset_name, source, split):
    images = [entry(number, f"dog {number}", dataset_name) for number in (11, 12)]
    made = [annotation(number, number, [number, 5, 10, 20.5], [[0, 3]]) for number in (11, 12)]
    records, skipped = read_all(MDETR, file(tmp_path / name, images, made))
    assert not skipped
    assert [record.id for record in records] == [f"{source}/{split}/11", f"{source}/{split}/12"]
    assert [record.signals[0].id for record in records] == ["coco/000000000139"] * 2
    assert [record.expressions[0].text for record in records] == ["dog 11", "dog 12"]
    assert records[1].objects[0].region.box == (12, 5, 22, 25.5)
    (sample,) = plain_samples(records[0])
    assert sample.turns[0].assistant == "[dog 11]{0}"


def test_an_entry_of_flickr_is_a_caption_with_its_phrases(tmp_path):
    image = entry(3, WALKS, "flickr", sentence_id=1, original_img_id=1007129816, tokens_positive_eval=[[[0, 5]]])
    made = [
        annotation(1, 3, [1, 1, 9, 9], [[0, 6]]),
        annotation(2, 3, [20, 1, 9, 9], [[18, 26]]),
        annotation(3, 3, [30, 1, 9, 9], [[18, 26]]),
        annotation(4, 3, [1, 1, 9, 9], [[32, 36], [7, 10]]),
    ]
    (record,), skipped = read_all(MDETR, file(tmp_path / "final_flickr_separateGT_val.json", [image], made))
    assert not skipped
    assert (record.source, record.split, record.signals[0].id) == ("flickr30k", "val", "flickr/1007129816")
    assert record.captions == ("[A man]{0}, [old]{3}, walks [two dogs]{1,2} near [him]{3}.",)
    assert [obj.name for obj in record.objects] == ["man", "", "", "him"]  # two dogs are not two objects of that name
    assert (record.expressions, record.complete, record.form) == ((), False, "box")


def test_masks_that_others_added(tmp_path):
    mask = np.zeros((40, 60), dtype=bool)
    mask[2:4, 3:9] = True
    images = [entry(1, "the dog"), entry(2, "A dog sits.", "flickr")]
    made = [
        annotation(1, 1, [3, 2, 6, 2], [[0, 7]], segmentation=[[3, 2, 9, 2, 9, 4, 3, 4]]),
        annotation(2, 2, [3, 2, 6, 2], [[0, 5]], sam_mask=mask_to_rle(mask)),
    ]
    records, skipped = read_all(MDETR, file(tmp_path / "x_train.json", images, made))
    assert not skipped
    assert [record.form for record in records] == ["mask", "mask"]
    assert records[0].objects[0].region == records[1].objects[0].region
    assert records[1].objects[0].region.mask == mask_to_rle(mask)


def test_a_folder_of_files_numbers_each_by_itself(tmp_path):
    for split in ("val", "testB"):
        file(tmp_path / f"finetune_refcoco_{split}.json", [entry(1, split)], [annotation(1, 1, [1, 1, 5, 5], [[0, 1]])])
    records, _ = read_all(MDETR, tmp_path)
    assert sorted(record.id for record in records) == ["refcoco/testB/1", "refcoco/val/1"]
