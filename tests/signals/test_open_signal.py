"""`open_signal`: the modality is detected and checked, and anything else is refused in one sentence."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import trimesh
from PIL import Image

from deixis.errors import InputError
from deixis.signals import MODALITIES, AudioSpec, ImageSpec, name_in_folder, open_signal, to_tensor

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the real data sets are not beside this checkout")


@pytest.fixture
def folder(tmp_path):
    """One whole file of every modality."""
    Image.new("RGB", (20, 10), (9, 9, 9)).save(tmp_path / "a.png")
    Image.new("RGB", (20, 10), (9, 9, 9)).save(tmp_path / "a.jpg")
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(16000)), 16000)
    soundfile.write(tmp_path / "a.flac", np.sin(np.arange(16000)), 16000)
    trimesh.creation.box().export(tmp_path / "a.ply")
    trimesh.creation.box().export(tmp_path / "a.glb")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("none.png", "expected an image, but there is no such file", id="missing"),
        pytest.param(
            "none", r"expected an image, audio, .* or an fMRI response, but there is no such file", id="missing-bare"
        ),
        pytest.param(".", "got a folder", id="folder"),
        pytest.param("a\0.png", "null character", id="null"),
        pytest.param("x" * 400 + ".png", "cannot be read: File name too long", id="long-name"),
    ],
)
def test_what_is_not_there(tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        open_signal(f"{tmp_path}/{name}")


@pytest.mark.parametrize("paths", [["a.png"], ("a.png", Path("b.wav"))], ids=["one", "two"])
def test_a_list_of_paths_is_no_signal(paths):
    with pytest.raises(ValueError, match=rf"got a list of {len(paths)} paths; give them one by one"):
        open_signal(paths)


def test_web_address_is_refused():
    with pytest.raises(ValueError, match="got a web address; download the file first"):
        open_signal("https://example.org/a.png")


@pytest.mark.parametrize("suffix", [s for reader in MODALITIES.values() for s in reader.suffixes] + [".npy", ""])
def test_empty_and_foreign_files(tmp_path, suffix):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"got an empty file \(0 bytes\)"):
        open_signal(path)
    path.write_bytes(b"%PDF-1.7 and so on")
    with pytest.raises(ValueError, match=r"got a PDF document|NumPy cannot read|NPZ"):
        open_signal(path)
    path.write_bytes(b"neither fish nor flesh\n" * 9)
    with pytest.raises(ValueError, match=f"'(.*/)?file{suffix}': expected "):
        open_signal(path)
    path.write_bytes(bytes(range(256)) * 9)
    with pytest.raises(ValueError, match=f"'(.*/)?file{suffix}': expected "):
        open_signal(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", id="lfs"),
        pytest.param(b"\n<!DOCTYPE html><html>", "a web page", id="web-page"),
        pytest.param(b"\x00\x00\x00\x18ftypheic", "a HEIC photo", id="heic"),
    ],
)
def test_known_strangers_are_named(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=rf"'a.png': expected an image, got .*{message}"):
        open_signal(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("a.png", "b.wav", "expected audio by its name, but its content is a PNG image"),
        ("a.jpg", "b.ply", "expected a point cloud by its name, but its content is a JPEG image"),
        ("a.wav", "b.jpg", "expected an image by its name, but its content is WAV audio"),
        ("a.flac", "b.obj", "expected a point cloud by its name, but its content is FLAC audio"),
        ("a.ply", "b.wav", "expected audio by its name, but its content is a PLY cloud"),
        ("a.glb", "b.png", "expected an image by its name, but its content is a GLB mesh"),
        ("a.png", "b.mp4", "expected a video by its name, but its content is a PNG image"),
        ("a.wav", "b.nii.gz", "expected an fMRI response by its name, but its content is WAV audio"),
        ("a.jpg", "b.csv", "expected an IMU recording by its name, but its content is a JPEG image"),
    ],
)
def test_mislabelled_file(folder, name, wrong, message):
    (folder / name).rename(folder / wrong)
    with pytest.raises(ValueError, match=message):
        open_signal(folder / wrong)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.png", "image"), ("a.jpg", "image"), ("a.wav", "audio"), ("a.flac", "audio"), ("a.ply", "point_cloud")],
)
def test_kind_from_name_and_from_content(folder, name, kind):
    assert open_signal(folder / name).modality == kind
    assert open_signal(str(folder / name), modality=kind).digest == open_signal(folder / name).digest
    (folder / name).rename(folder / "bare")
    assert open_signal(folder / "bare").modality == kind
    other = "audio" if kind != "audio" else "image"
    with pytest.raises(ValueError, match=r"by the modality that was named, but its content is"):
        open_signal(folder / "bare", modality=other)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param(np.zeros((8, 9, 3), np.uint8), "image", id="rgb"),
        pytest.param(np.zeros((8, 9), np.uint8), "image", id="grey"),
        pytest.param(np.zeros((8, 3), np.uint8), "image", id="narrow-grey"),
        pytest.param(np.zeros((8, 9)), "image", id="grey-floats"),
        pytest.param(np.zeros((8, 3)), "point_cloud", id="points"),
        pytest.param(np.zeros((8, 6), np.float32), "point_cloud", id="coloured-points"),
        pytest.param(np.zeros((1, 3)), "point_cloud", id="one-point"),
        pytest.param([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], "point_cloud", id="list"),
        pytest.param((np.sin(np.arange(9999.0)), 16000), "audio", id="samples"),
    ],
)
def test_kind_of_values_in_memory(value, kind):
    signal = open_signal(value)
    assert signal.modality == kind
    assert signal.path is None
    assert signal.name.endswith("in memory")
    assert len(signal.digest) == 64
    values, frame = to_tensor(signal)
    assert values.dtype == np.float32
    assert frame.modality == kind


EXPECTED = r"expected a path, the bytes of a file, a PIL image, an array or tensor, or \(samples, rate_hz\), got "


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(None, EXPECTED + "NoneType", id="none"),
        pytest.param(7, EXPECTED + "int", id="number"),
        pytest.param(b"bytes", "'bytes in memory': expected an image, audio, a point cloud", id="bytes"),
        pytest.param({"a": 1}, "expected a mapping with 'array' and 'sampling_rate' of audio", id="mapping"),
        pytest.param(np.zeros((2, 16000)), EXPECTED + r"an array of shape \(2, 16000\)", id="two channels"),
        pytest.param(np.zeros(()), EXPECTED + r"an array of shape \(\)", id="scalar"),
        pytest.param((1, 2, 3), EXPECTED + "tuple", id="tuple"),
    ],
)
def test_what_is_no_signal(value, message):
    with pytest.raises(InputError, match=message):
        open_signal(value)


def test_kind_and_spec_are_checked():
    signal = open_signal(np.zeros((8, 9, 3), np.uint8))
    assert open_signal(signal) is signal
    with pytest.raises(ValueError, match=r"expected one of image, audio, point_cloud, .*, got 'smell'"):
        open_signal(signal, modality="smell")
    with pytest.raises(ValueError, match="expected audio, got 'image in memory', an image"):
        open_signal(signal, modality="audio")
    with pytest.raises(ValueError, match="expected ImageSpec for 'image in memory', an image, got AudioSpec"):
        to_tensor(signal, AudioSpec())
    assert to_tensor(signal, ImageSpec(size_px=16))[0].shape == (3, 16, 16)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("depth@near:a.npy", r"expected a number \(unit_m\) behind depth@, got 'near'", id="no_number"),
        pytest.param(
            "image@2:a.png", r"expected a number behind one of video \(rate_hz\), .*behind image", id="no_use"
        ),
        pytest.param("imu:none.csv", "expected an IMU recording, but there is no such file", id="missing"),
        pytest.param(
            "video:a.png", "expected a video by the modality .* but its content is a PNG image", id="wrong_kind"
        ),
        pytest.param(
            "a.png+a.jpg", "of which nothing says so; name the modality as in normal:a.png", id="unknown_pair"
        ),
        pytest.param("a.png+a.wav", "of which nothing says so; name the modality as in depth:a.png", id="unlike_pair"),
        pytest.param("audio:a.png+a.jpg", "expected two files of a depth map or .*, got audio", id="no_pair"),
        pytest.param("a.png+none.png", "^'none.png': .* no such file", id="half_a_pair"),
        pytest.param("none.png+a.png", "^'none.png': .* first file of a pair, but there is no such", id="other_half"),
        pytest.param("depth:none.png+a.png", "^'none.png': .* no such file", id="other_half_of_a_kind"),
        pytest.param("depth16.png+a.jpg", "expected the image first and its map behind the plus", id="map_first"),
        pytest.param("depth:depth16.png+a.jpg", "expected the image first and its map behind", id="map_first_named"),
        pytest.param("point:a.ply", "expected one of image, .* before the colon, got 'point'", id="other_word"),
        pytest.param("rgbd:a.png+a.jpg", "expected one of image, .* colon, got 'rgbd'", id="other_word_for_a_pair"),
        pytest.param("rgbd:none.png", "'rgbd:none.png': .* no such file", id="no_word_at_all"),
    ],
)
def test_names_that_say_nonsense(folder, monkeypatch, name, message):
    monkeypatch.chdir(folder)
    Image.fromarray(np.full((10, 20), 900, np.uint16)).save("depth16.png")
    with pytest.raises(ValueError, match=message):
        open_signal(name)


def test_names_that_say_more_than_a_path(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert open_signal("image:a.png").digest == open_signal("a.png").digest
    assert open_signal(Path("image:a.png"), modality="image").name == "a.png"
    (folder / "a.png").rename(folder / "tea+milk.png")
    (folder / "a.jpg").rename(folder / "imu:7.jpg")
    assert open_signal("tea+milk.png").name == "tea+milk.png"
    assert open_signal("./imu:7.jpg").modality == "image"
    with pytest.raises(ValueError, match=r"modality: expected depth, as 'depth:x.npy' says, got 'image'"):
        open_signal("depth:x.npy", modality="image")
    with pytest.raises(ValueError, match=r"rate_hz=: expected no such number for an image, got 5"):
        open_signal("tea+milk.png", rate_hz=5)
    with pytest.raises(ValueError, match=r"rate_hz=: expected unit_m= only for a depth map, got 5"):
        open_signal(np.ones((8, 9)), modality="depth", rate_hz=5)


def test_names_in_a_folder(folder):
    (folder / "b+c.png").write_bytes((folder / "a.png").read_bytes())
    names = (
        "a.png",
        "image:a.png",
        "imu@50:walk.csv",
        "a.png+a.jpg",
        "normal:a.png+a.jpg",
        "b+c.png",
        "b+none.png",
        "none.png+a.png",
    )
    expected = (
        f"{folder}/a.png",
        f"image:{folder}/a.png",
        f"imu@50:{folder}/walk.csv",
        f"{folder}/a.png+{folder}/a.jpg",
        f"normal:{folder}/a.png+{folder}/a.jpg",
        f"{folder}/b+c.png",
        f"{folder}/b+none.png",
        f"{folder}/none.png+{folder}/a.png",
    )
    assert tuple(name_in_folder(name, folder) for name in names) == expected


@pytest.mark.parametrize(
    ("array", "kind", "option"),
    [
        pytest.param(np.ones((8, 9)) * 0.5, "image", {}, id="floats"),
        pytest.param(np.random.default_rng(0).random((9, 6)), "point_cloud", {}, id="six_columns"),
        pytest.param(np.ones((8, 9)), "depth", {}, id="depth"),
        pytest.param(np.dstack([np.zeros((8, 9, 2)), np.ones((8, 9))]), "normal", {}, id="normal"),
        pytest.param(np.random.default_rng(0).random((6, 90)), "imu", {"rate_hz": 50}, id="imu"),
        pytest.param(np.random.default_rng(0).random((3, 90)), "fmri", {}, id="fmri"),
        pytest.param(np.zeros((4, 8, 9, 3), np.uint8), "video", {"rate_hz": 5}, id="video"),
    ],
)
def test_arrays_in_files(tmp_path, array, kind, option):
    np.save(tmp_path / "a.npy", array)
    told = kind in ("image", "point_cloud")
    number = f"@{option['rate_hz']}" if option else ""
    named = open_signal(f"{kind}{number}:{tmp_path / 'a.npy'}")
    assert named.modality == kind
    assert named.digest == open_signal(array, kind, **option).digest
    assert open_signal(tmp_path / "a.npy", kind, **option).path == str(tmp_path / "a.npy")
    assert not told or open_signal(tmp_path / "a.npy").modality == kind


def test_an_array_that_could_be_many_things_says_so(tmp_path):
    np.save(tmp_path / "a.npy", np.full((20, 30), 2.5))
    with pytest.raises(ValueError, match=r"or name its modality, depth, normal or fmri, as in fmri:FILE or modality="):
        open_signal(tmp_path / "a.npy")


def test_an_array_of_one_dimension_may_be_a_brain_response(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(9.0))
    with pytest.raises(ValueError, match=r"expected audio as .* may be of another modality, .* as in fmri:FILE"):
        open_signal(tmp_path / "a.npy")
    assert open_signal(f"fmri:{tmp_path / 'a.npy'}").modality == "fmri"


def test_import_brings_no_heavy_library():
    heavy = "{'torch', 'PIL', 'soundfile', 'trimesh', 'scipy', 'kaldi_native_fbank', 'av', 'nibabel'}"
    code = f"import sys, deixis.signals; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@real
@pytest.mark.parametrize(
    ("pattern", "count", "kind"),
    [
        ("sam_photos/*.jpg", 2, "image"),
        ("rgbd_open3d/depth/*.png", 5, "depth"),
        ("rgbd_open3d/other_formats/*color*", 2, "image"),
        ("fsdd/recordings/*_0.wav", 3, "audio"),
        ("speech_samples/wav/*.wav", 8, "audio"),
        ("meshes_trimesh/*.o*", 3, "point_cloud"),
        ("meshes_trimesh/[!e]*.ply", 3, "point_cloud"),
        ("meshes_trimesh/*.stl", 2, "point_cloud"),
        ("meshes_trimesh/*.glb", 1, "point_cloud"),
        ("mosd_tabletop/*.npz", 3, "point_cloud"),
        ("video_*/*.m[op]*", 3, "video"),
    ],
)
def test_real_files(pattern, count, kind):
    paths = sorted(REAL.glob(pattern))
    assert len(paths) >= count
    for path in paths[:10]:
        signal = open_signal(path)
        values, frame = to_tensor(signal)
        assert signal.modality == frame.modality == kind
        assert np.isfinite(values).all()
        assert values.std() > 0.05


@real
def test_real_cloud_without_points():
    with pytest.raises(ValueError, match=r"'empty.ply': expected a point cloud of at least one point, got none"):
        open_signal(REAL / "meshes_trimesh" / "empty.ply")


@real
def test_real_obj_keeps_its_644_vertices():
    """trimesh makes 732 of them, one for every pair of vertex and texture coordinate."""
    assert len(open_signal(REAL / "meshes_trimesh" / "rabbit.obj").values) == 644
