"""Depth maps and normals: units, missing readings, the image beside them, and the official pair of squares."""

import numpy as np
import pytest
from PIL import Image

from deixis.signals import DepthSpec, ImageSpec, NormalSpec, open_signal, to_tensor
from deixis.signals.depth import metric_channels
from deixis.signals.normal import normal_colours

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def millimetres(height=30, width=40):
    """A slope from 0.5 to 4 m whose first column has no reading."""
    grey = np.tile(np.linspace(500, 4000, width), (height, 1)).astype(np.uint16)
    grey[:, 0] = 0
    return grey


def sphere(side=40):
    """Normals of a ball, none around it."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2.2 - 1.1
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    return (np.dstack([x, y, z]) * (x**2 + y**2 < 1)[..., None]).astype(np.float32)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(np.zeros((4, 5)), "got no reading at all", id="nothing"),
        pytest.param(np.full((4, 5), np.nan), "got no reading at all", id="nan"),
        pytest.param(np.full((4, 5), -1.0), "from 0 .*, got -1 to -1 m", id="negative"),
        pytest.param(np.full((4, 5), 1e6), "got 1e.06 to 1e.06 m; its unit", id="far"),
        pytest.param(np.full((4, 5), 7, np.uint16), "got uint16, whose unit nothing says", id="steps"),
        pytest.param(np.zeros((2, 4, 5)), r"of shape \(height, width\), got \(2, 4, 5\)", id="batch"),
        pytest.param(np.ones((1, 9)), "2 to 19999 px a side", id="one_row"),
        pytest.param(
            (np.zeros((40, 30, 3), np.uint8), np.ones((30, 40))), "proportions, 30 x 40, got 40 x 30", id="pair"
        ),
    ],
)
def test_bad_depth_is_one_sentence(value, message):
    with pytest.raises(ValueError, match=message):
        open_signal(value, modality="depth")


@pytest.mark.parametrize(
    ("picture", "name", "message"),
    [
        pytest.param(Image.new("RGB", (8, 8)), "a.png", "got an image of mode RGB; a coloured", id="colours"),
        pytest.param(Image.new("L", (8, 8), 9), "a.png", "got 8 bits, whose unit nothing says", id="8-bit"),
        pytest.param(Image.fromarray(np.ones((8, 8), np.float32)), "a.tif", "an image of floats", id="floats"),
    ],
)
def test_pictures_that_are_no_depth(tmp_path, picture, name, message):
    picture.save(tmp_path / name)
    with pytest.raises(ValueError, match=rf"'{name}': expected a depth map.*{message}"):
        open_signal(tmp_path / name, modality="depth")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(np.zeros((4, 5, 3)), "vectors of length 1, got none", id="nothing"),
        pytest.param(
            np.full((4, 5, 3), 0.2), "got 100% of other lengths, about 0.35; .* an image, or scaled", id="short"
        ),
        pytest.param(np.zeros((4, 5, 3), np.uint8), r"as floats of shape .*, got uint8 \(4, 5, 3\)", id="colours"),
        pytest.param(np.zeros((4, 5)), r"got float64 \(4, 5\)", id="flat"),
    ],
)
def test_bad_normals_are_one_sentence(value, message):
    with pytest.raises(ValueError, match=message):
        open_signal(value, modality="normal")


def test_a_photo_is_no_map_of_normals(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"'a.png': expected surface normals, .* it is probably an image"):
        open_signal(f"normal:{tmp_path / 'a.png'}")


def test_units_of_depth(tmp_path):
    Image.fromarray(millimetres()).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", millimetres().astype(np.float32) / 1000)
    np.save(tmp_path / "steps.npy", millimetres())
    metres = millimetres().astype(np.float32) / 1000
    plain = open_signal(tmp_path / "a.png")
    assert (plain.modality, plain.extent.axes, plain.info["unit_m"]) == ("depth", "xy", 0.001)
    for signal in (
        plain,
        open_signal(f"depth:{tmp_path / 'a.npy'}"),
        open_signal(f"depth@0.001:{tmp_path / 'steps.npy'}"),
    ):
        np.testing.assert_allclose(signal.values, metres, rtol=1e-6)
    fifths = open_signal(f"depth@0.0002:{tmp_path / 'a.png'}")
    np.testing.assert_allclose(fifths.values, metres / 5, rtol=1e-6)
    assert open_signal(tmp_path / "a.png", unit_m=0.0002).digest == fifths.digest != plain.digest
    assert open_signal(tmp_path / "a.png", modality="image").modality == "image"
    with pytest.raises(ValueError, match="expected unit_m, the metres of one step, above 0, got -1"):
        open_signal(tmp_path / "a.png", unit_m=-1)


def test_metric_channels_follow_the_written_formula():
    depth = np.array([[0, 0.1, 0.5, 2.0, 10.0, 40.0]], np.float32)
    nearness = [0, 1, (1 / 0.5 - 1 / 10) / (1 / 0.3 - 1 / 10), (1 / 2 - 1 / 10) / (1 / 0.3 - 1 / 10), 0, 0]
    channels = metric_channels(depth, DepthSpec())
    np.testing.assert_allclose(channels[0, :, 0], nearness, atol=1e-6)
    np.testing.assert_allclose(channels[0, :, 1], [0, 0.01, 0.05, 0.2, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(channels[0, :, 2], [0, 1, 1, 1, 1, 1])


def test_missing_readings_are_no_depth_between_others():
    """Half of the map has none: reduced, the readings beside it keep their depth."""
    depth = np.where(np.arange(64) < 31, 2.0, 0.0) * np.ones((64, 1))
    values, frame = to_tensor(open_signal(depth, modality="depth"), DepthSpec(16, **PLAIN))
    assert values.shape == (3, 16, 16)
    assert set(np.unique(values[1].round(4))) == {np.float32(0), np.float32(0.2)}
    assert frame.size.modality == frame.modality == "depth"


@pytest.mark.parametrize("fit", ["squash", "crop_rounded"])
def test_the_official_pair_from_a_grey_map(tmp_path, fit):
    """An 8-bit map, three equal channels, resized to its image, both cropped alike, normalised as for CLIP (OneLLM)."""
    rng = np.random.default_rng(0)
    photo, grey = (rng.integers(1, 255, shape, dtype=np.uint8) for shape in ((60, 80, 3), (60, 80)))
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(grey).save(tmp_path / "map.png")
    signal = open_signal(f"depth@{1 / 255!r}:{tmp_path / 'photo.png'}+{tmp_path / 'map.png'}")
    spec = DepthSpec(32, "grey", far_m=1.0, paired=True, mean=CLIP_MEAN, std=CLIP_STD, fit=fit)
    values, _ = to_tensor(signal, spec)
    assert values.shape == (2, 3, 32, 32)
    own = ImageSpec(32, CLIP_MEAN, CLIP_STD, fit)
    np.testing.assert_array_equal(values[0], to_tensor(open_signal(photo), own)[0])
    official = np.asarray(Image.fromarray(grey).convert("RGB"))
    np.testing.assert_array_equal(values[1], to_tensor(open_signal(official), own)[0])


def test_the_official_pair_of_normals(tmp_path):
    colours = normal_colours(sphere())
    photo = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "n.png")
    Image.fromarray(photo).save(tmp_path / "photo.png")
    spec = NormalSpec(32, paired=True, mean=CLIP_MEAN, std=CLIP_STD, fit="squash")
    values, _ = to_tensor(open_signal(f"normal:{tmp_path / 'photo.png'}+{tmp_path / 'n.png'}"), spec)
    own = ImageSpec(32, CLIP_MEAN, CLIP_STD, "squash")
    np.testing.assert_array_equal(values[0], to_tensor(open_signal(photo), own)[0])
    np.testing.assert_array_equal(values[1], to_tensor(open_signal(colours), own)[0])


def test_normals_of_files_and_arrays(tmp_path):
    exact = open_signal(sphere(), modality="normal")
    np.testing.assert_array_equal(exact.values, sphere())
    Image.fromarray(normal_colours(sphere())).save(tmp_path / "n.png")
    np.save(tmp_path / "n.npy", np.where(sphere() == 0, np.nan, sphere()).transpose(2, 0, 1))
    png, npy = (open_signal(f"normal:{tmp_path / name}") for name in ("n.png", "n.npy"))
    np.testing.assert_allclose(png.values, sphere(), atol=0.5 / 127.5 + 1e-6)
    assert ((png.values == 0).all(2) == (sphere() == 0).all(2)).all()
    assert npy.extent == exact.extent == png.extent
    black = np.where((sphere() == 0).all(2, keepdims=True), 0, normal_colours(sphere())).astype(np.uint8)
    Image.fromarray(black).save(tmp_path / "black.png")
    np.testing.assert_array_equal(open_signal(f"normal:{tmp_path / 'black.png'}").values, png.values)


def test_a_picture_that_is_asked_for_and_missing():
    depth, normals = open_signal(np.ones((8, 9)), modality="depth"), open_signal(sphere(), modality="normal")
    for signal, spec in ((depth, DepthSpec(16, paired=True)), (normals, NormalSpec(16, paired=True))):
        kind = signal.modality
        with pytest.raises(ValueError, match=rf"with its image, .* name both as {kind}:photo.png\+.*, or give \(image"):
            to_tensor(signal, spec)


def test_pairs_in_memory_tell_their_kind():
    photo = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    small = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    paired = open_signal((photo, small))
    assert (paired.modality, paired.extent.size_hw) == ("depth", (60, 80))
    np.testing.assert_array_equal(paired.values[::20, ::20], small)
    np.testing.assert_array_equal(paired.image, photo)
    assert open_signal((Image.fromarray(photo[:40, :40]), sphere())).modality == "normal"
    assert open_signal((photo + 1, small)).digest != paired.digest


@pytest.mark.parametrize("channels", ["bright", "METRIC"])
def test_channels_that_are_none(channels):
    with pytest.raises(ValueError, match=f"channels: expected one of metric, grey; got '{channels}'"):
        to_tensor(open_signal(np.ones((8, 9)), modality="depth"), DepthSpec(16, channels))


def test_real_pairs(shared_data):
    folder = shared_data / "rgbd_open3d"
    signal = open_signal(f"{folder / 'color' / '00000.jpg'}+{folder / 'depth' / '00000.png'}")
    assert (signal.modality, signal.extent.size_hw) == ("depth", (480, 640))
    assert 0.5 < np.median(signal.values[signal.values > 0]) < 4
    values, _ = to_tensor(signal, DepthSpec(224, paired=True))
    assert values.shape == (2, 3, 224, 224)
    tum = folder / "other_formats" / "TUM_depth.png"
    assert 0.5 < np.median(open_signal(tum, unit_m=1 / 5000).values) < 5
    with pytest.raises(ValueError, match="no such file"):
        open_signal(f"{folder / 'color' / '00000.jpg'}+{folder / 'depth' / 'none.png'}")
