"""Clouds with a label at every point: indices of the file, names and background, and real scenes."""

import re

import numpy as np
import pytest

from deixis.datasets.segmentation.labelled_clouds import CLOUDS
from deixis.signals import open_signal
from tests.datasets.reading import read_all, write_json

XYZ = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
LABELS = np.repeat([0, 4, 7, 4], 5)


def lay(folder, name="a.npz", **arrays):
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / name, **({"xyz": XYZ, "label": LABELS} | arrays))
    return folder


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        pytest.param({"label": LABELS[:9]}, "expected points (n, 3) and a whole number for each", id="few"),
        pytest.param({"label": LABELS / 2}, "and labels float64 (20,)", id="fractions"),
        pytest.param({"xyz": XYZ[:, :2]}, "expected points (n, 3)", id="two_columns"),
    ],
)
def test_a_bad_file_is_skipped(tmp_path, arrays, message):
    lay(tmp_path, "b.npz")
    (record,), (skipped,) = read_all(CLOUDS, lay(tmp_path, **arrays), options={"name": "chair"})
    assert (record.id, skipped.where) == (f"{tmp_path.name}/b", "a.npz")
    assert message in skipped.why


def test_a_file_without_arrays_is_skipped(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "b.npz", points=XYZ)
    records, skipped = read_all(CLOUDS, tmp_path, options={"name": "chair"})
    assert records == []
    assert "'a.npz': expected labelled points in an NPZ file" in skipped[0].why
    assert "b.npz: expected an array named label or labels or" in skipped[1].why


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        pytest.param([], {"name": "chair"}, "expected NPZ files with a label at each point, got none", id="no_files"),
        pytest.param(["a.npz"], {}, "name: expected classes.json or classes.txt in", id="no_name"),
        pytest.param(["a.npz"], {"name": "x", "background": "0-a"},
                     "background: expected numbers and ranges such as 0,2-19, got '0-a'", id="background"),
    ],
)  # fmt: skip
def test_refuses(tmp_path, files, options, message):
    for name in files:
        lay(tmp_path, name)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(CLOUDS, tmp_path, options=options)


def test_each_label_is_a_thing(tmp_path):
    (record,), skipped = read_all(CLOUDS, lay(tmp_path), options={"name": "chair", "unit": "m", "source": "rooms"})
    assert not skipped
    assert (record.id, record.signals[0].point_count, record.signals[0].unit) == ("rooms/a", 20, "m")
    assert [obj.name for obj in record.objects] == ["chair", "chair"]
    first = record.objects[0].region
    assert first.points.tolist() == [5, 6, 7, 8, 9, 15, 16, 17, 18, 19]
    assert first.box3d == pytest.approx((*XYZ[first.points].min(0), *XYZ[first.points].max(0)))
    points = open_signal(record.signals[0].path).extent.points_xyz
    assert np.array_equal(points[first.points].astype(np.float32), XYZ[first.points])


def test_labels_are_classes(tmp_path):
    write_json(lay(tmp_path / "val", label=LABELS, semantic=LABELS) / "classes.json", {"0": "floor", "4": "chair"})
    (record,), (skipped,) = read_all(CLOUDS, tmp_path / "val", options={"label": "semantic"})
    assert [(obj.name, obj.stuff) for obj in record.objects] == [("floor", True), ("chair", True)]
    assert (record.split, skipped.why) == ("val", "expected one of the 2 classes, got 7 at 5 points")
    assert not record.complete  # what has number 7 is not known


def test_flat_things_have_no_box(tmp_path):
    (record,), _ = read_all(CLOUDS, lay(tmp_path, xyz=XYZ * [1, 1, 0]), options={"name": "chair"})
    assert [obj.region.box3d for obj in record.objects] == [None, None]


def test_real_scenes(shared_data):
    folder = shared_data / "mosd_tabletop"
    records, skipped = read_all(CLOUDS, folder, options={"name": "object", "background": "0-19", "unit": "m"})
    assert (len(records), skipped) == (10, [])
    for record in records:
        with np.load(folder / f"{record.id.split('/')[1]}.npz") as arrays:
            labels = arrays["label"]
        assert [obj.region.points.tolist() for obj in record.objects] == [
            np.flatnonzero(labels == label).tolist() for label in np.unique(labels[labels >= 20])
        ]
