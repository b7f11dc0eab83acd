"""Class maps: the official layouts in miniature, a real folder, and what does not fit named and counted."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deixis.datasets.segmentation.map_sets import ADE20K, CLASS_MAPS, COCO_STUFF, MAPILLARY
from deixis.geometry import rle_to_mask
from tests.datasets.reading import read_all, write_json, write_picture

PICTURE = np.zeros((4, 6, 3), dtype=np.uint8)
LEFT_RIGHT = np.repeat(np.array([[1, 1, 1, 2, 2, 2]], dtype=np.uint8), 4, axis=0)
OBJECT_INFO = "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t9\t9\t1\twall\n2\t0.1\t9\t9\t0\tbuilding, edifice\n"
LABELS = "0: unlabeled\n1: person\n2: wall-brick\n3: cloud\n"


def ade20k(folder, values=LEFT_RIGHT):
    for split in ("training", "validation"):
        name = f"ADE_{split[:5]}_00000001"
        write_picture(folder / "images" / split / f"{name}.jpg", PICTURE)
        write_picture(folder / "annotations" / split / f"{name}.png", values)
    (folder / "objectInfo150.txt").write_text(OBJECT_INFO)


def coco_stuff(folder, values=LEFT_RIGHT):
    write_picture(folder / "coco" / "train2017" / "000000000139.jpg", PICTURE)
    write_picture(folder / "stuffthingmaps" / "train2017" / "000000000139.png", values)
    (folder / "stuffthingmaps" / "labels.txt").write_text(LABELS)


def mapillary(folder, values=LEFT_RIGHT, instances=None):
    write_picture(folder / "training" / "images" / "a.jpg", PICTURE)
    write_picture(folder / "training" / "v2.0" / "labels" / "a.png", values)
    if instances is not None:
        write_picture(folder / "training" / "v2.0" / "instances" / "a.png", instances.astype(np.uint16))
    labels = [("Bird", True, True), ("Car", True, True), ("Sky", False, True), ("Unlabeled", False, False)]
    labels = [dict(zip(("readable", "instances", "evaluate"), label, strict=True)) for label in labels]
    write_json(folder / "config_v2.0.json", {"version": "2.0", "labels": labels})


def any_folder(folder, values=LEFT_RIGHT):
    write_picture(folder / "images" / "a.jpg", PICTURE)
    write_picture(folder / "labels" / "a.png", values)
    write_json(folder / "classes.json", ["void", "sky", "traffic_light"])


def told(record):
    return {obj.name: (obj.region.box, obj.stuff) for obj in record.objects}


LEFT, RIGHT = (0.0, 0.0, 3.0, 4.0), (3.0, 0.0, 6.0, 4.0)


def test_ade20k_begins_at_one(tmp_path):
    ade20k(tmp_path)
    (train, val), skipped = read_all(ADE20K, tmp_path)
    assert not skipped
    assert (train.id, train.split, val.split) == ("ade20k/training/ADE_train_00000001.jpg", "train", "val")
    assert told(train) == {"wall": (LEFT, True), "building": (RIGHT, True)}
    assert (train.objects[1].synonyms, train.form) == (("edifice",), "mask")


def test_ade20k_by_the_list_that_lisa_ships(tmp_path):
    ade20k(tmp_path / "set", values=LEFT_RIGHT - 1)  # 0 is no class
    (tmp_path / "set" / "objectInfo150.txt").unlink()
    classes = write_json(tmp_path / "ade20k_classes.json", ["wall", "building"])
    for options in ({}, {"classes": str(classes)}):
        (record, _), skipped = read_all(ADE20K, tmp_path / "set", options=options)
        assert (told(record), skipped) == ({"wall": (RIGHT, True)}, [])


@pytest.mark.parametrize(
    ("dashed", "expected"),
    [
        pytest.param({}, {"cloud": (RIGHT, True)}, id="left_out"),
        pytest.param({"dashed": "keep"}, {"brick wall": (LEFT, True), "cloud": (RIGHT, True)}, id="kept"),
    ],
)
def test_coco_stuff_is_one_less_than_its_list(tmp_path, dashed, expected):
    coco_stuff(tmp_path)
    (record,), skipped = read_all(COCO_STUFF, tmp_path / "stuffthingmaps", options=dashed)
    assert not skipped
    assert (record.id, record.signals[0].id) == ("coco_stuff/000000000139", "coco/000000000139")
    assert (told(record), record.split) == (expected, "train")


def test_mapillary_without_and_with_instances(tmp_path):
    mapillary(tmp_path)
    (record,), skipped = read_all(MAPILLARY, tmp_path)
    assert (told(record), skipped) == ({"car": (LEFT, True), "sky": (RIGHT, True)}, [])
    assert record.licence == "CC-BY-NC-SA-4.0"
    instances = LEFT_RIGHT.astype(int) * 256 + np.array([[0, 0, 1, 0, 1, 1]])
    mapillary(tmp_path, instances=instances)
    (record,), skipped = read_all(MAPILLARY, tmp_path)
    assert not skipped
    found = [(obj.name, obj.region.box, obj.stuff) for obj in record.objects]
    assert found == [
        ("car", (0.0, 0.0, 2.0, 4.0), False),
        ("car", (2.0, 0.0, 3.0, 4.0), False),
        ("sky", RIGHT, True),  # not counted, whatever its numbers
    ]
    (record,), _ = read_all(MAPILLARY, tmp_path, options={"instances": "no"})
    assert told(record) == {"car": (LEFT, True), "sky": (RIGHT, True)}


@pytest.mark.parametrize(
    ("pictures", "maps", "split"),
    [
        pytest.param("images", "labels", "train", id="beside"),
        pytest.param("JPEGImages", "SegmentationClass", "train", id="voc_export"),
        pytest.param("images/val", "labels/val", "val", id="splits_below"),
        pytest.param("val/images", "val/masks", "val", id="splits_above"),
        pytest.param("test", "testannot", "test", id="camvid"),
    ],
)
def test_any_folder(tmp_path, pictures, maps, split):
    write_picture(tmp_path / pictures / "a.jpg", PICTURE)
    write_picture(tmp_path / maps / "a_L.png", LEFT_RIGHT)
    (tmp_path / "classes.txt").write_text("void\nsky\ntraffic_light\n")
    (record,), skipped = read_all(CLASS_MAPS, tmp_path, options={"source": "streets"})
    assert not skipped
    assert (told(record), record.split) == ({"sky": (LEFT, True), "traffic light": (RIGHT, True)}, split)
    assert record.id.startswith("streets/")


def test_images_elsewhere(tmp_path):
    any_folder(tmp_path / "set")
    (tmp_path / "set" / "images").rename(tmp_path / "photos")
    (record,), skipped = read_all(CLASS_MAPS, tmp_path / "set", images=tmp_path / "photos")
    assert (set(told(record)), skipped) == ({"sky", "traffic light"}, [])


def test_classes_by_colour(tmp_path):
    any_folder(tmp_path, np.where(LEFT_RIGHT[..., None] == 1, [0, 0, 200], [70, 70, 70]).astype(np.uint8))
    write_json(tmp_path / "classes.json", {"sky": [0, 0, 200], "road": [70, 70, 70]})
    (record,), skipped = read_all(CLASS_MAPS, tmp_path)
    assert (told(record), skipped) == ({"sky": (LEFT, True), "road": (RIGHT, True)}, [])
    write_json(tmp_path / "classes.json", {"sky": [0, 0, 200]})
    (record,), (skipped,) = read_all(CLASS_MAPS, tmp_path)
    assert skipped.why == "expected one of the 1 classes, got the colour 70, 70, 70 at 12 pixels"


def test_pixels_of_no_class_may_be_of_any(tmp_path):
    any_folder(tmp_path, np.where(LEFT_RIGHT == 2, 9, LEFT_RIGHT))
    (record,), (skipped,) = read_all(CLASS_MAPS, tmp_path)
    assert ([obj.name for obj in record.objects], record.complete) == (["sky"], False)
    assert "got 9 at 12 pixels" in skipped.why
    any_folder(tmp_path, np.where(LEFT_RIGHT == 2, 0, LEFT_RIGHT))  # void is no object
    assert read_all(CLASS_MAPS, tmp_path)[0][0].complete


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        pytest.param(lambda f: write_picture(f / "labels/a.png", LEFT_RIGHT + 6), "labels/a.png",
                     "expected one of the 3 classes, got 7 at 12 pixels", id="foreign_number"),
        pytest.param(lambda f: write_picture(f / "labels/a.png", LEFT_RIGHT[:3]), "images/a.jpg",
                     "labels/a.png: expected the size of its image, 6 x 4 pixels, got 6 x 3", id="size"),
        pytest.param(lambda f: (f / "images/a.jpg").unlink(), "labels/a.png",
                     "expected an image of the same name as this map, got none", id="no_picture"),
        pytest.param(lambda f: (f / "labels/a.png").unlink(), "images/a.jpg",
                     "expected a map of the same name as this image, got none", id="no_map"),
        pytest.param(lambda f: (f / "labels/a.png").write_text("no"), "images/a.jpg",
                     "'a.png': expected an image", id="no_picture_file"),
        pytest.param(lambda f: write_picture(f / "labels/a.png", np.stack([LEFT_RIGHT] * 2 + [LEFT_RIGHT * 9], -1)),
                     "images/a.jpg", "expected a number at each pixel, as the classes have numbers, got colours",
                     id="colours"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_counted(tmp_path, change, where, message):
    any_folder(tmp_path)
    change(tmp_path)
    _, skipped = read_all(CLASS_MAPS, tmp_path)
    assert skipped[0].where == where
    assert message in skipped[0].why


@pytest.mark.parametrize(
    ("form", "make", "change", "message"),
    [
        pytest.param(CLASS_MAPS, any_folder, lambda f: (f / "classes.json").unlink(),
                     "classes: expected classes.json or classes.txt in", id="no_list"),
        pytest.param(CLASS_MAPS, any_folder, lambda f: write_json(f / "classes.json", ["void", "unlabeled"]),
                     "classes: expected a class that means something", id="nothing_meant"),
        pytest.param(CLASS_MAPS, any_folder, lambda f: (f / "labels").rename(f / "x"),
                     "expected a folder of images (images/) and one of maps of them", id="no_maps"),
        pytest.param(ADE20K, ade20k, lambda f: (f / "objectInfo150.txt").unlink(),
                     "classes: expected objectInfo150.txt in", id="ade20k_no_list"),
        pytest.param(ADE20K, ade20k, lambda f: (f / "annotations").rename(f / "x"),
                     "expected the folder annotations/training/, got none", id="ade20k_no_maps"),
        pytest.param(MAPILLARY, mapillary, lambda f: (f / "config_v2.0.json").write_text("{}"),
                     "config_v2.0.json: expected Mapillary's config_v2.0.json with labels[].readable", id="mapillary"),
        pytest.param(COCO_STUFF, coco_stuff, lambda f: None,
                     "expected train2017/ or val2017/ with maps, and the folder of COCO's images", id="coco_stuff"),
    ],
)  # fmt: skip
def test_a_folder_of_another_layout_is_refused(tmp_path, form, make, change, message):
    make(tmp_path)
    change(tmp_path)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(form, tmp_path)


def test_a_real_folder(shared_data):
    folder = shared_data / "camvid_sample"
    names = {number: name.lower() for number, name in json.loads((folder / "classes.json").read_text()).items()}
    names["6"] = "sign symbol"  # "SignSymbol" in the file
    records, skipped = read_all(CLASS_MAPS, folder)
    assert (len(records), skipped) == (10, [])
    for record in records:
        values = np.asarray(Image.open(folder / "labels" / f"{Path(record.signals[0].path).stem}.png"))
        there = {names[str(number)] for number in np.unique(values).tolist()} - {"unlabelled"}
        assert {obj.name for obj in record.objects} == there
        for obj in record.objects:
            number = int(next(number for number, name in names.items() if name == obj.name))
            assert np.array_equal(rle_to_mask(obj.region.mask), values == number)
