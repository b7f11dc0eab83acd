"""Objects365: names of a person's spelling, paths of both versions, and what counts neither way."""

import numpy as np
import pytest

from deixis.datasets.detection.coco_variants import OBJECTS365, split_category
from tests.datasets.reading import read_all, write_json, write_picture

BOX = {
    "image_id": 7,
    "category_id": 13,
    "bbox": [1.5, 1, 3, 2],
    "area": 6.0,
    "iscrowd": 0,
    "isfake": 0,
    "isreflected": 0,
}
FILE = "images/v2/patch50/objects365_v2_00908726.jpg"


def objects365(*annotations: dict, file_name: str = FILE) -> dict:
    image = {"id": 7, "file_name": file_name, "height": 4, "width": 6, "license": 5, "url": "http://a/b.jpg"}
    return {"images": [image], "annotations": list(annotations), "categories": [{"id": 13, "name": "Cabinet/shelf"}]}


@pytest.mark.parametrize(
    ("name", "expected", "synonyms"),
    [
        pytest.param("Traffic Light", "traffic light", (), id="capitals"),
        pytest.param("Cabinet/shelf", "cabinet", ("shelf",), id="two_names"),
        pytest.param("Moniter/TV", "monitor", ("TV",), id="slip"),
        pytest.param("SUV", "SUV", (), id="letters"),
        pytest.param("Washing Machine/Drying Machine", "washing machine", ("drying machine",), id="words"),
    ],
)
def test_names(name, expected, synonyms):
    obj = split_category({"name": name})
    assert (obj.name, obj.synonyms) == (expected, synonyms)


def test_a_set(tmp_path):
    more = [{"isfake": 1}, {"isreflected": 1}, {"iscrowd": 1}, {"bbox": [9, 9, 1, 1]}]
    path = write_json(tmp_path / "zhiyuan_objv2_val.json", objects365(BOX, *({**BOX, **change} for change in more)))
    (record,), (skipped,) = read_all(OBJECTS365, path)
    assert (record.source, record.split, record.form) == ("objects365", "val", "box")
    assert record.objects[0].region.box == (1.5, 1.0, 4.5, 3.0)
    flags = [(obj.region.ignore, obj.region.crowd) for obj in record.objects]
    assert flags == [(False, False), (True, False), (True, False), (False, True)]
    assert skipped.where == "zhiyuan_objv2_val.json: annotations[4]"


@pytest.mark.parametrize(
    ("file_name", "lies_at"),
    [
        pytest.param(FILE, FILE, id="as_in_the_file"),
        pytest.param(FILE, "train/v2/patch50/objects365_v2_00908726.jpg", id="by_version"),
        pytest.param(FILE, "train/patch50/objects365_v2_00908726.jpg", id="by_patch"),
        pytest.param(FILE, "images/train/patch50/objects365_v2_00908726.jpg", id="images_by_patch"),
        pytest.param("obj365_train_000000000077.jpg", "train/obj365_train_000000000077.jpg", id="version_1"),
    ],
)
def test_images_are_found(tmp_path, file_name, lies_at):
    write_picture(tmp_path / lies_at, np.zeros((4, 6, 3), dtype=np.uint8))
    path = write_json(tmp_path / "annotations" / "zhiyuan_objv2_train.json", objects365(BOX, file_name=file_name))
    for images in (None, tmp_path):
        (record,), skipped = read_all(OBJECTS365, path, images=images)
        assert record.signals[0].path == str(tmp_path / lies_at)
        assert not skipped
