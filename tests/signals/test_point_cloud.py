"""Clouds: vertices stay the file's vertices, colours are kept, and the chosen points are reported."""

import io

import numpy as np
import pytest
import trimesh

from deixis.signals import PointCloudSpec, chosen_indices, open_signal, to_tensor


def cloud(count=50, seed=0):
    return np.random.default_rng(seed).uniform(-2, 3, (count, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(np.zeros((0, 3)), "at least one point, got none", id="empty"),
        pytest.param(np.array([[0, 0, np.nan]]), "in 1 of 1 points", id="nan"),
        pytest.param(np.array([[0, 0, 0], [np.inf, 0, 0]]), "in 1 of 2 points", id="infinite"),
        pytest.param(np.array([[0, 0, 1e300]]), "beyond 32 bits", id="beyond-single-precision"),
        pytest.param(np.zeros((4, 4)), r"shape \(n, 3\) or \(n, 6\), got \(4, 4\)", id="four-columns"),
        pytest.param(np.zeros(12), r"got \(12,\)", id="flat"),
        pytest.param(np.full((4, 6), -0.5), "they may be normals", id="normals"),
        pytest.param(np.full((4, 6), np.nan), "in 4 of 4 points", id="all-nan"),
        pytest.param(np.array([[0, 0, 0, 0, 0, np.nan]]), "colours of 0..1 or 0..255", id="nan-colour"),
        pytest.param(np.array([[0, 0, 0, 0, 0, 256]]), "got 0 to 256", id="colour-too-large"),
    ],
)
def test_bad_array_is_one_sentence(value, message):
    with pytest.raises(ValueError, match=message):
        open_signal(value, modality="point_cloud")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.ply", b"ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nproperty float y\n"
                     b"property float z\nend_header\n", "got none", id="ply-without-points"),
        pytest.param("a.ply", b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
                     b"property float z\nend_header\n0 0 0\n1 1 1\n", "expected a whole PLY file", id="ply-cut"),
        pytest.param("a.ply", b"ply\nformat", "expected a (whole|point)", id="ply-header-cut"),
        pytest.param("a.ply", b"nothing of the kind", "expected a whole PLY file", id="ply-of-words"),
        pytest.param("a.obj", b"# nothing\n", "got none", id="obj-without-points"),
        pytest.param("a.obj", b"v 0 0 0\nv 1 0 0\nv 1 1", "line 3 has 2 coordinates", id="obj-cut"),
        pytest.param("a.obj", b"v 0 0 0\nv 1 0 0\nf 1 2 3\n", "names vertex 3, and there are 2", id="obj-face"),
        pytest.param("a.obj", b"\x7fXYZ\x00\x01\x02", "content is binary", id="obj-binary"),
        pytest.param("a.obj", b"v a b c\n", "could not convert", id="obj-words"),
        pytest.param("a.off", b"OFF\n3 1 0\n0 0 0\n", "expected a whole OFF file", id="off-cut"),
        pytest.param("a.stl", b"\x00" * 90, "expected a", id="stl-zeros"),
        pytest.param("a.glb", b"glTF\x02\x00\x00\x00", "expected a whole GLB file", id="glb-cut"),
        pytest.param("a.npz", b"PK\x03\x04 and no more", "an NPZ file", id="npz-cut"),
        pytest.param("a.npy", b"\x93NUMPY\x01\x00", "NumPy cannot read", id="npy-cut"),
    ],
)  # fmt: skip
def test_bad_file_is_one_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        open_signal(tmp_path / name)


@pytest.mark.parametrize("suffix", ["ply", "off", "stl", "glb"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_truncated_mesh_is_one_sentence(tmp_path, suffix, share):
    path = tmp_path / f"cut.{suffix}"
    trimesh.creation.icosphere(2).export(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=rf"'cut.{suffix}': expected a"):
        open_signal(path)


def test_objects_in_numpy_files_are_never_executed(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    np.savez(tmp_path / "a.npz", points=np.array([{}]))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(ValueError, match="holds Python objects"):
            open_signal(tmp_path / name)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        pytest.param({"mass": np.zeros(3), "speed": np.zeros(3)}, "an array named xyz or points", id="names"),
        pytest.param({"xyz": cloud(4), "rgb": cloud(3)}, "as many colours", id="counts"),
        pytest.param({"xyz": np.array(["a", "b", "c"])}, "expected points", id="strings"),
    ],
)
def test_bad_npz_is_one_sentence(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        open_signal(tmp_path / "a.npz")


def test_npz_and_npy(tmp_path):
    xyz, rgb = cloud(), np.random.default_rng(1).integers(0, 255, (50, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", xyz=xyz, rgb=rgb, label=np.zeros(50))
    np.save(tmp_path / "a.npy", np.concatenate([xyz, rgb / 255], axis=1))
    for name in ("a.npz", "a.npy"):
        signal = open_signal(tmp_path / name)
        np.testing.assert_allclose(signal.values[:, :3], xyz)
        np.testing.assert_allclose(signal.values[:, 3:], rgb / 255, atol=1e-6)


@pytest.mark.parametrize("suffix", ["ply", "obj", "off", "glb"])
def test_mesh_vertices_keep_their_order(tmp_path, suffix):
    mesh = trimesh.creation.icosphere(2)
    mesh.export(tmp_path / f"ball.{suffix}")
    signal = open_signal(tmp_path / f"ball.{suffix}")
    assert signal.values.shape == (len(mesh.vertices), 6)
    np.testing.assert_allclose(signal.values[:, :3], mesh.vertices, atol=1e-6)
    assert (signal.values[:, 3:] == 0.5).all()
    assert signal.info["has_colours"] is False


@pytest.mark.parametrize("suffix", ["ply", "obj", "glb"])
def test_vertex_colours_are_kept(tmp_path, suffix):
    mesh = trimesh.creation.box()
    mesh.visual.vertex_colors = np.arange(32, dtype=np.uint8).reshape(8, 4) + 100
    expected = np.asarray(mesh.visual.vertex_colors)[:, :3] / 255
    mesh.export(tmp_path / f"box.{suffix}")
    signal = open_signal(tmp_path / f"box.{suffix}")
    np.testing.assert_allclose(signal.values[:, 3:], expected, atol=0.002)


def test_a_cloud_without_faces_and_a_scene(tmp_path):
    points = trimesh.PointCloud(cloud(), colors=np.full((50, 3), 51, np.uint8))
    points.export(tmp_path / "points.ply")
    signal = open_signal(tmp_path / "points.ply")
    np.testing.assert_allclose(signal.values[:, :3], cloud(), atol=1e-6)
    np.testing.assert_allclose(signal.values[:, 3:], 0.2, atol=1e-6)
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box())
    scene.add_geometry(trimesh.creation.icosphere(1), transform=trimesh.transformations.translation_matrix([9, 0, 0]))
    scene.export(tmp_path / "scene.glb")
    signal = open_signal(tmp_path / "scene.glb")
    assert len(signal.values) == 8 + 42
    assert (signal.values[:, 0] > 7).sum() == 42


def test_obj_vertices_are_those_of_the_file(tmp_path):
    """Two texture coordinates on one vertex make no second vertex; a colour after x, y, z is a colour."""
    (tmp_path / "a.obj").write_text(
        "v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 1 # blue\nvt 0 0\nvt 1 1\nf 1/1 2/1 3/1\nf 1/2 3/2 2/2\nf -1 -2 -3\n"
    )
    signal = open_signal(tmp_path / "a.obj")
    np.testing.assert_allclose(signal.values[:, 3:], np.eye(3))
    assert len(signal.values) == 3


def test_content_counts_more_than_the_ending_within_the_kind(tmp_path):
    buffer = io.BytesIO(trimesh.creation.box().export(file_type="ply"))
    for name in ("box.obj", "box"):
        (tmp_path / name).write_bytes(buffer.getvalue())
        assert open_signal(tmp_path / name).values.shape == (8, 6)


@pytest.mark.parametrize("count", [1, 7, 50, 64, 500])
def test_chosen_points(count):
    signal = open_signal(cloud())
    spec = PointCloudSpec(count=count)
    values, frame = to_tensor(signal, spec)
    indices = chosen_indices(signal, spec)
    assert values.shape == (count, 6)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() <= 1
    assert len(set(indices)) == min(count, 50)
    np.testing.assert_allclose(frame.to_file(values[:, :3]), signal.values[indices, :3], atol=1e-5)
    again, _ = to_tensor(open_signal(cloud()), spec)
    np.testing.assert_array_equal(values, again)


def test_choice_depends_on_the_content():
    spec = PointCloudSpec(count=10)
    assert set(chosen_indices(open_signal(cloud(seed=0)), spec)) != set(
        chosen_indices(open_signal(cloud(seed=1)), spec)
    )


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.full((9, 3), 5.0)], ids=["one-point", "one-place"])
def test_a_cloud_without_size(points):
    values, frame = to_tensor(open_signal(points), PointCloudSpec(count=4))
    assert np.isfinite(values).all()
    np.testing.assert_allclose(frame.to_file(values[:, :3]), points[:1].repeat(4, axis=0))


def test_map_coordinates_keep_their_precision():
    metres = cloud().astype(np.float64) + np.array([500_000, 4_500_000, 100])
    values, frame = to_tensor(open_signal(metres), PointCloudSpec(count=50))
    np.testing.assert_allclose(frame.to_file(values[:, :3]), metres, atol=1e-5)


def test_file_and_tensor_have_one_digest(tmp_path):
    torch = pytest.importorskip("torch")
    trimesh.PointCloud(cloud()).export(tmp_path / "a.ply")
    np.save(tmp_path / "a.npy", cloud())
    sources = [tmp_path / "a.ply", tmp_path / "a.npy", cloud(), torch.from_numpy(cloud()), cloud().tolist()]
    assert len({open_signal(source).digest for source in sources}) == 1


def test_the_unit_sphere_follows_the_written_formula():
    """OneLLM's cloud: less the mean of its 8192 points, over the farthest one's distance; colours as they are."""
    cloud = np.random.default_rng(0).normal(5, 3, (8192, 6))
    cloud[:, 3:] = np.random.default_rng(1).random((8192, 3))
    signal = open_signal(cloud)
    values, frame = to_tensor(signal, PointCloudSpec(8192, "sphere"))
    xyz = cloud[:, :3] - cloud[:, :3].mean(0)
    expected = xyz / np.sqrt((xyz**2).sum(1)).max()
    np.testing.assert_allclose(values, np.concatenate([expected, cloud[:, 3:]], 1), atol=1e-6)
    np.testing.assert_allclose(frame.to_unit(cloud[:, :3]) * 2 - 1, expected, atol=1e-9)
    more, few = open_signal(np.tile(cloud, (2, 1))), open_signal(cloud[:10])
    assert np.linalg.norm(to_tensor(more, PointCloudSpec(8192, "sphere"))[0][:, :3], axis=1).max() <= 1 + 1e-6
    np.testing.assert_array_equal(*(to_tensor(more, PointCloudSpec(8192, "sphere"))[0] for _ in range(2)))
    assert to_tensor(few, PointCloudSpec(8192, "sphere"))[0].shape == (8192, 6)
    assert np.isfinite(to_tensor(open_signal(np.ones((4, 3))), PointCloudSpec(8, "sphere"))[0]).all()


def test_a_scale_that_is_none():
    with pytest.raises(ValueError, match="scale: expected one of cube, sphere; got 'egg'"):
        to_tensor(open_signal(np.random.default_rng(0).random((9, 3))), PointCloudSpec(8, "egg"))


def test_what_is_not_read_of_npz_and_glb_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", xyz=cloud(), colors=cloud() * 0, normals=cloud(), label=np.zeros(50))
    assert open_signal(tmp_path / "a.npz").info["ignored"] == ("normals", "vertex properties label")
    trimesh.creation.box().export(tmp_path / "a.glb", include_normals=True)
    assert open_signal(tmp_path / "a.glb").info["ignored"] == ("normals",)
    assert open_signal(cloud()).info["ignored"] == ()
