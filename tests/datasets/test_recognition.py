"""Formats told by what files hold: each miniature set as itself or as none, and what fits several or nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from deixis.datasets.files.json_heads import json_head
from deixis.datasets.formats import FORMATS
from deixis.datasets.recognition import RECOGNISED, format_of
from deixis.errors import DataError
from tests.datasets.classification.test_time_series import lay as time_series
from tests.datasets.reading import write_json, write_picture
from tests.fuzz.dataset_seeds import SETS

PICTURE = np.zeros((4, 6, 3), dtype=np.uint8)
MINIATURES = (*SETS, ("time_series", "", time_series, {}))


@pytest.mark.parametrize(
    ("name", "path", "lay"),
    [pytest.param(name, path, lay, id=f"{name}{Path(path).suffix}") for name, path, lay, _ in MINIATURES],
)
def test_a_miniature_set_is_recognised_as_itself_or_not_at_all(name, path, lay, tmp_path):
    lay(tmp_path)
    for given in {tmp_path, tmp_path / path}:
        if name in RECOGNISED:
            found, read = format_of(given, "--format")
            assert found == name
            assert read in (tmp_path, tmp_path / path)
        else:
            with pytest.raises(DataError, match="got none that is recognised; --format names it"):
                format_of(given, "--format")


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        pytest.param("bccd", "voc", id="bccd"),
        pytest.param("camvid_sample", "class_maps", id="camvid"),
        pytest.param("coco_val_sample", "coco", id="coco"),
        pytest.param("fsdd", "class_folders", id="fsdd"),
        pytest.param("imu_basicmotions", "time_series", id="imu"),
        pytest.param("labelme_examples", "labelme", id="labelme"),
        pytest.param("lvis_val_sample", "lvis", id="lvis"),
        pytest.param("mosd_tabletop", "clouds", id="clouds"),
        pytest.param("playing_cards", "voc", id="voc_beside_photos"),
    ],
)
def test_real_sets_are_recognised(folder, expected, shared_data):
    assert format_of(shared_data / folder, "--format")[0] == expected


def test_recognised_are_formats():
    assert set(RECOGNISED) <= set(FORMATS)


def pictures(*names: str):
    return lambda folder: [write_picture(folder / name, PICTURE) for name in names]


def coco_of_two_files(folder: Path) -> None:
    for split in ("train", "val"):
        box = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}
        write_json(folder / "annotations" / f"{split}.json", {"images": [{"id": 1}], "annotations": [box]})
    write_json(folder / "annotations" / "captions.json", {"images": [], "annotations": []})


@pytest.mark.parametrize(
    ("lay", "expected"),
    [
        pytest.param(pictures("train/cat/a.png", "val/dog/b.png"), "class_folders", id="classes_below_splits"),
        pytest.param(pictures("images/a.png", "masks/a_cat.png"), "masks", id="masks_named_by_class"),
        pytest.param(pictures("a.png", "a_mask.png"), "masks", id="side_by_side"),
        pytest.param(coco_of_two_files, "coco", id="two_files_of_coco"),
        pytest.param(lambda folder: (folder / "a.jsonl").write_text('{"conversations": []}\n'), "llava", id="lines"),
    ],
)
def test_forms_that_people_have(lay, expected, tmp_path):
    lay(tmp_path)
    name, path = format_of(tmp_path, "--format")
    assert name == expected
    assert path == (tmp_path / "a.jsonl" if expected == "llava" else tmp_path)


@pytest.mark.parametrize(
    ("lay", "match"),
    [
        pytest.param(lambda folder: None, "got none that is recognised", id="empty"),
        pytest.param(pictures("a.png", "b.png"), "got none", id="photos"),
        pytest.param(pictures("train/a.png", "val/b.png"), "got none", id="splits_are_no_classes"),
        pytest.param(pictures("color/1.png", "depth/1.png"), "got none", id="maps_are_no_classes"),
        pytest.param(lambda folder: (folder / "a.json").write_bytes(b"{\xff"), "got none", id="damaged"),
        pytest.param(lambda folder: (folder / "a.xml").write_text("<annotation"), "got none", id="damaged_xml"),
        pytest.param(lambda folder: (folder / "a.ts").write_text("G@data"), "got none", id="a_video"),
        pytest.param(lambda folder: (folder / "a.npz").write_text("no"), "got none", id="damaged_npz"),
        pytest.param(lambda folder: (folder / "a.jsonl").write_text('{"id": 1}\n'), "got none", id="other_lines"),
        pytest.param(
            lambda folder: (pictures("a.png", "a_mask.png")(folder), time_series(folder)),
            "got what may be masks or time_series; --format names it, and deixis data read --list shows all",
            id="several",
        ),
    ],
)
def test_what_cannot_be_told_is_one_sentence(lay, match, tmp_path):
    lay(tmp_path)
    with pytest.raises(DataError, match=match):
        format_of(tmp_path, "--format")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('[{"a": {"b": 1}}, {"c": 1}]', {"": {"a"}}, id="list"),
        pytest.param('{"a": [{"b": [{"x": 1}]}, {"c": 2}], "d": {"e": 1}}', {"a": {"b"}, "d": {"e"}}, id="object"),
        pytest.param('{"a": 1}\n{"b": 1}\n', {"a": set()}, id="lines"),
        pytest.param('{"a": [{"b": 1}], "c', {"a": {"b"}}, id="cut"),
        pytest.param("[1, 2]", None, id="numbers"),
        pytest.param("", None, id="empty"),
        pytest.param("[" * 999, None, id="deep"),
    ],
)
def test_heads_of_json(text, expected, tmp_path):
    (tmp_path / "a.json").write_text(text)
    assert json_head(tmp_path / "a.json") == expected


def test_a_large_file_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("deixis.datasets.files.json_heads.MAX_BYTES", 100_000)
    (tmp_path / "a.json").write_text(json.dumps({"a": [{"b": 1}] * 20_000, "c": 1}))
    assert json_head(tmp_path / "a.json") == {"a": {"b"}}
