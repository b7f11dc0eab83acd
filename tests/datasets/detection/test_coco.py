"""COCO's format: refused and counted records, the places of images, and masks equal to those of COCO's own API."""

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from deixis.datasets.detection.coco import COCO
from deixis.geometry import rle_to_mask
from tests.datasets.reading import read_all, write_json, write_picture

SQUARE = [[1, 1, 4, 1, 4, 3, 1, 3]]
BOX = [1, 1, 3, 2]
THING = {"id": 1, "image_id": 5, "category_id": 2, "bbox": BOX, "segmentation": SQUARE, "iscrowd": 0}
IMAGE = {"id": 5, "file_name": "five.jpg", "height": 4, "width": 6}
CATEGORIES = [{"id": 2, "name": "traffic_light"}, {"id": 3, "name": "dog"}]


def coco(*annotations: dict, images=(IMAGE,), **more) -> dict:
    return {"images": list(images), "annotations": list(annotations), "categories": CATEGORIES, **more}


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        pytest.param({"category_id": 9}, "category_id: expected the id of one of the categories, got 9", id="category"),
        pytest.param({"category_id": None}, "the id of one of the categories, got null", id="no_category"),
        pytest.param({"bbox": None, "segmentation": []}, "expected a bbox or a segmentation, got neither",
                     id="nowhere"),
        pytest.param({"bbox": [6, 1, 2, 2], "segmentation": [[1, 1]]},
                     "got [6, 1, 2, 2]; segmentation: expected at least one pixel of the image, got none",
                     id="neither_is_sound"),
        pytest.param({"bbox": None, "segmentation": [[]]}, "expected at least one pixel", id="bad_mask_alone"),
    ],
)  # fmt: skip
def test_a_bad_annotation_is_named_and_the_rest_is_read(tmp_path, annotation, message):
    path = write_json(tmp_path / "annotations.json", coco(THING, {**THING, "id": 2, **annotation}))
    (record,), (skipped,) = read_all(COCO, path)
    assert len(record.objects) == 1
    assert skipped.where == "annotations.json: annotations[1]"
    assert message in skipped.why
    # another traffic light is there, or any object at all
    assert (record.vague, record.complete) == (
        ((), False) if "category_id" in annotation else (("traffic light",), True)
    )


@pytest.mark.parametrize(
    ("annotation", "used", "message"),
    [
        pytest.param({"segmentation": [[1, 1, 2]]}, "box", "segmentation: expected a polygon", id="odd_polygon"),
        pytest.param({"segmentation": [[5, 5]]}, "box", "segmentation: expected at least one pixel", id="one_corner"),
        pytest.param({"segmentation": [[]]}, "box", "segmentation: expected at least one pixel", id="empty_polygon"),
        pytest.param({"segmentation": [[1.1, 1.1, 1.3, 1.1, 1.3, 1.3, 1.1, 1.3]]}, "box",
                     "segmentation: expected at least one pixel", id="within_a_pixel"),
        pytest.param({"segmentation": [[1, 1, 3, 1, 2, 1]]}, "box", "segmentation: expected at least one pixel",
                     id="flat_polygon"),
        pytest.param({"segmentation": {"size": [6, 4], "counts": [0, 24]}}, "box", "the image's size [4, 6]",
                     id="mask_of_another_size"),
        pytest.param({"bbox": [0, 0, 0, 0]}, "mask", "bbox: expected a box with an area", id="empty_box"),
        pytest.param({"bbox": [1, 1, 3]}, "mask", "bbox: expected four numbers x, y, width, height", id="three"),
        pytest.param({"bbox": [6, 1, 2, 2]}, "mask", "on the image of 6 x 4 pixels, got [6, 1, 2, 2]", id="off_image"),
    ],
)  # fmt: skip
def test_of_box_and_mask_the_sound_one_is_used(tmp_path, annotation, used, message):
    path = write_json(tmp_path / "annotations.json", coco(THING | annotation))
    (record,), (skipped,) = read_all(COCO, path)
    region = record.objects[0].region
    assert (region.box, region.mask is not None) == ((1.0, 1.0, 4.0, 3.0), used == "mask")
    assert message in skipped.why
    assert skipped.why.endswith(f"; the {used} is used alone")
    assert (record.vague, record.complete) == ((), True)


@pytest.mark.parametrize(
    ("value", "is_crowd"),
    [
        (0, False),
        ("0", False),
        ("perhaps", True),
        (False, False),
        (None, False),
        (0.0, False),
        (1, True),
        ("1", True),
        (True, True),
    ],
)
def test_a_crowd_is_what_says_so_in_numbers_or_words(tmp_path, value, is_crowd):
    (record,), _ = read_all(COCO, write_json(tmp_path / "train.json", coco({**THING, "iscrowd": value})))
    assert record.objects[0].region.crowd is is_crowd


@pytest.mark.parametrize("kind", [int, float, str])
def test_ids_are_the_same_as_numbers_with_or_without_a_fraction_and_as_text(tmp_path, kind):
    thing = {**THING, "image_id": kind(5), "category_id": kind(2)}
    licences = [{"id": kind(1), "name": "mine"}]
    same = {**IMAGE, "id": kind(5), "license": 1.0}
    for images, categories in (([{**IMAGE, "license": 1}], CATEGORIES), ([same], [{"id": kind(2), "name": "dog"}])):
        content = coco(thing, images=images, licenses=licences) | {"categories": categories}
        (record,), skipped = read_all(COCO, write_json(tmp_path / "train.json", content))
        assert (len(record.objects), record.licence, skipped) == (1, "mine", [])


@pytest.mark.parametrize(
    ("content", "where", "message"),
    [
        pytest.param(coco(THING, {**THING, "image_id": 6}), "annotations[1]",
                     "image_id: expected the id of one of the images, got 6", id="unmatched_image"),
        pytest.param(coco(THING, {**THING, "image_id": None}), "annotations[1]",
                     "image_id: expected the id of an image, got", id="no_image_id"),
        pytest.param(coco(THING, 3), "annotations[1]", "image_id: expected the id of an image, got 3", id="number"),
        pytest.param(coco(THING, images=[IMAGE, IMAGE]), "images[1]", "id: expected one that no other image has, got 5",
                     id="image_twice"),
        pytest.param(coco(THING, images=[IMAGE, {"file_name": "a.jpg"}]), "images[1]",
                     "id: expected the id of an image", id="image_without_id"),
        pytest.param(coco(THING, images=[IMAGE, {**IMAGE, "id": 6, "file_name": ""}]), "images[1]",
                     "images[1]: file_name: expected the name of an image", id="image_without_name"),
        pytest.param(coco(THING, images=[IMAGE, {**IMAGE, "id": 6, "width": 0}]), "images[1]",
                     "width: expected whole pixels from 1 to 100000, got 0", id="image_without_width"),
        pytest.param(coco(THING, images=[IMAGE, {"id": 6, "file_name": "a.jpg"}]), "images[1]",
                     "a.jpg: expected the image, whose size the set does not tell, got no such file", id="no_size"),
        pytest.param(coco(THING) | {"categories": [*CATEGORIES, {"id": 4}]}, "categories[2]",
                     "expected a category with an id and a name", id="category_without_name"),
        pytest.param(coco(THING) | {"categories": [*CATEGORIES, CATEGORIES[0]]}, "categories[2]",
                     "id: expected one that none of the categories before has, got 2", id="category_twice"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_counted(tmp_path, content, where, message):
    (record,), (skipped,) = read_all(COCO, write_json(tmp_path / "train.json", content))
    assert len(record.objects) == 1
    assert skipped.where == f"train.json: {where}"
    assert message in skipped.why


@pytest.mark.parametrize(
    ("stray", "vague", "complete"),
    [
        pytest.param({"category_id": 3}, ("dog",), True, id="of_a_category"),
        pytest.param({"category_id": 9}, (), False, id="of_an_unknown_one"),
        pytest.param({"category_id": 3, "image_id": 77}, (), True, id="of_an_image_that_is_not_in_the_file"),
    ],
)
def test_an_annotation_without_an_image_may_be_of_any(tmp_path, stray, vague, complete):
    """In no image of the file is its category surely absent, or all of it annotated."""
    images = [IMAGE, {**IMAGE, "id": 6, "file_name": "six.jpg"}]
    content = coco(THING, {**THING, "image_id": 6}, {"bbox": BOX, **stray}, images=images)
    records, (skipped,) = read_all(COCO, write_json(tmp_path / "train.json", content))
    assert [(record.vague, record.complete) for record in records] == [(vague, complete)] * 2
    assert ("as it may be of any image" in skipped.why) == ("image_id" not in stray)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        pytest.param("[1, 2", {}, "train.json: expected JSON", id="no_json"),
        pytest.param("{}", {}, "train.json: expected a list 'images' as in COCO's files, got none", id="no_images"),
        pytest.param(json.dumps(coco(THING)), {"form": "polygon"}, "form: expected one of box, mask, got 'polygon'",
                     id="form"),
        pytest.param(json.dumps(coco(THING)), {"captions": "beside"}, "captions: expected a JSON file of captions",
                     id="no_captions"),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_refused(tmp_path, content, options, message):
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(COCO, tmp_path / "train.json", options=options)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    content = json.dumps(coco(THING) | {"categories": [{"id": 2, "name": "朋友"}]}, ensure_ascii=False)
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    (tmp_path / "train.json").write_bytes((mark + content).encode(encoding))
    (record,), skipped = read_all(COCO, tmp_path / "train.json")
    assert ([obj.name for obj in record.objects], skipped) == (["朋友"], [])


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a COCO JSON file, or a folder with some in it"):
        read_all(COCO, tmp_path)


def test_an_annotation_in_every_field(tmp_path):
    licences = [{"id": 1, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"}]
    image = {**IMAGE, "license": 1, "flickr_url": "http://farm8.staticflickr.com/7015/6795644157_f019453ae7_z.jpg"}
    crowd = {**THING, "id": 2, "iscrowd": 1, "category_id": 3, "segmentation": {"size": [4, 6], "counts": [4, 4, 16]}}
    content = coco(THING, crowd, images=[image], licenses=licences)
    backwards = dict(reversed(content.items()))  # fields about all images may come last or first
    for number, order in enumerate((content, backwards)):
        path = write_json(tmp_path / f"set{number}" / "instances_val2017.json", order)
        (record,), skipped = read_all(COCO, path, options={"source": "nuts"})
        assert not skipped
        assert (record.id, record.source, record.split, record.form) == ("nuts/five.jpg", "nuts", "val", "mask")
        assert (record.licence, record.aliases, record.complete) == ("CC-BY-2.0", ("flickr/6795644157",), True)
        light, dog = record.objects
        assert (light.name, light.region.box, light.region.crowd) == ("traffic light", (1.0, 1.0, 4.0, 3.0), False)
        assert (dog.name, dog.region.crowd) == ("dog", True)
        assert rle_to_mask(dog.region.mask)[:, 1].all()
        assert rle_to_mask(dog.region.mask).sum() == 4


def test_boxes_alone_and_masks_alone(tmp_path):
    box_alone = {key: THING[key] for key in ("image_id", "category_id", "bbox")}
    mask_alone = {key: THING[key] for key in ("image_id", "category_id", "segmentation")}
    path = write_json(tmp_path / "train.json", coco(box_alone, mask_alone))
    (record,), skipped = read_all(COCO, path)
    assert [obj.region.box for obj in record.objects] == [(1.0, 1.0, 4.0, 3.0)] * 2
    assert [obj.region.mask is None for obj in record.objects] == [True, False]
    assert (record.form, skipped) == ("box", [])
    (record,), (skipped,) = read_all(COCO, path, options={"form": "mask"})
    assert (record.form, len(record.objects)) == ("mask", 1)
    assert "segmentation: expected one, as masks are asked for (form=mask), got none" in skipped.why


def test_captions_of_the_file_beside(tmp_path):
    write_json(tmp_path / "annotations" / "instances_train2017.json", coco(THING))
    captions = [{"image_id": 5, "caption": "A {red}\nlight. "}, {"image_id": 5, "caption": ""}, {"caption": "A dog."}]
    write_json(tmp_path / "annotations" / "captions_train2017.json", {"images": [IMAGE], "annotations": captions})
    (record,), skipped = read_all(COCO, tmp_path, options={"captions": "beside"})
    assert record.captions == ("A {{red}} light.",)
    assert [skip.where for skip in skipped] == [f"captions_train2017.json: annotations[{n}]" for n in (2, 1)]
    assert read_all(COCO, tmp_path)[0][0].captions == ()


def test_a_folder_of_splits(tmp_path):
    """Both files count from the same number, both folders have an image of the same name: they are not confused."""
    for split, name in (("train", "dog"), ("val", "cat")):
        content = coco({**THING, "category_id": 2}) | {"categories": [{"id": 2, "name": name}]}
        write_json(tmp_path / "annotations" / f"instances_{split}2017.json", content)
        write_json(tmp_path / "annotations" / f"person_keypoints_{split}2017.json", content)
        write_picture(tmp_path / f"{split}2017" / "five.jpg", np.zeros((4, 6, 3), dtype=np.uint8))
    records, skipped = read_all(COCO, tmp_path)
    read = {record.split: (record.objects[0].name, Path(record.signals[0].path).parent.name) for record in records}
    assert read == {"train": ("dog", "train2017"), "val": ("cat", "val2017")}
    assert not skipped
    assert [record.objects[0].name for record in read_all(COCO, tmp_path, split="val")[0]] == ["cat"]


@pytest.mark.parametrize(
    ("lies_at", "image"),
    [
        pytest.param("five.jpg", {}, id="beside"),
        pytest.param("images/five.jpg", {}, id="images"),
        pytest.param("images/train2017/five.jpg", {}, id="images_of_the_split"),
        pytest.param("day/five.jpg", {"file_name": "day\\five.jpg"}, id="backslash"),
        pytest.param("images/five.jpg", {"file_name": "/data/someone/five.jpg"}, id="path_of_another_machine"),
        pytest.param("images/five.jpg", {"file_name": "../data/five.jpg"}, id="leads_away"),
        pytest.param("val2017/000000000139.jpg",
                     {"file_name": None, "coco_url": "http://images.cocodataset.org/val2017/000000000139.jpg"},
                     id="address"),
    ],
)  # fmt: skip
def test_images_are_found(tmp_path, lies_at, image):
    write_picture(tmp_path / "set" / lies_at, np.zeros((4, 6, 3), dtype=np.uint8))
    content = coco(THING, images=[{**IMAGE, **image, "height": None, "width": None}])
    for where in ("set/annotations/train.json", "set/train.json", "elsewhere/train.json"):
        path = write_json(tmp_path / where, content)
        (record,), skipped = read_all(COCO, path, images=tmp_path / "set" if where[0] == "e" else None)
        assert (record.signals[0].path, record.signals[0].size_hw) == (str(tmp_path / "set" / lies_at), (4, 6))
        assert not skipped


@pytest.mark.parametrize(
    ("lies_at", "name", "is_it"),
    [
        pytest.param("set/day/five.jpg", "set/day/five.jpg", True, id="below"),
        pytest.param("set/day/five.jpg", "day/five.jpg", True, id="the_folder_itself"),
        pytest.param("set/day/five.jpg", "other/day/five.jpg", True, id="folders_above_it"),
        pytest.param("set/day/five.jpg", "night/five.jpg", False, id="a_folder_of_another_name"),
        pytest.param("set/day/five.jpg", "day/cam1/five.jpg", False, id="a_folder_below_it"),
        pytest.param("set/day/images/five.jpg", "cam1/five.jpg", False, id="a_usual_folder"),
    ],
)
def test_a_file_of_the_same_name_is_not_the_image(tmp_path, lies_at, name, is_it):
    write_picture(tmp_path / lies_at, np.zeros((4, 6, 3), dtype=np.uint8))
    path = write_json(tmp_path / "train.json", coco(THING, images=[{**IMAGE, "file_name": name}]))
    images = tmp_path if name.startswith("set") else tmp_path / "set" / "day"
    (record,), _ = read_all(COCO, path, images=images)
    assert Path(record.signals[0].path).is_file() == is_it


def test_a_size_that_the_set_does_not_tell_is_that_of_the_upright_image(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (4, 6)).save(tmp_path / "five.jpg", exif=exif)
    path = write_json(tmp_path / "train.json", coco(THING, images=[{"id": 5, "file_name": "five.jpg"}]))
    (record,), _ = read_all(COCO, path)
    assert record.signals[0].size_hw == (4, 6)


REAL = [
    pytest.param("nuts_coco/annotations.json", 10, 86, ("nuts_coco/images/0.jpg", "mask", "unknown"), id="nuts"),
    pytest.param("coco_val_sample/annotations.json", 3, 9, ("coco/000000000785", "mask", "CC-BY-2.0"), id="coco"),
    pytest.param("coco_val_sample/animalpose/test_animalpose.json", 2, 2, ("animalpose/ca110.jpeg", "box", "unknown"),
                 id="keypoints"),
    pytest.param("terrain_sahi/terrain1_coco.json", 1, 7, ("terrain_sahi/terrain1.jpg", "mask", "unknown"),
                 id="terrain"),
    pytest.param("labelme_examples/coco/annotations.json", 2, 6, ("coco/JPEGImages/2011_000003.jpg", "mask", "unknown"),
                 id="labelme_export"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # pycocotools' own decoder warns under numpy 2
@pytest.mark.parametrize(("name", "pictures", "objects", "first"), REAL)
def test_real_sets_as_the_coco_api_reads_them(shared_data, name, pictures, objects, first):
    from pycocotools.coco import COCO as Api

    records, skipped = read_all(COCO, shared_data / name)
    with contextlib.redirect_stdout(io.StringIO()):
        api = Api(str(shared_data / name))
    assert skipped == []
    assert (len(records), sum(len(record.objects) for record in records)) == (pictures, objects)
    assert (records[0].id, records[0].form, records[0].licence) == first
    for record, image in zip(records, api.loadImgs(api.getImgIds()), strict=True):
        assert Path(record.signals[0].path).is_file()
        expected = api.loadAnns(api.getAnnIds(imgIds=image["id"]))
        for obj, annotation in zip(record.objects, expected, strict=True):
            assert obj.name == api.loadCats(annotation["category_id"])[0]["name"].replace("_", " ")
            assert obj.region.box == pytest.approx(
                np.cumsum([annotation["bbox"][:2], annotation["bbox"][2:]], 0).ravel()
            )
            if annotation.get("segmentation"):
                assert np.array_equal(rle_to_mask(obj.region.mask), api.annToMask(annotation))
