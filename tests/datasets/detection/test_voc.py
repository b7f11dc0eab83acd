"""PASCAL VOC: where pixels are counted from, parts, masks of objects, splits, tools' habits, and two real sets."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from deixis.datasets.detection.voc import VOC
from deixis.datasets.object_names import names_of
from deixis.datasets.plain_questions import plain_samples
from deixis.geometry import rle_to_mask
from tests.datasets.reading import read_all, write_picture

PICTURE = np.zeros((20, 30, 3), dtype=np.uint8)
PASCAL = "<source><database>The VOC2012 Database</database><annotation>PASCAL VOC2012</annotation></source>"


def box(x1=3, y1=4, x2=12, y2=14) -> str:
    return f"<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>"


def obj(name="dog", where=None, more="") -> str:
    return f"<object><name>{name}</name>{box() if where is None else where}{more}</object>"


def lay(folder: Path, *objects: str, name="a", head="", size=(30, 20), xml=None) -> Path:
    write_picture(folder / "JPEGImages" / f"{name}.jpg", PICTURE)
    (folder / "Annotations").mkdir(exist_ok=True)
    width, height = size
    content = f"<annotation><filename>{name}.jpg</filename>{head}<size><width>{width}</width><height>{height}</height>"
    content += f"<depth>3</depth></size>{''.join(objects)}</annotation>"
    (folder / "Annotations" / f"{name}.xml").write_text(content if xml is None else xml)
    return folder


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        pytest.param(obj(""), "name: expected the name of a class, got none", id="no_name"),
        pytest.param(obj(where=" "), "bndbox: expected numbers xmin, ymin, xmax, ymax, got ', , , '", id="no_box"),
        pytest.param(obj(where=box("left")), "xmin, ymin, xmax, ymax, got 'left, 4, 12, 14'", id="word"),
        pytest.param(obj(where=box("nan")), "bndbox: expected four numbers x1, y1, x2, y2", id="nan"),
        pytest.param(obj(where=box(12, 4, 12, 14)), "bndbox: expected a box with an area", id="no_area"),
        pytest.param(obj(where=box(40, 4, 50, 14)), "on the image of 30 x 20 pixels", id="beside_it"),
        pytest.param(obj(where="<robndbox><cx>3</cx></robndbox>"), "bndbox: expected numbers", id="turned_box"),
    ],
)
def test_a_bad_object_is_named_and_the_rest_is_read(tmp_path, bad, message):
    (record,), (skipped,) = read_all(VOC, lay(tmp_path, obj(), bad))
    assert [found.name for found in record.objects] == ["dog"]
    assert skipped.where == "Annotations/a.xml: object 2"
    assert message in skipped.why
    # another dog is there, or any object at all
    assert (record.vague, record.complete) == (((), False) if "name:" in message else (("dog",), True))


@pytest.mark.parametrize(
    ("text", "is_difficult"), [("1", True), (" 1 ", True), ("TRUE", True), ("0", False), ("", False), ("false", False)]
)
def test_a_difficult_object_makes_its_name_one_of_which_not_all_is_known(tmp_path, text, is_difficult):
    (record,), _ = read_all(VOC, lay(tmp_path, obj(), obj(more=f"<difficult>{text}</difficult>"), obj("cat")))
    assert [found.region.ignore for found in record.objects] == [False, is_difficult, False]
    assert names_of(record).every == ({"cat"} if is_difficult else {"cat", "dog"})
    questions = [turn.user for sample in plain_samples(record) for turn in sample.turns]
    assert ("Where is every dog?" in questions) is not is_difficult


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        pytest.param("GBK", "gbk", id="gbk"),
        pytest.param("gb2312", "gbk", id="gbk_called_gb2312"),
        pytest.param("GB18030", "gb18030", id="gb18030"),
        pytest.param("Big5", "big5", id="big5"),
        pytest.param("Shift_JIS", "cp932", id="shift_jis"),
        pytest.param("EUC-JP", "euc_jp", id="euc_jp"),
        pytest.param("utf8", "utf-8", id="utf8"),
        pytest.param("UTF-8", "utf-8-sig", id="byte_order_mark"),
        pytest.param("utf-16", "utf-8", id="utf_8_called_utf_16"),
        pytest.param("UTF-16", "utf-16", id="utf_16"),
    ],
)
def test_files_in_the_encoding_that_they_declare(tmp_path, declared, encoding):
    size = "<size><width>30</width><height>20</height></size>"
    text = f'<?xml version="1.0" encoding="{declared}"?><annotation>{size}{obj("朋友")}</annotation>'
    lay(tmp_path)
    (tmp_path / "Annotations" / "a.xml").write_bytes(text.encode(encoding))
    (record,), skipped = read_all(VOC, tmp_path)
    assert ([found.name for found in record.objects], skipped) == (["朋友"], [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"xml": "<annotation>"}, "expected XML; no element found",
                     id="cut"),
        pytest.param({"xml": "<html/>"}, "with <annotation>, got <html>", id="another_form"),
        pytest.param({"size": (20, 30)}, "size: expected the size of a.jpg, [20, 30], got [30, 20]: the",
                     id="turned"),
    ],
)  # fmt: skip
def test_a_bad_file_is_skipped(tmp_path, change, message):
    lay(tmp_path, obj(), name="b")
    (record,), (skipped,) = read_all(VOC, lay(tmp_path, obj(), **change))
    assert (record.id, skipped.where) == (f"{tmp_path.name}/b", "Annotations/a.xml")
    assert message in skipped.why


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({}, "expected XML files in the folder or its Annotations/, got none", id="empty"),
        pytest.param({"origin": "2"}, "origin: expected one of 0, 1, got '2'", id="origin"),
    ],
)
def test_refuses(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        read_all(VOC, tmp_path, options=options)


@pytest.mark.parametrize(
    ("head", "options", "expected"),
    [
        pytest.param(PASCAL, {}, (2.0, 3.0, 12.0, 14.0), id="pascal_from_1"),
        pytest.param("<source><database>Unknown</database></source>", {}, (3.0, 4.0, 12.0, 14.0), id="tools_from_0"),
        pytest.param("", {"origin": "1"}, (2.0, 3.0, 12.0, 14.0), id="told_1"),
        pytest.param(PASCAL, {"origin": "0"}, (3.0, 4.0, 12.0, 14.0), id="told_0"),
    ],
)
def test_where_pixels_are_counted_from(tmp_path, head, options, expected):
    (record,), skipped = read_all(VOC, lay(tmp_path, obj(), head=head), options=options)
    assert (record.objects[0].region.box, skipped) == (expected, [])


def test_pascals_own(tmp_path):
    part = f"<part><name>head</name>{box(3, 4, 6, 8)}</part><difficult>1</difficult>"
    lay(tmp_path, obj("diningtable"), obj("person", more=part), head=PASCAL, name="2008_000002")
    for name in ("2008_000003", "2008_000005"):
        lay(tmp_path, obj(), head=PASCAL, name=name)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    for split, lines in (("train", "2008_000002\n"), ("val", "2008_000003\n"), ("dog_train", "2008_000005 1\n")):
        (lists / f"{split}.txt").write_text(lines)
    (lists / "test.txt").write_text("2008_000009\n")
    records, (skipped,) = read_all(VOC, tmp_path)
    assert [(record.id, record.split) for record in records] == [
        ("voc/2008_000002", "train"), ("voc/2008_000003", "val"), ("voc/2008_000005", "train")]  # fmt: skip
    found = [(each.name, each.part_of, each.region.ignore) for each in records[0].objects]
    assert found == [("dining table", None, False), ("person", None, True), ("head", "person", False)]
    assert (skipped.where, "expected a file 2008_000009.xml" in skipped.why) == ("ImageSets/Main/test.txt:1", True)


def test_masks_of_objects(tmp_path):
    values = np.zeros((20, 30), dtype=np.uint8)
    values[3:14, 2:12], values[3, 2:12] = 1, 255
    values[0:5, 20:29] = 2
    values[19, 29] = 7
    objects = obj(), obj("cat", box(21, 1, 29, 5))
    write_picture(lay(tmp_path, *objects, head=PASCAL) / "SegmentationObject" / "a.png", values)
    (record,), (skipped,) = read_all(VOC, tmp_path)
    assert skipped.why == "expected the number of one of the objects, got 7"
    assert record.form == "mask"
    for number, found in enumerate(record.objects, 1):
        assert np.array_equal(rle_to_mask(found.region.mask), values == number)
    assert not record.complete  # what has number 7 is not known
    lay(tmp_path, obj(), obj("cat", box(25, 1, 21, 5)), head=PASCAL)
    (record,), (first, _) = read_all(VOC, tmp_path)
    assert first.why.endswith("; the mask is used alone")
    assert [found.region.box for found in record.objects][1] == (20.0, 0.0, 29.0, 5.0)
    assert np.array_equal(rle_to_mask(record.objects[1].region.mask), values == 2)
    lay(tmp_path, obj(), obj("cat", box(21, 10, 29, 15)), head=PASCAL)
    (record,), (first, _) = read_all(VOC, tmp_path)
    assert [found.region.mask is None for found in record.objects] == [False, True]
    assert "expected the pixels of object 2 in its box" in first.why
    write_picture(tmp_path / "SegmentationObject" / "a.png", values[:5])
    (record,), (skipped,) = read_all(VOC, tmp_path)
    assert (record.form, skipped.why) == ("box", "expected the image's size [20, 30], got [5, 30]")


def test_files_beside_images_in_folders_of_splits(tmp_path):
    """Files as Roboflow and labelImg write them; missing names and sizes are found."""
    for split in ("train", "valid"):
        write_picture(tmp_path / split / "a.png", PICTURE)
        (tmp_path / split / "a.xml").write_text(f"<annotation><size><width>0</width></size>{obj()}</annotation>")
    records, skipped = read_all(VOC, tmp_path, options={"source": "dogs"})
    assert skipped == []
    assert [(record.id, record.split) for record in records] == [("dogs/train/a", "train"), ("dogs/valid/a", "val")]
    paths = [Path(record.signals[0].path).parent.name for record in records]
    assert (paths, records[0].signals[0].size_hw) == (["train", "valid"], (20, 30))


@pytest.mark.parametrize(
    ("folder", "annotations", "pictures", "objects"),
    [
        pytest.param("bccd", "Annotations", 64, 879, id="blood_cells"),
        pytest.param("playing_cards", "annotations", 24, 77, id="playing_cards"),
    ],
)
def test_real_sets(shared_data, folder, annotations, pictures, objects):
    records, skipped = read_all(VOC, shared_data / folder)
    assert skipped == []
    assert (len(records), sum(len(record.objects) for record in records)) == (pictures, objects)
    for record in records:
        assert Path(record.signals[0].path).is_file()
        root = ElementTree.parse(shared_data / folder / annotations / f"{record.id.split('/')[1]}.xml").getroot()
        expected = [
            (each.findtext("name"), *(float(edge.text) for edge in each.find("bndbox"))) for each in root.iter("object")
        ]
        assert [(each.name, *each.region.box) for each in record.objects] == expected
