"""Sets of parts: the owner of each part, attributes, and PASCAL's images in the folders of its archives."""

import numpy as np
import pytest

from deixis.datasets.detection.coco_variants import PACO_LVIS, PASCAL_PART
from tests.datasets.reading import read_all, write_json, write_picture

CATEGORIES = [
    {"id": 1, "name": "mouse_(computer_equipment)", "supercategory": "OBJECT"},
    {"id": 2, "name": "mouse_(computer_equipment):left_button", "supercategory": "PART"},
    {"id": 3, "name": "mug", "supercategory": "OBJECT"},
    {"id": 4, "name": "mug:handle", "supercategory": "PART"},
]
IMAGE = {"id": 9, "file_name": "train2017/000000000009.jpg", "height": 4, "width": 6, "neg_category_ids": [3, 4],
         "not_exhaustive_category_ids": []}  # fmt: skip
THING = {"id": 1, "image_id": 9, "category_id": 1, "bbox": [0, 0, 6, 4],
         "segmentation": {"size": [4, 6], "counts": "0h0"},
         "attribute_ids": [0, 55], "dom_color_ids": [0], "obj_ann_id": 1, "unknown_color": 0}  # fmt: skip
ATTRIBUTES = [{"id": 0, "name": "black"}, {"id": 55, "name": "light_blue"}]


def test_paco(tmp_path):
    part = {**THING, "id": 2, "category_id": 2, "bbox": [1, 1, 3, 2], "attribute_ids": [], "obj_ann_id": 1}
    content = {"images": [IMAGE], "annotations": [THING, part], "categories": CATEGORIES, "attributes": ATTRIBUTES}
    (record,), skipped = read_all(PACO_LVIS, write_json(tmp_path / "paco_lvis_v1_train.json", content))
    assert not skipped
    assert (record.id, record.signals[0].id) == ("paco_lvis/000000000009", "coco/000000000009")
    whole, part = record.objects
    assert (whole.name, whole.part_of, whole.attributes) == ("mouse", None, ("black", "light blue"))
    assert (part.name, part.part_of, part.attributes) == ("left button", "mouse", ())
    assert (record.absent, record.form) == (("mug", "handle of a mug"), "mask")  # another object may have a handle


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param("JPEGImages", id="pictures"),
        pytest.param("VOC2010/JPEGImages", id="year"),
        pytest.param("VOCdevkit/VOC2010/JPEGImages", id="development_kit"),
    ],
)
def test_pascal_part(tmp_path, folder):
    write_picture(tmp_path / folder / "2008_000002.jpg", np.zeros((4, 6, 3), dtype=np.uint8))
    content = {
        "images": [{"id": 1, "file_name": "2008_000002.jpg", "height": 4, "width": 6}],
        "annotations": [{**THING, "image_id": 1, "category_id": number} for number in (1, 2)],
        "categories": [{"id": 1, "name": "potted plant:pot"}, {"id": 2, "name": "dog"}],
    }
    path = write_json(tmp_path / "train.json", content)
    (record,), (skipped,) = read_all(PASCAL_PART, path)
    assert (record.id, record.signals[0].id) == ("pascal_part/2008_000002", "voc/2008_000002")
    assert record.signals[0].path == str(tmp_path / folder / "2008_000002.jpg")
    assert [(obj.name, obj.part_of) for obj in record.objects] == [("pot", "potted plant")]
    assert skipped.why == "category_id: expected a category 'object:part', got 'dog': is this the set?"
