"""LVIS: cleaned names, absent and unannotated categories, and images found by their URL."""

import numpy as np
import pytest

from deixis.datasets.detection.coco_variants import LVIS, bare_name
from deixis.geometry import rle_to_mask
from tests.datasets.reading import read_all, write_json, write_picture

CATEGORIES = [
    {"id": 1, "name": "cup_(drink)", "synonyms": ["cup_(drink)", "coffee_mug", "cup_(for_coffee)"], "def": "a drink"},
    {"id": 2, "name": "bow_(weapon)", "synonyms": ["bow_(weapon)"], "def": "a weapon", "frequency": "r"},
    {"id": 3, "name": "bow_(decorative_ribbons)", "synonyms": ["bow_(decorative_ribbons)"], "def": "a knot"},
    {"id": 4, "name": "home_plate_(baseball)", "synonyms": ["home_plate_(baseball)"], "def": "where one stands"},
    {"id": 5, "name": "pea", "synonyms": ["pea"], "def": "green"},
]
IMAGE = {
    "id": 139,
    "coco_url": "http://images.cocodataset.org/val2017/000000000139.jpg",
    "height": 4,
    "width": 6,
    "neg_category_ids": [2, 4, 5, 99],
    "not_exhaustive_category_ids": [1, 5],
}
CUP = {"id": 1, "image_id": 139, "category_id": 1, "bbox": [1, 1, 3, 2], "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}


def lvis(*annotations: dict) -> dict:
    return {"images": [IMAGE], "annotations": list(annotations), "categories": CATEGORIES}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("cup_(drink)", "cup", id="meaning"),
        pytest.param("speaker_(stero_equipment)", "speaker", id="slip_in_the_meaning"),
        pytest.param("bow-tie", "bow-tie", id="dash"),
        pytest.param("first-aid_kit", "first-aid kit", id="underscore"),
    ],
)
def test_bare_name(name, expected):
    assert bare_name(name) == expected


def test_names_present_absent_and_open(tmp_path):
    """A bow of ribbon is there, so "bow" is not absent; nor is what may be there unmarked."""
    path = write_json(tmp_path / "lvis_v1_train.json", lvis(CUP, {**CUP, "id": 2, "category_id": 3}))
    write_picture(tmp_path / "pictures" / "val2017" / "000000000139.jpg", np.zeros((4, 6, 3), dtype=np.uint8))
    (record,), skipped = read_all(LVIS, path, images=tmp_path / "pictures")
    assert not skipped
    assert (record.id, record.source, record.split) == ("lvis/000000000139", "lvis", "train")
    assert record.signals[0].id == "coco/000000000139"  # as in every set that has this image
    assert record.signals[0].path == str(tmp_path / "pictures" / "val2017" / "000000000139.jpg")
    assert [(obj.name, obj.synonyms) for obj in record.objects] == [("cup", ("coffee mug",)), ("bow", ())]
    assert (record.absent, record.vague, record.closed) == (("home plate",), ("cup", "pea"), False)
    assert "a drink" not in repr(record)


def test_a_image_without_any_name_is_skipped(tmp_path):
    image = {key: value for key, value in IMAGE.items() if key != "coco_url"}
    records, (skipped,) = read_all(LVIS, write_json(tmp_path / "lvis_v1_val.json", lvis(CUP) | {"images": [image]}))
    assert (records, skipped.where) == ([], "lvis_v1_val.json: images[0]")
    assert "file_name: expected the name of an image" in skipped.why


@pytest.mark.filterwarnings("ignore")  # pycocotools' own decoder warns under numpy 2
def test_the_real_sample(shared_data):
    import json

    from pycocotools import mask as api

    path = shared_data / "lvis_val_sample" / "lvis_val_sample.json"
    records, skipped = read_all(LVIS, path)
    content = json.loads(path.read_text())
    images = {image["id"]: image for image in content["images"]}
    assert skipped == []
    assert (len(records), sum(len(record.objects) for record in records)) == (70, 618)
    assert len({obj.name for record in records for obj in record.objects}) == 154
    assert not any(sign in name for record in records for name in _all_names(record) for sign in "_()")
    for record in records:
        image = images[int(record.id.split("/")[1])]
        assert record.signals[0].path.endswith(f"val2017/{image['id']:012d}.jpg")
        assert not set(record.absent) & {obj.name for obj in record.objects}
        assert len(record.absent) <= len(image["neg_category_ids"])
        expected = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        for obj, annotation in zip(record.objects, expected, strict=True):
            rle = api.merge(api.frPyObjects(annotation["segmentation"], image["height"], image["width"]))
            assert np.array_equal(rle_to_mask(obj.region.mask), api.decode(rle))
    assert any(record.absent for record in records)
    assert any(record.vague for record in records)


def _all_names(record) -> set[str]:
    named = {name for obj in record.objects for name in (obj.name, *obj.synonyms)}
    return named | set(record.absent) | set(record.vague)
