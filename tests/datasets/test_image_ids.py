"""Which image a file is: never by a name without its ending or folder, and never by a pattern of its name alone."""

import json

import numpy as np
import pytest

from deixis.datasets.classification.class_folders import CLASS_FOLDERS
from deixis.datasets.detection.coco import COCO
from deixis.datasets.detection.coco_variants import LVIS
from deixis.datasets.instruction.llava import LLAVA
from deixis.datasets.segmentation.map_sets import CLASS_MAPS
from deixis.datasets.segmentation.mask_folder import MASKS
from tests.datasets.reading import read_all, write_json, write_picture

PICTURE = np.zeros((4, 6, 3), dtype=np.uint8)
ASK, TELL = {"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A mug."}


def coco_of(names, numbers=None):
    """A set of COCO's form with a box in each image."""
    numbers = numbers or range(1, len(names) + 1)
    images = [{"id": n, "file_name": name, "height": 4, "width": 6} for n, name in zip(numbers, names, strict=True)]
    boxes = [{"id": image["id"], "image_id": image["id"], "category_id": 1, "bbox": [1, 1, 2, 2]} for image in images]
    return {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "mug"}]}


def media_of(records):
    return [record.signals[0].id for record in records]


def folders(tmp_path, *names):
    for name in names:
        write_picture(tmp_path / name, PICTURE)
    return CLASS_FOLDERS, tmp_path


def coco(tmp_path, *names):
    return COCO, write_json(tmp_path / "set.json", coco_of(names))


def dialogues(tmp_path, *names):
    rows = [{"id": str(n), "image": name, "conversations": [ASK, TELL]} for n, name in enumerate(names)]
    return LLAVA, write_json(tmp_path / "list.json", rows)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        pytest.param(folders, ["cat/1.jpg", "cat/1.png"], id="class_folders"),
        pytest.param(folders, ["train/cat/1.png", "val/cat/1.png"], id="class_folders_of_splits"),
        pytest.param(coco, ["cam.jpg", "cam.png"], id="coco"),
        pytest.param(coco, ["frame.001", "frame.002"], id="coco_frames"),
        pytest.param(dialogues, ["cam.jpg", "cam.png"], id="llava"),
        pytest.param(dialogues, ["a/1.jpg", "b/1.jpg"], id="llava_folders"),
    ],
)
def test_files_that_differ_in_ending_or_folder_are_two_images(tmp_path, made, names):
    form, path = made(tmp_path, *names)
    records, skipped = read_all(form, path, options={"source": "mine"})
    assert not skipped
    assert media_of(records) == [f"mine/{name}" for name in names]
    assert len({record.id for record in records}) == 2


def test_images_of_one_name_in_the_folders_of_two_splits_are_two(tmp_path):
    for split in ("train", "val"):
        write_picture(tmp_path / split / "1.png", PICTURE)
        write_json(tmp_path / "annotations" / f"{split}.json", coco_of(["1.png"]))
    records, skipped = read_all(COCO, tmp_path, options={"source": "mine"})
    assert not skipped
    assert media_of(records) == ["mine/train/1.png", "mine/val/1.png"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param("a.png,cat\na.png,dog", "expected one file of a.png, got another", id="two_classes"),
        pytest.param("a.png,cat\na.png,cat", "beside that of labels.csv:2, which is used", id="twice"),
    ],
)
def test_a_second_label_of_a_file_is_counted(tmp_path, table, message):
    write_picture(tmp_path / "a.png", PICTURE)
    (tmp_path / "labels.csv").write_text(f"file,label\n{table}\n")
    (record,), (skipped,) = read_all(CLASS_FOLDERS, tmp_path)
    assert (record.turns[0].assistant, skipped.where) == ("cat", "labels.csv:3")
    assert message in skipped.why


def test_a_second_image_for_a_class_map_is_counted(tmp_path):
    for name in ("images/a.jpg", "images/a.png"):
        write_picture(tmp_path / name, PICTURE)
    write_picture(tmp_path / "labels" / "a.png", np.ones((4, 6), dtype=np.uint8))
    write_json(tmp_path / "classes.json", {"1": "mug"})
    (record,), (skipped,) = read_all(CLASS_MAPS, tmp_path)
    assert record.signals[0].id.endswith("/images/a.jpg")
    assert (skipped.where, skipped.why.split(",")[0]) == ("images/a.png", "expected one image of a")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("frame_000000000001.jpg", id="frame"),
        pytest.param("000000000139_1.jpg", id="crop"),
        pytest.param("IMG_202403151231.jpg", id="phone"),
        pytest.param("202403151231.jpg", id="time"),
        pytest.param("000000000001.jpg", id="no_number_that_agrees"),
    ],
)
def test_a_name_like_cocos_makes_no_image_of_coco(tmp_path, name):
    write_picture(tmp_path / "images" / name, PICTURE)
    write_picture(tmp_path / "masks" / name.replace(".jpg", "_mug.png"), np.full((4, 6), 255, dtype=np.uint8))
    write_picture(tmp_path / "classes" / "mug" / name, PICTURE)
    found = [
        read_all(CLASS_FOLDERS, tmp_path / "classes"),
        read_all(MASKS, tmp_path),
        read_all(COCO, write_json(tmp_path / "own.json", coco_of([name], [7])), images=tmp_path / "images"),
        read_all(*dialogues(tmp_path, name)),
    ]
    for records, skipped in found:
        assert not skipped
        (record,) = records
        assert record.source != "coco"
        assert record.signals[0].id.endswith(f"/{name}")


@pytest.mark.parametrize(
    ("form", "content"),
    [
        pytest.param(COCO, coco_of(["000000000139.jpg"], [139]), id="coco_by_number"),
        pytest.param(COCO, coco_of(["COCO_val2014_000000000139.jpg"], [139]), id="coco_of_2014"),
        pytest.param(LVIS, coco_of(["000000000139.jpg"], [7]), id="a_set_of_cocos_images"),
        pytest.param(
            LLAVA, [{"id": "x", "image": "coco/train2017/000000000139.jpg", "conversations": [ASK, TELL]}], id="path"
        ),
        pytest.param(
            LLAVA, [{"id": "000000000139", "image": "000000000139.jpg", "conversations": [ASK, TELL]}], id="row_number"
        ),
    ],
)
def test_what_the_set_confirms_is_cocos(tmp_path, form, content):
    (tmp_path / "set.json").write_text(json.dumps(content))
    (record,), skipped = read_all(form, tmp_path / "set.json")
    assert not skipped
    assert record.signals[0].id == "coco/000000000139"
