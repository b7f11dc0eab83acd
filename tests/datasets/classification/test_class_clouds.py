"""Sets of classified clouds in their published layouts, written here in miniature; points of real meshes and clouds."""

import numpy as np
import pytest

from deixis.datasets.classification.class_clouds import SCANOBJECTNN_CLASSES, read_class_clouds
from deixis.datasets.classification.cloud_files import in_unit_sphere, read_points
from tests.clouds import ball, class_folders, modelnet_h5, modelnet_text, scanobjectnn_h5

LAYOUTS = [
    pytest.param(modelnet_h5, id="modelnet40_h5"),
    pytest.param(modelnet_text, id="modelnet40_text"),
    pytest.param(scanobjectnn_h5, id="scanobjectnn_h5"),
    pytest.param(class_folders, id="class_folders"),
]


@pytest.mark.parametrize("write", LAYOUTS)
def test_every_layout_is_recognised_and_read(tmp_path, write):
    write(tmp_path)
    data = read_class_clouds(tmp_path, 24)
    for split in (data.train, data.test):
        assert split.points.shape == (len(split.labels), 24, 3)
        assert split.points.dtype == np.float32
        assert set(split.labels) == {0, 1}
    assert len(data.train.labels) == 8
    assert len(data.test.labels) == 4
    assert data.names[:2] == (SCANOBJECTNN_CLASSES[:2] if write is scanobjectnn_h5 else ("ball", "night_stand"))
    # class 0 is a ball, class 1 a stick: distinguished by their flatness
    spread = [np.linalg.svd(cloud - cloud.mean(0), compute_uv=False) for cloud in data.train.points]
    flat = np.array([values[1] / values[0] < 0.3 for values in spread])
    assert np.array_equal(flat, data.train.labels == 1)


def test_hdf5_files_are_taken_as_they_are_and_others_into_the_unit_sphere(tmp_path):
    stored = modelnet_h5(tmp_path / "h5")
    assert np.array_equal(read_class_clouds(tmp_path / "h5", 24).train.points[:4], stored[:, :24])
    modelnet_text(tmp_path / "text")
    reach = np.linalg.norm(read_class_clouds(tmp_path / "text", 24).train.points, axis=-1).max(1)
    np.testing.assert_allclose(reach, 1, atol=1e-5)


@pytest.mark.parametrize("split_above", [pytest.param(True, id="train/CLASS"), pytest.param(False, id="CLASS/train")])
def test_splits_lie_above_or_below_the_classes(tmp_path, split_above):
    class_folders(tmp_path, split_above)
    data = read_class_clouds(tmp_path, 24)
    assert data.names == ("ball", "night_stand")
    assert (len(data.train.labels), len(data.test.labels)) == (8, 4)


def test_folders_without_splits_are_all_trained_on(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "1.npy", ball(30, 0))
    data = read_class_clouds(tmp_path, 24)
    assert data.test is None
    assert data.train.labels.tolist() == [0, 1]


def test_small_clouds_repeat_their_points(tmp_path):
    modelnet_h5(tmp_path)
    points = read_class_clouds(tmp_path, 100).train.points
    assert np.array_equal(points[:, :60], points[:, 40:][:, :60])


def no_labels(folder):
    import h5py

    modelnet_h5(folder)
    with h5py.File(folder / "ply_data_train0.h5", "w") as file:
        file["data"] = np.zeros((2, 40, 3), np.float32)


def one_name(folder):
    modelnet_h5(folder)
    (folder / "shape_names.txt").write_text("ball\n")


def no_class(folder):
    modelnet_text(folder)
    (folder / "modelnet40_train.txt").write_text("chair_0001\n")


def no_files(folder):
    class_folders(folder)
    (folder / "zebra").mkdir()


def damaged(folder):
    modelnet_h5(folder)
    (folder / "ply_data_test0.h5").write_bytes(b"not HDF5")


def other_text(name, content):
    def write(folder):
        modelnet_text(folder)
        (folder / name).write_bytes(content)

    return write


def huge(folder):
    import h5py

    modelnet_h5(folder)
    with h5py.File(folder / "ply_data_train0.h5", "w") as file:
        file.create_dataset("data", (10**6, 10**6, 3), np.float32, chunks=(1, 1024, 3))
        file["label"] = np.zeros(2, np.uint8)


@pytest.mark.parametrize(
    ("write", "match"),
    [
        pytest.param(other_text("ball/ball_0000.txt", b"1,2,x\n"), "'ball_0000.txt': expected lines", id="word"),
        pytest.param(other_text("ball/ball_0000.txt", b"\xff\xfe1,2"), "'ball_0000.txt': expected lines", id="bytes"),
        pytest.param(other_text("ball/ball_0000.txt", b"1,nan,3\n"), "expected finite coordinates", id="nan"),
        pytest.param(other_text("modelnet40_shape_names.txt", b"ball\xff"), "expected text in UTF-8", id="no_text"),
        pytest.param(huge, r"expected what takes at most .* got arrays of \(1000000, 1000000, 3\)", id="huge_arrays"),
        pytest.param(lambda folder: None, "expected in .* a folder for each class, got none of them", id="empty"),
        pytest.param(no_labels, "'ply_data_train0.h5': expected an HDF5 file with data and label", id="no_labels"),
        pytest.param(damaged, "'ply_data_test0.h5': expected an HDF5 file with data and label", id="damaged"),
        pytest.param(one_name, "train: expected labels from 0 to 0, got 0 to 1", id="more_labels_than_names"),
        pytest.param(no_class, "with a known class, got 'chair_0001'", id="unknown_class"),
        pytest.param(no_files, "expected files to train 'zebra' with, ending in .off", id="a_class_without_files"),
    ],
)
def test_malformed(tmp_path, write, match):
    write(tmp_path)
    with pytest.raises(ValueError, match=match):
        read_class_clouds(tmp_path, 24)


def test_a_variant_that_is_not_there(tmp_path):
    scanobjectnn_h5(tmp_path)
    with pytest.raises(ValueError, match=r"expected training_objectdataset.h5 in .*, got test_objectdataset_augm"):
        read_class_clouds(tmp_path, 24, "objectdataset")


def test_no_folder(tmp_path):
    with pytest.raises(ValueError, match=r"expected a folder of classified clouds, got .*nowhere, which is none"):
        read_class_clouds(tmp_path / "nowhere", 24)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        pytest.param("a.txt", "1 2 3\nfour 5 6\n", "expected lines with x, y, z first, in numbers", id="words"),
        pytest.param("a.txt", "1 2\n3 4\n", r"expected lines with x, y, z first, got \(2, 2\)", id="two_columns"),
        pytest.param("a.xyz", "", "expected lines with x, y, z first", id="empty"),
        pytest.param("a.txt", "1 2 nan\n", "expected finite coordinates", id="nan"),
        pytest.param("a.pcd", "FIELDS x y z\nDATA binary\n", "expected a whole PCD file", id="pcd_header"),
        pytest.param("a.off", "OFF\n3 1 0\n0 0 0\n", "'a.off': expected a whole OFF file", id="cut_short"),
    ],
)
def test_a_file_without_points(tmp_path, name, text, match):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=match):
        read_points(tmp_path / name)


@pytest.mark.parametrize(
    "header", [pytest.param("OFF\n4 2 0\n", id="two_lines"), pytest.param("OFF4 2 0\n", id="run_together")]
)
def test_a_mesh_stands_for_its_surface(tmp_path, header):
    """ModelNet's OFF files run the header together. A square of two triangles: points lie all over it."""
    path = tmp_path / "square.off"
    path.write_text(header + "0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n")
    points = read_points(path, 500)
    assert points.shape == (500, 3)
    assert np.array_equal(points, read_points(path, 500))
    assert points[:, 2].max() == 0
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=2, range=[[0, 1], [0, 1]])
    assert counts.min() > 80


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, id=name) for name in ("ballA.off", "rabbit.obj", "teapot.stl", "points_ascii.ply")],
)
def test_real_meshes_and_clouds(shared_data, name):
    points = read_points(shared_data / "meshes_trimesh" / name)
    assert points.shape[0] > 4
    assert np.isfinite(points).all()
    sphere = in_unit_sphere(points)
    np.testing.assert_allclose(sphere.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1).max(), 1, atol=1e-5)


def test_real_pcd_files_have_every_point(shared_data):
    path = shared_data / "pcl_animals" / "ism_train_cat.pcd"
    points = read_points(path)
    assert points.shape == (3400, 3)
    assert np.isclose(points, [-17.03417778, 18.97228241, 40.48240280]).all(1).sum() == 1
