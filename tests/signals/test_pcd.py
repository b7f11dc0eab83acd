"""PCD clouds: every encoding of the same points opens as the same points; incomplete files are refused."""

import struct

import numpy as np
import pytest

from deixis.signals import open_signal

POINTS = np.array([[1.5, -2, 3], [0.25, 1e-3, 7], [4, 5, 6], [4, 5, 6], [4, 5, 6], [4, 5, 6]], dtype="<f4")
RGB = np.array([[255, 0, 9], [1, 2, 3], [200, 100, 50], [0, 0, 0], [7, 8, 9], [255, 255, 255]], dtype=np.uint8)
PACKED = (RGB.astype("<u4") * np.array([65536, 256, 1], dtype="<u4")).sum(1).astype("<u4")


def header(data, fields="x y z", sizes="4 4 4", types="F F F", counts="1 1 1", count=len(POINTS)):
    lines = ("# .PCD v.7 - Point Cloud Data file format", "VERSION .7", f"FIELDS {fields}", f"SIZE {sizes}")
    lines += (f"TYPE {types}", f"COUNT {counts}", f"WIDTH {count}", "HEIGHT 1", "VIEWPOINT 0 0 0 1 0 0 0")
    return ("\n".join((*lines, f"POINTS {count}", f"DATA {data}")) + "\n").encode()


def text(rows):
    return "\n".join(" ".join(str(number) for number in row) for row in rows).encode() + b"\n"


def lzf(data):
    """LZF as a packer may write it: literals of at most 32 bytes, and repeats of the last 12 bytes as copies."""
    packed, place = bytearray(), 0
    while place < len(data):
        length = 0
        while place >= 12 and length < 264 and place + length < len(data):
            if data[place + length] != data[place + length - 12]:
                break
            length += 1
        if length >= 9:  # offset 12, in copies of 9 bytes or more
            packed += bytes([7 << 5, length - 9, 11])
            place += length
        else:
            run = data[place : place + 1]
            packed += bytes([len(run) - 1]) + run
            place += len(run)
    return bytes(packed)


def compressed(columns):
    whole = b"".join(column.tobytes() for column in columns)
    packed = lzf(whole)
    return struct.pack("<II", len(packed), len(whole)) + packed


def with_colours(kind):
    return {"fields": "rgb x y z", "sizes": "4 4 4 4", "types": f"{kind} F F F", "counts": "1 1 1 1"}


ROWS = np.zeros(len(POINTS), dtype=[("rgb", "<u4"), ("xyz", "<f4", 3)])
ROWS["rgb"], ROWS["xyz"] = PACKED, POINTS
MIXED = np.zeros(len(POINTS), dtype=[("n", "<f8", 2), ("z", "<f8"), ("y", "<f4"), ("pad", "u1", 3), ("x", "<i4")])
MIXED["x"], MIXED["y"], MIXED["z"] = POINTS[:, 0], POINTS[:, 1], POINTS[:, 2]
OTHER_ORDER = {"fields": "n z y _ x", "sizes": "8 8 4 1 4", "types": "F F F U I", "counts": "2 1 1 3 1"}


@pytest.mark.parametrize(
    ("content", "coloured"),
    [
        pytest.param(header("ascii") + text(POINTS.tolist()), False, id="ascii"),
        pytest.param(header("binary") + POINTS.tobytes(), False, id="binary"),
        pytest.param(header("binary_compressed") + compressed(POINTS.T.copy()), False, id="compressed"),
        pytest.param(
            header("ascii", **with_colours("U"))
            + text([[c, *p] for c, p in zip(PACKED, POINTS.tolist(), strict=True)]),
            True,
            id="ascii_colours",
        ),
        pytest.param(
            header("ascii", **with_colours("F"))
            + text([[repr(float(c)), *p] for c, p in zip(PACKED.view("<f4"), POINTS.tolist(), strict=True)]),
            True,
            id="ascii_colours_as_floats",
        ),
        pytest.param(header("binary", **with_colours("F")) + ROWS.tobytes(), True, id="binary_colours_as_floats"),
        pytest.param(
            header("binary_compressed", **with_colours("U")) + compressed([PACKED, *POINTS.T]),
            True,
            id="compressed_colours",
        ),
        pytest.param(header("ascii").replace(b"\n", b"\r\n") + text(POINTS.tolist()), False, id="windows_lines"),
    ],
)
def test_the_same_points_however_they_are_written(tmp_path, content, coloured):
    (tmp_path / "a.pcd").write_bytes(content)
    signal = open_signal(tmp_path / "a.pcd")
    assert signal.modality == "point_cloud"
    np.testing.assert_array_equal(signal.values[:, :3], POINTS)
    np.testing.assert_allclose(signal.values[:, 3:], RGB / 255 if coloured else 0.5, atol=1e-6)


def test_fields_are_found_in_any_order_and_of_any_type(tmp_path):
    (tmp_path / "a.pcd").write_bytes(header("binary", **OTHER_ORDER) + MIXED.tobytes())
    expected = POINTS.copy()
    expected[:, 0] = np.trunc(expected[:, 0])
    np.testing.assert_array_equal(open_signal(f"point_cloud:{tmp_path / 'a.pcd'}").values[:, :3], expected)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        pytest.param(b"# .PCD v.7", "its header has no line DATA", id="header_cut"),
        pytest.param(b"# .PCD v.7\nDATA ascii\n1 2 3\n", "its header has no FIELDS", id="no_fields"),
        pytest.param(header("ascii", fields="x y i"), "its points have no field z, only x y i", id="no_z"),
        pytest.param(header("ascii", sizes="4 4"), "are not equally many", id="sizes"),
        pytest.param(header("ascii", counts="1 1 2"), "its field z has 2 numbers per point", id="two_z"),
        pytest.param(header("binary", types="F F Q") + POINTS.tobytes(), "cannot be read", id="type"),
        pytest.param(header("zip"), "its DATA is 'zip', not ascii, binary or binary_compressed", id="data"),
        pytest.param(header("ascii") + b"1 2 3\n4 5 6\n", "announces 6 points of 3 numbers, 6 numbers", id="cut"),
        pytest.param(header("ascii", count=1) + b"1 two 3\n", "cannot be read", id="words"),
        pytest.param(header("binary") + POINTS.tobytes()[:-1], "6 points in 72 bytes, 71 came", id="binary_cut"),
        pytest.param(
            header("binary_compressed") + compressed(POINTS.T.copy())[:-1], "announces 72 bytes", id="compressed_cut"
        ),
        pytest.param(
            header("binary_compressed") + struct.pack("<II", 3, 72) + b"\xe0\x00\x05", "copy of nothing", id="copy"
        ),
        pytest.param(header("ascii", count=0), "got none", id="no_points"),
        pytest.param(header("ascii", count=1) + b"nan nan nan\n", "in 1 of 1 points", id="nan"),
    ],
)
def test_a_file_that_is_not_whole_is_one_sentence(tmp_path, content, match):
    (tmp_path / "a.pcd").write_bytes(content)
    with pytest.raises(ValueError, match=match) as caught:
        open_signal(tmp_path / "a.pcd")
    assert "\n" not in str(caught.value)
    assert "'a.pcd'" in str(caught.value)


@pytest.mark.parametrize("name", ["cat", "horse", "lioness", "michael", "wolf"])
def test_real_files_open(shared_data, name):
    path = shared_data / "pcl_animals" / f"ism_train_{name}.pcd"
    signal = open_signal(path)
    lines = path.read_text().split("DATA ascii\n")[1].splitlines()
    assert len(signal.values) == len(lines) >= 3400
    np.testing.assert_allclose(signal.extent.points_xyz[-1], [float(word) for word in lines[-1].split()[:3]], rtol=1e-6)
    assert open_signal(f"point_cloud:{path}").digest == signal.digest


@pytest.mark.parametrize(
    ("colours", "expected"),
    [
        pytest.param(("nan", "nan"), [[0.5] * 3] * 2, id="all"),
        pytest.param(("nan", "2.3418052e-38"), [[127 / 255] * 3, [1, 0, 0]], id="one"),
    ],
)
def test_a_colour_that_text_has_lost_is_grey(tmp_path, colours, expected):
    """Bits that are no number as a float are written as nan."""
    header = "# .PCD v0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F F\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA ascii\n"
    (tmp_path / "a.pcd").write_text(f"{header}0 0 0 {colours[0]}\n1 0 0 {colours[1]}\n")
    np.testing.assert_allclose(open_signal(tmp_path / "a.pcd").values[:, 3:], expected, atol=0.01)
