"""Mesh files as programs write them: OBJ, OFF, PLY and PCD in their variants, faces, and what is not read of them."""

import numpy as np
import pytest

from deixis.signals import open_signal
from deixis.signals.mesh_files import read_surface
from deixis.signals.off_files import read_off

CORNERS = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
RGB = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
PLY_HEAD = "ply\nformat ascii 1.0\nelement vertex 3\n"


def rows(*columns):
    return "".join(" ".join(str(n) for part in row for n in part) + "\n" for row in zip(*columns, strict=True))


def ply(names, kind, columns):
    properties = [f"property float {axis}\n" for axis in "xyz"] + [f"property {kind} {name}\n" for name in names]
    return PLY_HEAD + "".join(properties) + "end_header\n" + rows(CORNERS, columns)


@pytest.mark.parametrize(
    ("name", "content", "rgb"),
    [
        pytest.param("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 \\\n 3\n", None, id="obj_continued_face"),
        pytest.param("a.obj", "v 0 0 \\\n0\nv 1 0 0\nv 0 1 \\\r\n0\n", None, id="obj_continued_vertex"),
        pytest.param("a.off", "OFF\n3 2 0\n" + rows(CORNERS) + "3 0\n1 2\n3 2 1\n0\n", None, id="off_faces_over_lines"),
        pytest.param("a.off", "OFF 3 1 0 0 0 0 1 0 0 0 1 0 3 0 1 2", None, id="off_in_one_line"),
        pytest.param("a.off", "OFF # a\n# b\n\n3 0 0\n" + rows(CORNERS), None, id="off_comments"),
        pytest.param("a.off", "COFF\n3 0 0\n" + rows(CORNERS, [[*c, 255] for c in RGB]), RGB, id="coff_with_alpha"),
        pytest.param("a.off", "COFF\n3 0 0\n" + rows(CORNERS, RGB), RGB, id="coff"),
        pytest.param(
            "a.off",
            "COFF\n3 0 0\n" + rows(CORNERS, [["1.0", "0.0", "0.0", "1.0"]] * 3),
            [RGB[0]] * 3,
            id="coff_of_floats",
        ),
        pytest.param("a.off", "CNOFF\n3 0 0\n" + rows(CORNERS, [[0, 0, 1]] * 3, RGB), RGB, id="off_normals_first"),
        pytest.param("a.off", "NOFF\n3 0 0\n" + rows(CORNERS, [[0, 0, 1]] * 3), None, id="off_normals"),
        pytest.param("a.off", "OFF3 1 0\n" + rows(CORNERS) + "3 0 1 2\n", None, id="off_counts_at_the_word"),
        pytest.param("a.off", "3 1 0\n" + rows(CORNERS) + "3 0 1 2\n", None, id="off_without_the_word"),
        pytest.param("a.off", "4OFF\n3 0 0\n0 0 0 1\n2 0 0 2\n0 .5 0 .5\n", None, id="off_homogeneous"),
        pytest.param("a.off", "nOFF 3\n3 0 0\n" + rows(CORNERS), None, id="off_of_three_dimensions"),
        pytest.param(
            "a.off",
            "STCN4OFF\n3 0 0\n" + rows(CORNERS, [[1, 0, 0, 1]] * 3, RGB, [[255, 0.5, 0.5]] * 3),
            RGB,
            id="off_of_all_letters",
        ),
        pytest.param("a.ply", ply("rgb", "uchar", RGB), RGB, id="ply_r_g_b"),
        pytest.param(
            "a.ply", ply([f"diffuse_{c}" for c in ("red", "green", "blue")], "uchar", RGB), RGB, id="ply_diffuse"
        ),
        pytest.param(
            "a.ply", ply(("blue", "green", "red"), "uchar", [c[::-1] for c in RGB]), RGB, id="ply_other_order"
        ),
        pytest.param(
            "a.ply",
            ply(("red", "green", "blue"), "ushort", (np.array(RGB) * 257).tolist()),
            RGB,
            id="ply_16_bits",
        ),
    ],
)
def test_vertices_and_colours_however_they_are_written(tmp_path, name, content, rgb):
    (tmp_path / name).write_text(content, newline="")
    signal = open_signal(tmp_path / name)
    np.testing.assert_array_equal(signal.values[:, :3], CORNERS)
    assert signal.info["has_colours"] == (rgb is not None)
    if rgb is not None:
        np.testing.assert_allclose(signal.values[:, 3:] * 255, rgb, atol=1e-4)


def binary_off(order, letters="", colour=(), face_colour=()):
    head = f"{letters}OFF BINARY # from a program\n".encode()
    table = b"".join(np.array([*row, *colour], order + "f4").tobytes() for row in CORNERS)
    face = np.array([3, 0, 1, 2, len(face_colour)], order + "i4").tobytes()
    return (
        head
        + np.array([3, 1, 0], order + "i4").tobytes()
        + table
        + face
        + np.array(face_colour, order + "f4").tobytes()
    )


@pytest.mark.parametrize("order", [">", "<"])
def test_binary_off(tmp_path, order):
    """Both byte orders, with colours of vertices and of faces; a cut file is refused."""
    path = tmp_path / "a.off"
    path.write_bytes(binary_off(order, "C", (0, 1, 0, 1), (1, 0, 0)))
    signal = open_signal(path)
    np.testing.assert_array_equal(signal.values, [[*corner, 0, 1, 0] for corner in CORNERS])
    assert signal.info["ignored"] == ("colours of faces",)
    path.write_bytes(binary_off(order))
    np.testing.assert_array_equal(open_signal(path).values[:, :3], CORNERS)
    assert read_surface(path, 5).shape == (5, 3)
    path.write_bytes(binary_off(order)[:-8])
    with pytest.raises(ValueError, match=r"expected a whole OFF file.*1 faces, 0 came"):
        open_signal(path)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ("nOFF\n5\n1 0 0\n0 0 0 0 0\n", "got nOFF with 5 coordinates; write it as OFF or PLY"),
        ("4nOFF\n3\n1 0 0\n0 0 0 1\n", "got 4nOFF with 3 coordinates and a homogeneous one"),
    ],
)
def test_an_off_file_of_other_dimensions_is_named(tmp_path, head, sentence):
    (tmp_path / "a.off").write_text(head)
    with pytest.raises(ValueError, match=f"'a.off': expected vertices with x, y, z, {sentence}"):
        open_signal(tmp_path / "a.off")


SQUARE = [[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("faces", "area", "ignored"),
    [
        pytest.param("4 0 1 2 3\n3 0 1 2\n", 3, (), id="polygons_of_two_sizes"),
        pytest.param("3 0 1 2 255 0 0\n4 0 1 2 3\n", 3, ("colours of faces",), id="colour_of_one"),
        pytest.param("3 0 1 2 3\n3 0 2 3 1\n", 2, ("colours of faces",), id="indices_of_a_colour_map"),
        pytest.param("3 0\n1 2 .5 .5 .5 1\n3 0 2\n3 0 0 1\n", 2, ("colours of faces",), id="over_lines_with_colours"),
        pytest.param("3 0 1 2 4 0 1\n2 3", 3, (), id="several_on_a_line"),
    ],
)
def test_faces_of_off_are_a_surface(tmp_path, faces, area, ignored):
    path = tmp_path / "a.off"
    path.write_text("OFF\n4 2 0\n" + rows(SQUARE) + faces)
    mesh = read_off(path.read_bytes(), path.name)
    assert mesh.ignored == ignored
    edges = mesh.xyz[mesh.triangles[:, 1:]] - mesh.xyz[mesh.triangles[:, :1]]
    assert np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2 == area
    assert read_surface(path, 9).shape == (9, 3)


TRIANGLE_OBJ = "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvn 0 0 1\nvt 0 0\nusemtl red\nf 1/1/1 2/1/1 3/1/1\n"
PCD_HEAD = "# .PCD v.7\nFIELDS x y z normal_x intensity rgb\nSIZE 4 4 4 4 4 4\nTYPE F F F F F F\nPOINTS 3\nDATA ascii\n"
OPAQUE, CLEAR = ([[*rgb, alpha] for rgb, alpha in zip(RGB, alphas, strict=True)] for alphas in ([255] * 3, [255, 9, 0]))
FACE_HEAD = "element face 1\nproperty list uchar int vertex_indices\nproperty float quality\nend_header"


@pytest.mark.parametrize(
    ("name", "content", "ignored"),
    [
        ("a.ply", ply(("nx", "ny", "nz"), "float", CORNERS), ("normals",)),
        ("a.ply", ply(("red", "green", "blue", "alpha"), "uchar", OPAQUE), ()),
        ("a.ply", ply(("red", "green", "blue", "alpha"), "uchar", CLEAR), ("vertex properties alpha",)),
        (
            "a.ply",
            ply([f"scale_{i}" for i in range(6)], "float", [range(6)] * 3),
            ("vertex properties scale_0, scale_1, scale_2, scale_3 and 2 more",),
        ),
        (
            "a.ply",
            ply((), "float", [()] * 3).replace("end_header", FACE_HEAD) + "3 0 1 2 0.5\n",
            ("face properties quality",),
        ),
        ("a.off", "NOFF\n3 0 0\n" + rows(CORNERS, [[0, 0, 1]] * 3), ("normals",)),
        ("a.obj", TRIANGLE_OBJ, ("materials and textures", "normals", "texture coordinates")),
        ("a.obj", "v 0 0 0 1 0 0\nv 1 0 0\nv 0 1 0\n", ("colours, which 2 of 3 vertices lack",)),
        (
            "a.pcd",
            PCD_HEAD + rows(CORNERS, [["0", "9", "nan"]] * 3),
            ("normals", "vertex properties intensity", "colours of 3 of 3 points, written as nan"),
        ),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(tmp_path, name, content, ignored):
    (tmp_path / name).write_text(content)
    assert open_signal(tmp_path / name).info["ignored"] == ignored


def test_colours_of_gaussians(tmp_path):
    """Half of the constant harmonic's range is grey; what lies beyond black and white is cut."""
    harmonics = [[0, 0, 0], [5, -5, 0], [0.5 / 0.28209479177387814, 0, 0]]
    (tmp_path / "a.ply").write_text(
        ply(("opacity", "f_dc_0", "f_dc_1", "f_dc_2"), "float", [[1, *h] for h in harmonics])
    )
    signal = open_signal(tmp_path / "a.ply")
    np.testing.assert_allclose(signal.values[:, 3:], [[0.5, 0.5, 0.5], [1, 0, 0.5], [1, 0.5, 0.5]], atol=1e-6)
    assert signal.info["ignored"] == ("vertex properties opacity",)
