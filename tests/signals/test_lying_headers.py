"""Arrays, volumes and meshes whose headers announce more than there is, or more than memory holds, are refused."""

import gzip
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deixis.errors import InputError
from deixis.files.budget import VARIABLE
from deixis.signals import open_signal
from deixis.signals.mesh_files import read_surface
from tests import announced


def text(path: Path, content: str) -> None:
    path.write_text(content)


def npy(shape: str, dtype: str = "<f8") -> bytes:
    """An NPY file whose header says this shape and type, with 80 bytes of numbers behind it."""
    return announced.npy(shape, dtype) + bytes(80)


HEADERS = [
    ("more than there is", npy(f"({10**12},)"), "mmap length is greater"),
    ("beyond 64 bits", npy(f"({10**30},)"), "cannot read"),
    ("below nothing", npy("(-5,)"), "cannot read"),
    ("nested deeply", npy("(" * 300 + ")" * 300), "cannot read"),
    ("numbers without bytes", npy(f"({10**9},)", "|V0"), "which has no bytes"),
    ("objects", npy("(10,)", "|O"), "cannot read"),
    ("no header", b"\x93NUMPY", "cannot read"),
    ("no tuple", npy("10**9"), "cannot read"),
]


@pytest.mark.parametrize("prefix", ["", "depth:", "normal:", "imu:", "fmri:"])
@pytest.mark.parametrize(("content", "match"), [pytest.param(*rest, id=case) for case, *rest in HEADERS])
def test_headers_of_arrays(content: bytes, match: str, prefix: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.npy").write_bytes(content)
    with pytest.raises(InputError, match=match):
        open_signal(f"{prefix}a.npy")


def archive(path: Path, content: bytes, flag: int = 0, method: int = zipfile.ZIP_DEFLATED) -> None:
    """An NPZ with one array; flag: its bits in the lists of the archive, 1 for encrypted."""
    with zipfile.ZipFile(path, "w", method) as members:
        members.writestr("xyz.npy", content)
    packed = bytearray(path.read_bytes())
    packed[6] |= flag
    packed[packed.rfind(b"PK\x01\x02") + 8] |= flag
    path.write_bytes(packed)


ARCHIVES = [
    ("encrypted", npy("(10,)"), 1, zipfile.ZIP_DEFLATED, "encrypted"),
    ("other compression", npy("(10,)"), 0, zipfile.ZIP_LZMA, "compressed by method 14"),
    ("shorter than it says", npy(f"({10**12},)"), 0, zipfile.ZIP_DEFLATED, "shorter than its header says"),
    ("many zeros", npy("(10,)") + bytes(3 * 2**20), 0, zipfile.ZIP_DEFLATED, "got an archive of 31.* bytes"),
    ("objects", npy("(10,)", "|O"), 0, zipfile.ZIP_DEFLATED, "holds Python objects"),
]


@pytest.mark.parametrize(
    ("content", "flag", "method", "match"), [pytest.param(*rest, id=case) for case, *rest in ARCHIVES]
)
def test_archives_of_arrays(content: bytes, flag: int, method: int, match: str, tmp_path: Path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "2")
    archive(tmp_path / "a.npz", content, flag, method)
    with pytest.raises(InputError, match=match):
        open_signal(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("shape", "offset", "match"),
    [
        pytest.param((640, 640, 640), 352, r"numbers of shape \(640, 640, 640\), which takes 250 MB", id="many_voxels"),
        pytest.param((8, 8, 8), 1e9, "numbers of shape", id="numbers_far_behind"),
        pytest.param((300, 300, 80), 352, r"a volume of shape \(300, 300, 80\)", id="volume_once_it_is_scaled"),
    ],
)
def test_a_volume_that_inflates(shape: tuple[int, ...], offset: float, match: str, tmp_path: Path, monkeypatch):
    nibabel = pytest.importorskip("nibabel")
    monkeypatch.setenv(VARIABLE, "100")
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.uint8)
    header["vox_offset"], header["magic"] = offset, b"n+1"
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(10**7)))
    with pytest.raises(InputError, match=match):
        open_signal(tmp_path / "a.nii.gz")


def glb(path: Path, content: dict, buffer: bytes = bytes(48)) -> None:
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(buffer), 0x004E4942) + buffer
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)


def scene(**more) -> dict:
    """The JSON of a GLB file of four points, with other fields."""
    return {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "mode": 0}]}],
        "accessors": [{"bufferView": 0, "count": 4, "componentType": 5126, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 48}],
        "buffers": [{"byteLength": 48}],
    } | more


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n%%EOF"
ply = "ply\nformat {} 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\nend_header\n1 2 3\n"
pcd = "# .PCD v0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH {0}\nHEIGHT 1\nPOINTS {0}\nDATA {1}\n"


def facet(number: str) -> str:
    """A triangle of an STL file as text."""
    corner = f"vertex {number} {number} {number}\n"
    return f"facet normal 0 0 1\nouter loop\n{corner * 3}endloop\nendfacet\n"


MESHES = [
    ("ply of 10^9 vertices", "a.ply", lambda p: text(p, ply.format("ascii", 10**9)), "announces 1000000000 elements"),
    ("binary ply", "a.ply", lambda p: text(p, ply.format("binary_little_endian", 10**9)), "announces 1000000000"),
    ("off of 10^9 vertices", "a.off", lambda p: text(p, f"OFF\n{10**9} 1 1\n1 2 3\n"), "announces 1000000000 vertices"),
    ("pcd of 10^9 points", "a.pcd", lambda p: text(p, pcd.format(10**9, "ascii") + "1 2 3\n"), "1000000000 points"),
    ("binary pcd", "a.pcd", lambda p: text(p, pcd.format(10**9, "binary")), "got 1000000000 points of 12 bytes"),
    (
        "pcd of a long word",
        "a.pcd",
        lambda p: text(p, pcd.format(1, "ascii") + "1 2 " + "3" * 1000),
        "has 1000 letters",
    ),
    ("off of a long word", "a.off", lambda p: text(p, "OFF\n1 0 0\n1 2 " + "3" * 1000), "has 1000 letters"),
    ("off of many words", "a.off", lambda p: text(p, "OFF\n1 0 0\n" + "1 " * 10**5), "got 100003 numbers as text"),
    (
        "glb of zeros",
        "a.glb",
        lambda p: glb(p, scene(accessors=[{"count": 10**9, "componentType": 5126, "type": "VEC3"}])),
        "got 1000000000 vertices",
    ),
    (
        "glb of one view many times",
        "a.glb",
        lambda p: glb(p, scene(bufferViews=[{"buffer": 0, "byteLength": 10**6}] * 1000)),
        "of 1000 views",
    ),
    (
        "glb of one mesh many times",
        "a.glb",
        lambda p: glb(p, scene(nodes=[{"mesh": 0}] * 30_000, scenes=[{"nodes": list(range(30_000))}])),
        "got 120000 vertices in 30000 places",
    ),
    (
        "glb of a drawing as texture",
        "a.glb",
        lambda p: glb(
            p,
            scene(
                images=[{"bufferView": 1}],
                bufferViews=[{"buffer": 0, "byteLength": 48}, {"buffer": 0, "byteOffset": 48, "byteLength": len(EPS)}],
            ),
            bytes(48) + EPS,
        ),
        "'texture': expected an image, got content that is none",
    ),
    (
        "glb of a view below nothing",
        "a.glb",
        lambda p: glb(p, scene(bufferViews=[{"buffer": 0, "byteLength": n} for n in (48, 10**9, -(10**9))])),
        "its JSON has a size of -1000000000",
    ),
    (
        "glb of a count below nothing",
        "a.glb",
        lambda p: glb(p, scene(accessors=[{"count": -4, "componentType": 5126, "type": "VEC3"}])),
        "its JSON has a size of -4",
    ),
    ("obj of a long line", "a.obj", lambda p: text(p, "f" + " 1" * 2**20), "line 1 has 2097153 letters"),
    ("obj of a line that goes on", "a.obj", lambda p: text(p, "v \\\n" * 2**19), "line 262145 has 1048580 letters"),
    *(
        (f"{name} beyond the budget", f"a.{name}", lambda p: p.write_bytes(bytes(11 * 2**20)), "got a file of 11534336")
        for name in ("obj", "off", "pcd")
    ),
    ("stl as text", "a.stl", lambda p: text(p, facet("0.123456") * 3700), "got a STL file of .* takes 1. MB"),
    (
        "stl of short lines",
        "a.stl",
        lambda p: text(p, "solid\n" + "vertex 0 0 0\n" * 42000),
        "got a STL file of 546006",
    ),
    ("stl of wide letters", "a.stl", lambda p: text(p, "solid 😀\n" + facet("0") * 3200), "got a STL file of"),
    ("stl of many solids", "a.stl", lambda p: text(p, "solid\nendsolid\n" * 1300), "got a STL file of 19500 bytes"),
    ("glb of nothing", "a.glb", lambda p: glb(p, {"accessors": 5}), "its JSON lacks what it refers to"),
]


@pytest.mark.parametrize(("name", "make", "match"), [pytest.param(*rest, id=case) for case, *rest in MESHES])
def test_meshes(name: str, make: Callable[[Path], None], match: str, tmp_path: Path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "10")
    make(tmp_path / name)
    with pytest.raises(InputError, match=match):
        open_signal(tmp_path / name, "point_cloud")


@pytest.mark.parametrize(
    "faces",
    [
        pytest.param("f 1/1/1 2/2/2 3/3/3\n" * 9000, id="corners"),
        pytest.param("usemtl a\nf 1 2 3\n" * 700, id="materials"),
    ],
)
def test_the_surface_of_an_obj_beyond_the_budget_is_not_loaded(faces: str, tmp_path: Path, monkeypatch):
    text(tmp_path / "a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n" + faces)
    assert read_surface(tmp_path / "a.obj", 5) is not None
    monkeypatch.setenv(VARIABLE, "10")
    assert read_surface(tmp_path / "a.obj", 5) is None
    assert len(open_signal(tmp_path / "a.obj").values) == 3


def test_the_scene_of_these_tests_is_whole(tmp_path: Path):
    glb(tmp_path / "a.glb", scene(), np.arange(12, dtype="<f4").tobytes())
    assert open_signal(tmp_path / "a.glb").values[:, :3].tolist() == np.arange(12).reshape(4, 3).tolist()
