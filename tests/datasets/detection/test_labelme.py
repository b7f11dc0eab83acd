"""labelme's files: every shape, joined groups, flags and descriptions, embedded images, and real files."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from deixis.datasets.detection.coco import COCO
from deixis.datasets.detection.labelme import LABELME, region_of_shape
from deixis.geometry import rle_to_mask
from tests.datasets.reading import read_all, write_json, write_picture

SIZE_HW = (20, 30)
PICTURE = np.zeros((*SIZE_HW, 3), dtype=np.uint8)
SQUARE = {"label": "traffic_light", "points": [[2, 3], [7, 3], [7, 9], [2, 9]], "group_id": None,
          "shape_type": "polygon", "flags": {}}  # fmt: skip


def png(array) -> str:
    content = io.BytesIO()
    Image.fromarray(array).save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()


def labelme(*shapes, **more) -> dict:
    return {"version": "5.7.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg", "imageData": None,
            "imageHeight": SIZE_HW[0], "imageWidth": SIZE_HW[1], **more}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"label": ""}, "label: expected a name, got ''", id="no_label"),
        pytest.param({"label": 3}, "label: expected a name, got 3", id="number"),
        pytest.param({"shape_type": "star"}, "shape_type: expected one of polygon, rectangle, circle, line, linestrip, "
                     "point, mask, got 'star'", id="kind"),
        pytest.param({"points": [[1, 1], [2, 2]]}, "points: expected at least 3 points [x, y], got [[1, 1], [2, 2]]",
                     id="two_corners"),
        pytest.param({"points": None}, "points: expected at least 3 points", id="no_points"),
        pytest.param({"points": [[1, "a"]] * 3}, "points: expected at least 3 points", id="word"),
        pytest.param({"points": [[1, None]] * 3}, "points: expected at least 3 points", id="null"),
        pytest.param({"points": [[1e9, 0], [1e9, 1], [0, 1]]}, "expected corners on the image", id="far_away"),
        pytest.param({"points": [[40, 1], [50, 1], [50, 9]]}, "at least one pixel of the image", id="beside_it"),
        pytest.param({"shape_type": "rectangle", "points": [[4, 4], [4, 9]]}, "points: expected a box with an area",
                     id="no_area"),
        pytest.param({"shape_type": "point", "points": [[31, 4]]}, "points: expected a point on the image of 30 x 20",
                     id="point_beside_it"),
        pytest.param({"shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "@@"}, "mask: expected a PNG in base64",
                     id="mask"),
        pytest.param({"shape_type": "mask", "points": [[1, 1], [2, 2]]}, "mask: expected a PNG in base64",
                     id="no_mask"),
    ],
)  # fmt: skip
def test_a_bad_shape_is_named_and_the_rest_is_read(tmp_path, change, message):
    write_picture(tmp_path / "a.jpg", PICTURE)
    write_json(tmp_path / "a.json", labelme(SQUARE, {**SQUARE, **change}))
    (record,), (skipped,) = read_all(LABELME, tmp_path)
    assert len(record.objects) == 1
    assert skipped.where == "a.json: shapes[1]"
    assert message in skipped.why
    # another traffic light is there, or any object at all
    assert (record.vague, record.complete) == (((), False) if "label" in change else (("traffic light",), True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "expected a JSON file of labelme; ", id="no_json"),
        pytest.param("[1]", "expected a JSON file of labelme with the list 'shapes', got [1]", id="list"),
        pytest.param('{"shapes": []}', "imagePath: expected the name of an image, got null", id="no_picture"),
        pytest.param('{"shapes": [], "imagePath": "a.jpg", "imageHeight": 30, "imageWidth": 20}',
                     "expected the size of a.jpg, [20, 30], got [30, 20]: the image was resized or turned",
                     id="turned"),
        pytest.param('{"shapes": [], "imagePath": "b.jpg"}', "b.jpg: expected the image, whose size the set does not",
                     id="no_size"),
        pytest.param('{"shapes": [], "imagePath": "b.jpg", "imageData": "aGVsbG8="}',
                     "imageData: expected an image in base64", id="no_picture_inside"),
    ],
)  # fmt: skip
def test_a_bad_file_is_skipped(tmp_path, content, message):
    write_picture(tmp_path / "a.jpg", PICTURE)
    (tmp_path / "a.json").write_text(content)
    write_json(tmp_path / "b.json", labelme(SQUARE))
    (record,), (skipped,) = read_all(LABELME, tmp_path)
    assert (record.id, skipped.where) == (f"{tmp_path.name}/b", "a.json")
    assert message in skipped.why


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected JSON files of labelme, got none"):
        read_all(LABELME, tmp_path)


def test_a_width_that_is_none_is_refused(tmp_path):
    write_json(tmp_path / "a.json", labelme(SQUARE))
    with pytest.raises(ValueError, match="line_width: expected whole pixels from 1, got '0'"):
        read_all(LABELME, tmp_path, options={"line_width": "0"})


INSIDE = np.array([[0, 255], [255, 255], [255, 0]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "points", "box", "pixels"),
    [
        pytest.param("polygon", [[2, 3], [7, 3], [7, 9], [2, 9]], (2, 3, 7, 9), 30, id="polygon"),
        pytest.param(None, [[2, 3], [7, 3], [7, 9], [2, 9]], (2, 3, 7, 9), 30, id="early_version"),
        pytest.param("rectangle", [[7, 9], [2.5, 3]], (2.5, 3, 7, 9), None, id="rectangle"),
        pytest.param("rectangle", [[2, 3], [7, 3], [7, 9], [2, 9]], (2, 3, 7, 9), None, id="rectangle_of_four_corners"),
        pytest.param("circle", [[10, 10], [10, 15]], (5, 5, 15, 15), 78, id="circle"),
        pytest.param("circle", [[0, 0], [0, 6]], (0, 0, 6, 6), 28, id="circle_over_the_edge"),
        pytest.param("line", [[5, 5], [15, 5]], (5, 3, 16, 7), 44, id="line"),
        pytest.param("linestrip", [[5, 5], [15, 5], [15, 12]], (5, 3, 17, 13), None, id="linestrip"),
        pytest.param("mask", [[4, 6], [5, 8]], (4, 6, 6, 9), 4, id="mask"),
        pytest.param("mask", [[-1, -1], [0, 1]], (0, 0, 1, 1), 1, id="mask_over_the_edge"),
        pytest.param("mask", [[29, 18], [30, 20]], (29, 19, 30, 20), 1, id="mask_over_the_other_edge"),
    ],
)
def test_shapes(kind, points, box, pixels):
    region = region_of_shape({"shape_type": kind, "points": points, "mask": png(INSIDE)}, SIZE_HW, line_width_px=4)
    assert region.box == pytest.approx(box, abs=1.01 if kind in ("line", "linestrip") else 0)
    assert (region.mask is None) == (kind == "rectangle")
    if pixels is not None:
        assert rle_to_mask(region.mask).sum() == pytest.approx(pixels, rel=0.15)


def test_a_point():
    region = region_of_shape({"shape_type": "point", "points": [[3, 4.5]]}, SIZE_HW)
    assert (region.point, region.box, region.mask) == ((3.0, 4.5), None, None)


def test_groups_flags_and_descriptions(tmp_path):
    write_picture(tmp_path / "a.jpg", PICTURE)
    right = {**SQUARE, "points": [[20, 3], [29, 3], [29, 9]], "group_id": 1, "flags": {"lit": True, "broken": False}}
    shapes = [
        {**SQUARE, "group_id": 1, "description": "the light\nthat is lit"},
        {**SQUARE, "label": "__ignore__"},
        {**SQUARE, "label": "car", "group_id": 1},
        right,
        {**SQUARE, "group_id": 2, "description": ""},
    ]
    flags = {"rainy": True, "sunny": False, "car": False, "__ignore__": True}
    write_json(tmp_path / "a.json", labelme(*shapes, flags=flags))
    (record,), skipped = read_all(LABELME, tmp_path)
    assert not skipped
    assert [obj.name for obj in record.objects] == ["traffic light", "car", "traffic light", "rainy"]
    joined = record.objects[0]
    assert (joined.region.box, joined.attributes) == ((2.0, 3.0, 29.0, 9.0), ("lit",))
    mask = rle_to_mask(joined.region.mask)
    assert mask[:, :10].sum() == 30
    assert mask[:, 19:].any()
    assert record.objects[3].region is None
    assert [(said.text, said.objects) for said in record.expressions] == [("the light that is lit", (0,))]
    assert (record.absent, record.form) == (("sunny",), "mask")


@pytest.mark.parametrize(
    ("lies_at", "image_path"),
    [
        pytest.param("labels/a.jpg", "a.jpg", id="beside"),
        pytest.param("images/a.jpg", "../images/a.jpg", id="in_another_folder"),
        pytest.param("images/a.jpg", "..\\images\\a.jpg", id="in_another_folder_on_windows"),
    ],
)
def test_images_are_found(tmp_path, lies_at, image_path):
    write_picture(tmp_path / lies_at, PICTURE)
    path = write_json(tmp_path / "labels" / "a.json", labelme(SQUARE, imagePath=image_path, imageHeight=None))
    for where in (path, path.parent):
        (record,), skipped = read_all(LABELME, where)
        assert (record.signals[0].size_hw, skipped) == (SIZE_HW, [])
        assert (tmp_path / lies_at).samefile(record.signals[0].path)


def test_a_image_that_lies_in_the_file(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (*SIZE_HW, 3), dtype=np.uint8)
    write_json(tmp_path / "a.json", labelme(SQUARE, imageData=png(picture)))
    (record,), skipped = read_all(LABELME, tmp_path)
    assert not skipped
    assert np.array_equal(record.signals[0].values, picture)
    assert (record.signals[0].path, record.signals[0].size_hw) == (None, SIZE_HW)


def test_the_embedded_image_is_the_one_that_was_drawn_on(tmp_path):
    """Whatever lies under its name; of two that are the same the file is used, and one that is no image is none."""
    drawn, other = np.random.default_rng(0).integers(0, 255, (2, *SIZE_HW, 3), dtype=np.uint8)
    for folder, file, data, is_file in (
        ("other", other, png(drawn), False),
        ("other_size", other[:9], png(drawn), False),
        ("same", drawn, png(drawn), True),
        ("damaged", drawn, "aGVsbG8=", True),
        ("none", drawn, None, True),
    ):
        write_picture(tmp_path / folder / "a.png", file)
        write_json(tmp_path / folder / "a.json", labelme(SQUARE, imagePath="a.png", imageData=data))
        (record,), skipped = read_all(LABELME, tmp_path / folder)
        medium = record.signals[0]
        assert (medium.path is not None, medium.size_hw, skipped) == (is_file, SIZE_HW, [])
        assert is_file or np.array_equal(medium.values, drawn)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    write_picture(tmp_path / "a.jpg", PICTURE)
    (tmp_path / "a.json").write_bytes(json.dumps(labelme(SQUARE)).encode(encoding))
    (record,), skipped = read_all(LABELME, tmp_path)
    assert ([obj.name for obj in record.objects], skipped) == (["traffic light"], [])


def test_the_real_shapes_are_those_that_labelme_exports(shared_data):
    folder = shared_data / "labelme_examples"
    records, skipped = read_all(LABELME, folder / "instance_segmentation")
    exported = read_all(COCO, folder / "coco" / "annotations.json")[0]
    assert skipped == []
    for record, other in zip(records, exported, strict=True):
        assert [obj.name for obj in record.objects] == [obj.name for obj in other.objects]
        for obj, expected in zip(record.objects, other.objects, strict=True):
            ours, theirs = rle_to_mask(obj.region.mask), rle_to_mask(expected.region.mask)
            assert (ours & theirs).sum() / (ours | theirs).sum() > 0.92  # theirs has the outline too


@pytest.mark.parametrize(
    ("folder", "objects", "absent"),
    [
        pytest.param("bbox_detection", [["person", "person"], ["bus", "bus", "car"]], (), id="boxes"),
        pytest.param("classification", [["cat"]], ("dog",), id="flags"),
        pytest.param("video_annotation", [["track", "track", "car"]] * 3, (), id="frames"),
        pytest.param("primitives", [["rectangle", "circle", "rectangle", "polygon", "line", "point", "line strip",
                                     "octagon"]], (), id="every_kind"),
    ],
)  # fmt: skip
def test_real_files(shared_data, folder, objects, absent):
    records, skipped = read_all(LABELME, shared_data / "labelme_examples" / folder)
    assert skipped == []
    assert [[obj.name for obj in record.objects] for record in records] == objects
    assert records[0].absent == absent
