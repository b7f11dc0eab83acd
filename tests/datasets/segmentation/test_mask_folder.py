"""A folder of images and masks in every common layout; files that do not fit are reported and counted."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deixis.datasets.segmentation.mask_folder import MASKS
from deixis.geometry import rle_to_mask
from tests.datasets.reading import read_all, write_json, write_picture

SIZE_HW = (20, 30)
PICTURE = np.random.default_rng(0).integers(0, 255, (*SIZE_HW, 3), dtype=np.uint8)
LEFT, RIGHT, NONE = np.zeros((3, *SIZE_HW), dtype=bool)
LEFT[4:14, 2:12] = RIGHT[2:8, 20:29] = True
LEFT_BOX, RIGHT_BOX = (2.0, 4.0, 12.0, 14.0), (20.0, 2.0, 29.0, 8.0)
CAT = {"name": "cat"}


def white(mask):
    return mask.astype(np.uint8) * 255


def lay(folder: Path, *masks: str, picture: str = "images/a.jpg", values=None) -> Path:
    """An image, and masks of its left and right half in turn."""
    write_picture(folder / picture, PICTURE)
    for number, name in enumerate(masks):
        write_picture(folder / name, white(RIGHT if number % 2 else LEFT) if values is None else values)
    return folder


def told(record):
    return [(obj.name, obj.region.box) for obj in record.objects]


@pytest.mark.parametrize(
    ("picture", "masks", "options", "names"),
    [
        pytest.param("images/a.jpg", ["masks/a.png"], CAT, ["cat"], id="same_name"),
        pytest.param("images/a.jpg", ["masks/a_mask.png"], CAT, ["cat"], id="word_behind"),
        pytest.param("images/img_a.jpg", ["masks/mask_a.png"], CAT, ["cat"], id="word_before"),
        pytest.param("JPEGImages/a.jpg", ["SegmentationClass/a.png"], CAT, ["cat"], id="names_of_voc"),
        pytest.param("images/a.jpg", ["masks/a_0.png", "masks/a_1.png"], CAT, ["cat", "cat"], id="numbers"),
        pytest.param("images/a.jpg", ["masks/a_big_dog.png", "masks/a_cat_2.png"], {}, ["big dog", "cat"], id="names"),
        pytest.param("images/a.jpg", ["masks/a_dog.png", "masks/a_x1.png"], CAT, ["dog", "x1"], id="names_before_name"),
        pytest.param("images/a.jpg", ["masks/a/dog.png", "masks/a/tail_1.png"], {}, ["dog", "tail"], id="folder_each"),
        pytest.param("images/a.jpg", ["masks/dog/a.png", "masks/tail/a.png"], {}, ["dog", "tail"], id="folder_a_class"),
        pytest.param("images/val/a.jpg", ["masks/val/a.png"], CAT, ["cat"], id="splits_below"),
        pytest.param("val/images/a.jpg", ["val/masks/a.png"], CAT, ["cat"], id="splits_above"),
        pytest.param("a1/images/0ff3.jpg", ["a1/masks/77ee.png", "a1/masks/88ee.png"], CAT, ["cat", "cat"],
                     id="two_folders_a_picture"),
        pytest.param("a.jpg", ["a_mask.png"], CAT, ["cat"], id="beside"),
        pytest.param("a.png", ["a_mask.png"], CAT, ["cat"], id="beside_both_png"),
        pytest.param("a.jpg", ["a.png"], CAT, ["cat"], id="beside_same_name"),
        pytest.param("a.jpg", ["a_mask_dog.png", "a_mask_cat.png"], {}, ["cat", "dog"], id="beside_names"),
        pytest.param("a.jpg", ["a_label_0.png", "a_label_1.png"], CAT, ["cat", "cat"], id="beside_numbers"),
        pytest.param("a.jpg", ["a_dog.png"], {}, ["dog"], id="beside_png_of_jpeg"),
        pytest.param("a/image.jpg", ["a/mask.png"], CAT, ["cat"], id="folder_a_picture"),
        pytest.param("a/image.jpg", ["a/mask_dog.png", "a/mask_tail.png"], {}, ["dog", "tail"],
                     id="folder_a_picture_names"),
    ],
)  # fmt: skip
def test_layouts(tmp_path, picture, masks, options, names):
    (record,), skipped = read_all(MASKS, lay(tmp_path, *masks, picture=picture), options=options)
    assert not skipped
    assert record.signals[0].path == str(tmp_path / picture)
    assert record.signals[0].size_hw == SIZE_HW
    boxes = [LEFT_BOX, RIGHT_BOX] if sorted(masks) == masks else [RIGHT_BOX, LEFT_BOX]
    assert told(record) == list(zip(names, boxes, strict=False))
    assert (record.form, record.split) == ("mask", "val" if "val" in picture else "train")


def test_images_elsewhere(tmp_path):
    lay(tmp_path, "masks/a.png", picture="photos of mine/a.jpg")
    (record,), skipped = read_all(MASKS, tmp_path / "masks", images=tmp_path / "photos of mine", options=CAT)
    assert (told(record), skipped) == ([("cat", LEFT_BOX)], [])


def palette(values):
    picture = Image.fromarray(values).convert("P")
    picture.putdata(values.ravel().tolist())
    picture.putpalette([9, 9, 9, 200, 10, 10, 10, 200, 10] * 85)
    return picture


NUMBERS = (LEFT * 7 + RIGHT * 9).astype(np.uint8)
TWO = [("cat", LEFT_BOX), ("cat", RIGHT_BOX)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(Image.fromarray(white(LEFT)), TWO[:1], id="8_bit"),
        pytest.param(Image.fromarray(LEFT), TWO[:1], id="1_bit"),
        pytest.param(Image.fromarray(LEFT.astype(np.uint16) * 40_000), TWO[:1], id="16_bit"),
        pytest.param(Image.fromarray(white(LEFT)).convert("RGB"), TWO[:1], id="white_as_colour"),
        pytest.param(Image.fromarray(np.dstack([PICTURE * 0 + 50, white(LEFT)])), TWO[:1], id="alpha"),
        pytest.param(Image.fromarray(NUMBERS), TWO, id="numbers"),
        pytest.param(Image.fromarray(NUMBERS.astype(np.uint16) * 300), TWO, id="16_bit_numbers"),
        pytest.param(palette(np.where(NUMBERS, NUMBERS, np.eye(*SIZE_HW, dtype=np.uint8) * 255)), TWO,
                     id="palette_with_border"),
        pytest.param(Image.fromarray(np.dstack([white(LEFT), white(RIGHT), white(NONE)])), TWO[::-1], id="colours"),
    ],
)  # fmt: skip
def test_kinds_of_masks(tmp_path, values, expected):
    lay(tmp_path)
    (tmp_path / "masks").mkdir()
    values.save(tmp_path / "masks" / "a.png")
    (record,), skipped = read_all(MASKS, tmp_path, options=CAT)
    assert (told(record), skipped) == (expected, [])
    masks = {obj.region.box: rle_to_mask(obj.region.mask) for obj in record.objects}
    assert np.array_equal(masks[LEFT_BOX], LEFT)


def test_what_values_mean_can_be_given(tmp_path):
    lay(tmp_path, "masks/a.png", values=NUMBERS)
    (record,), _ = read_all(MASKS, tmp_path, options={**CAT, "values": "mask"})
    assert np.array_equal(rle_to_mask(record.objects[0].region.mask), LEFT | RIGHT)
    write_json(tmp_path / "classes.json", {"7": "dog", "9": "tail"})
    for options in ({}, {"values": "classes"}, {"classes": str(tmp_path / "classes.json")}):
        (record,), skipped = read_all(MASKS, tmp_path, options=options)
        assert (told(record), skipped) == ([("dog", LEFT_BOX), ("tail", RIGHT_BOX)], [])
    (record,), _ = read_all(MASKS, tmp_path, options=CAT)  # a name that is given is meant
    assert told(record) == TWO


def test_a_black_mask_says_that_it_is_not_there(tmp_path):
    lay(tmp_path, "masks/a_cat.png")
    write_picture(tmp_path / "masks" / "a_dog.png", white(NONE))
    write_picture(tmp_path / "masks" / "a_cat_2.png", white(NONE))
    (record,), skipped = read_all(MASKS, tmp_path)
    assert (told(record), record.absent, skipped) == ([("cat", LEFT_BOX)], ("dog",), [])


def test_a_jpeg_mask_is_what_is_bright(tmp_path):
    lay(tmp_path)
    write_picture(tmp_path / "masks" / "a.jpg", white(LEFT))
    (record,), skipped = read_all(MASKS, tmp_path, options=CAT)
    mask = rle_to_mask(record.objects[0].region.mask)
    assert (len(record.objects), skipped) == (1, [])
    assert (mask == LEFT).mean() > 0.98


def test_a_image_that_lies_on_its_side_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    Image.fromarray(np.swapaxes(PICTURE, 0, 1)).save(tmp_path / "images" / "a.jpg", exif=exif)
    write_picture(tmp_path / "masks" / "a.png", white(LEFT))
    (record,), skipped = read_all(MASKS, tmp_path, options=CAT)
    assert (record.signals[0].size_hw, told(record), skipped) == (SIZE_HW, TWO[:1], [])


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        pytest.param(lambda f: write_picture(f / "masks/a_1.png", white(LEFT.T)), "masks/a_1.png",
                     "expected the size of its image, 30 x 20 pixels, got 20 x 30: was one of them",
                     id="size"),
        pytest.param(lambda f: write_picture(f / "masks/x.png", white(LEFT)), "masks/x.png",
                     "expected an image that this is a mask of, got none of such a name", id="no_picture"),
        pytest.param(lambda f: write_picture(f / "images/b.jpg", PICTURE), "images/b.jpg",
                     "expected a mask of this image, got none", id="no_mask"),
        pytest.param(lambda f: write_picture(f / "images/a.png", PICTURE), "images/a.png",
                     "expected a name of its own, got that of a.jpg", id="two_pictures_of_a_name"),
        pytest.param(lambda f: (f / "masks/a_1.png").write_text("no"), "masks/a_1.png",
                     "'a_1.png': expected an image", id="no_picture_file"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_counted(tmp_path, change, where, message):
    lay(tmp_path, "masks/a.png")
    write_picture(tmp_path / "images" / "c.jpg", PICTURE)
    write_picture(tmp_path / "masks" / "c.png", white(RIGHT))
    change(tmp_path)
    records, (skipped,) = read_all(MASKS, tmp_path, options=CAT)
    assert [told(record) for record in records] == [[("cat", LEFT_BOX)], [("cat", RIGHT_BOX)]]
    assert skipped.where == where
    assert message in skipped.why
    assert records[0].vague == (("cat",) if "a_1" in where else ())  # another cat is there


def test_what_a_class_map_shows_is_read_beside_numbers_of_no_class(tmp_path):
    write_json(
        lay(tmp_path, "masks/a.png", values=LEFT * np.uint8(1) + RIGHT * np.uint8(9)) / "classes.json", ["void", "sky"]
    )
    (record,), (skipped,) = read_all(MASKS, tmp_path)
    assert (told(record), record.complete) == ([("sky", LEFT_BOX)], False)
    assert skipped.why == "expected one of the 2 classes, got 9"


def test_a_photo_is_no_mask(tmp_path):
    write_picture(tmp_path / "images" / "a.png", np.random.default_rng(1).integers(0, 255, (60, 60, 3), dtype=np.uint8))
    write_picture(tmp_path / "masks" / "a.png", np.random.default_rng(2).integers(0, 255, (60, 60, 3), dtype=np.uint8))
    records, (skipped,) = read_all(MASKS, tmp_path, options=CAT)
    assert records == []
    assert re.search(r"expected a mask, or at most 1000 objects, got 3\d\d\d numbers: is it a photo\?", skipped.why)


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        pytest.param([], {}, "expected images and masks, in two folders such as images/ and masks/", id="no_masks"),
        pytest.param(["pic/a.jpg"], {}, "are given as PATH (the masks) and --images (the images)", id="others"),
        pytest.param(["masks/a.png"], {}, "name: expected what the masks show, as the name of masks/a.png does",
                     id="no_name"),
        pytest.param(["masks/a.png"], {"values": "colours"}, "values: expected one of auto, mask, instances, classes",
                     id="values"),
        pytest.param(["masks/a.png"], {"values": "classes"}, "classes: expected classes.json or classes.txt in",
                     id="no_classes"),
    ],
)  # fmt: skip
def test_a_folder_that_does_not_tell_is_refused(tmp_path, masks, options, message):
    lay(tmp_path, *masks)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(MASKS, tmp_path, options=options)


def test_real_images_with_masks_of_their_annotations(shared_data, tmp_path):
    """The real polygons of a set, rasterised to mask files by another library and read back: the same objects."""
    from PIL import ImageDraw

    from deixis.datasets.detection.coco import COCO

    content = json.loads((shared_data / "nuts_coco" / "annotations.json").read_text())
    (tmp_path / "images").symlink_to(shared_data / "nuts_coco" / "images")
    (tmp_path / "masks").mkdir()
    names = {category["id"]: category["name"] for category in content["categories"]}
    stems = {image["id"]: Path(image["file_name"]).stem for image in content["images"]}
    for annotation in content["annotations"]:
        mask = Image.new("1", (800, 600))
        for polygon in annotation["segmentation"]:
            ImageDraw.Draw(mask).polygon(list(zip(polygon[::2], polygon[1::2], strict=True)), fill=1)
        name = f"{stems[annotation['image_id']]}_{names[annotation['category_id']]}_{annotation['id']}.png"
        mask.save(tmp_path / "masks" / name)
    records, skipped = read_all(MASKS, tmp_path)
    assert skipped == []
    by_id = {record.id.split("/", 1)[1]: record for record in read_all(COCO, shared_data / "nuts_coco")[0]}
    assert len(records) == len(by_id) == 10
    for record in records:
        expected = by_id[record.id.split("/", 1)[1]].objects
        for obj in record.objects:
            mask = rle_to_mask(obj.region.mask)
            others = [rle_to_mask(other.region.mask) for other in expected if other.name == obj.name]
            assert max((mask & other).sum() / (mask | other).sum() for other in others) > 0.95
        assert sorted(obj.name for obj in record.objects) == sorted(obj.name for obj in expected)
