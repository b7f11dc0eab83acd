"""Images: every mode and shape becomes the same upright RGB, and letterboxing agrees with its frame."""

import numpy as np
import pytest
from PIL import Image

from deixis.signals import ImageSpec, open_signal, to_tensor
from deixis.signals.image_files import opened
from tests import announced

RED, BLUE = (255, 0, 0), (0, 0, 255)


def corners(height=6, width=9):
    """RGB with red at the top left and blue at the bottom right."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[0, 0], pixels[-1, -1] = RED, BLUE
    return pixels


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(np.zeros((1, 1, 3), np.uint8), "2 to 19999 px a side .* got 1 x 1 px", id="one-pixel"),
        pytest.param(np.zeros((50, 1), np.uint8), "got 1 x 50 px", id="one-column"),
        pytest.param(np.zeros((2, 20_000, 3), np.uint8), "got 20000 x 2 px", id="too-wide"),
        pytest.param(np.zeros((0, 5, 3), np.uint8), "got 5 x 0 px", id="empty"),
        pytest.param(np.full((4, 5, 3), np.nan), "from 0 to 1, got values from nan", id="nan"),
        pytest.param(np.full((4, 5, 3), -0.5), "undo any normalisation", id="normalised"),
        pytest.param(np.full((4, 5, 3), 300), "integers from 0 to 255, got values from 300", id="wide-integers"),
        pytest.param(np.zeros((7, 5, 3, 3), np.uint8), r"got (an array of shape )?\(7, 5, 3, 3\)", id="batch"),
        pytest.param(np.zeros((7, 5, 9), np.uint8), r"\(7, 5, 9\)", id="nine-channels"),
        pytest.param(np.array([["a", "b"], ["c", "d"]]), "got ndarray of dtype <U1", id="strings"),
        pytest.param([[1, 2], [3]], "uneven length", id="ragged"),
    ],
)
def test_bad_array_is_one_sentence(value, message):
    with pytest.raises(ValueError, match=message):
        open_signal(value, modality="image")


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (19_999, 10_000), (20_000, 3), (1, 1)])
def test_size_is_refused_before_decoding(tmp_path, width, height):
    (tmp_path / "big.png").write_bytes(announced.png(width, height))
    with pytest.raises(ValueError, match=r"'big.png': expected an image of 2 to 19999 px a side"):
        open_signal(tmp_path / "big.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated_file_is_one_sentence(tmp_path, suffix, share):
    path = tmp_path / f"cut.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=rf"'cut.{suffix}': expected an?( whole)? image"):
        open_signal(path)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("gone.png", r"an image, but its file cannot be opened .No such file or directory.\.$", id="gone"),
        pytest.param("folder.png", "a regular file, got a folder", id="folder"),
    ],
)
def test_a_file_that_cannot_be_opened_is_not_said_to_be_cut_short(tmp_path, name, why):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match=rf"{name}': expected {why}"), opened(tmp_path / name, name):
        pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(np.full((4, 5), 100, np.uint8), (100, 100, 100), id="grey"),
        pytest.param(np.full((4, 5, 1), 100, np.uint8), (100, 100, 100), id="grey-channel"),
        pytest.param(np.full((4, 5), True), (255, 255, 255), id="bool"),
        pytest.param(np.full((4, 5), 65535, np.uint16), (255, 255, 255), id="16-bit-white"),
        pytest.param(np.full((4, 5), 25700, np.uint16), (100, 100, 100), id="16-bit"),
        pytest.param(np.full((4, 5, 3), 0.2), (51, 51, 51), id="floats"),
        pytest.param(np.full((4, 5, 3), 7, np.int64), (7, 7, 7), id="int64"),
        pytest.param(np.full((3, 14, 15), 7, np.uint8), (7, 7, 7), id="channel-first"),
        pytest.param(np.tile(np.uint8([10, 20, 30, 0]), (4, 5, 1)), (255, 255, 255), id="transparent"),
        pytest.param(np.tile(np.uint8([10, 20, 30, 255]), (4, 5, 1)), (10, 20, 30), id="opaque"),
        pytest.param(np.tile(np.uint8([0, 128]), (4, 5, 1)), (127, 127, 127), id="grey-alpha"),
    ],
)
def test_arrays_of_every_type(value, expected):
    signal = open_signal(value)
    assert signal.modality == "image"
    assert signal.values.dtype == np.uint8
    assert tuple(signal.values[0, 0]) == expected
    assert signal.extent.size_hw == signal.values.shape[:2]


@pytest.mark.parametrize(
    ("picture", "suffix", "expected"),
    [
        pytest.param(Image.new("L", (5, 4), 90), "png", (90, 90, 90), id="grey"),
        pytest.param(Image.new("1", (5, 4), 1), "png", (255, 255, 255), id="bitmap"),
        pytest.param(Image.fromarray(np.full((4, 5), 25700, np.uint16)), "png", (100, 100, 100), id="16-bit-png"),
        pytest.param(Image.fromarray(np.full((4, 5), 25700, np.uint16)), "tif", (100, 100, 100), id="16-bit-tiff"),
        pytest.param(Image.fromarray(np.full((4, 5), 0.2, np.float32)), "tif", (51, 51, 51), id="float-tiff"),
        pytest.param(Image.new("RGBA", (5, 4), (10, 20, 30, 0)), "png", (255, 255, 255), id="transparent"),
        pytest.param(Image.new("LA", (5, 4), (10, 255)), "png", (10, 10, 10), id="grey-alpha"),
        pytest.param(Image.new("RGB", (5, 4), RED).quantize(4), "png", RED, id="palette"),
        pytest.param(Image.new("RGB", (5, 4), RED).quantize(4), "gif", RED, id="gif"),
        pytest.param(Image.new("CMYK", (5, 4), (0, 255, 255, 0)), "tif", RED, id="cmyk"),
        pytest.param(Image.new("YCbCr", (5, 4), (255, 128, 128)), "tif", (255, 255, 255), id="ycbcr"),
        pytest.param(Image.new("LAB", (5, 4), (255, 128, 128)), "tif", (255, 255, 255), id="lab"),
    ],
)
def test_files_of_every_mode(tmp_path, picture, suffix, expected):
    path = tmp_path / f"image.{suffix}"
    picture.save(path)
    signal = open_signal(path, modality="image")  # a grey PNG of 16 bits is a depth map otherwise
    assert np.abs(signal.values[0, 0].astype(int) - expected).max() <= 1
    assert signal.values.shape == (4, 5, 3)
    assert (signal.path, signal.name) == (str(path), path.name)
    assert np.abs(open_signal(picture).values[0, 0].astype(int) - expected).max() <= 1


def test_cmyk_jpeg_and_palette_with_transparency(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "c.jpg")
    pixel = open_signal(tmp_path / "c.jpg").values[4, 4].astype(int)
    assert pixel[0] > 240
    assert pixel[1:].max() < 15
    palette = Image.new("RGB", (5, 4), RED).quantize(4)
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((0, 0)))
    assert (open_signal(tmp_path / "p.png").values == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path, orientation):
    upright = corners(48, 64)
    upright[:24, :32], upright[24:, 32:] = RED, BLUE
    backward = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that the tag asks the viewer to undo
    stored = Image.fromarray(upright)
    if orientation in backward:
        stored = stored.transpose(Image.Transpose(backward[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    signal = open_signal(tmp_path / "turned.jpg")
    assert signal.extent.size_hw == (48, 64)
    assert signal.values[5, 5, 0] > 200
    assert signal.values[43, 59, 2] > 200


def test_one_content_has_one_digest(tmp_path):
    torch = pytest.importorskip("torch")
    pixels = corners()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", pixels)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    sources = [tmp_path / "a.png", str(tmp_path / "a.npy"), Image.fromarray(pixels), pixels, tensor]
    assert len({open_signal(source).digest for source in sources}) == 1
    assert open_signal(pixels).digest != open_signal(pixels[::-1]).digest
    ramp = torch.linspace(0, 1, 3 * 8 * 8, requires_grad=True).reshape(3, 8, 8)
    assert open_signal(ramp.bfloat16()).values.shape == (8, 8, 3)


def test_square_of_the_right_size_is_not_resampled():
    pixels = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    values, frame = to_tensor(open_signal(pixels))
    assert values.shape == (3, 128, 128)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, (pixels.transpose(2, 0, 1) / 255 - 0.5) / 0.25, atol=1e-5)
    np.testing.assert_allclose(frame.to_unit([64.0, 32.0]), [0.5, 0.25])


@pytest.mark.parametrize("size_hw", [(40, 90), (90, 40), (33, 64), (641, 427), (2, 19_999), (3, 2), (500, 2)])
def test_letterbox_agrees_with_its_frame(size_hw):
    height, width = size_hw
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    values, frame = to_tensor(open_signal(pixels), ImageSpec(size_px=64))
    (left, top), (right, bottom) = np.rint(frame.to_unit([[0, 0], [width, height]]) * 64).astype(int)
    inside = np.zeros((64, 64), dtype=bool)
    inside[top:bottom, left:right] = True
    assert inside.any()
    assert (values[:, ~inside] == 0).all()
    np.testing.assert_allclose(values[:, inside], 2.0)


def test_a_mark_lands_where_the_frame_says():
    pixels = np.zeros((300, 400, 3), dtype=np.uint8)
    pixels[96:112, 304:320] = 255
    values, frame = to_tensor(open_signal(pixels), ImageSpec(size_px=100))
    row, column = np.unravel_index(values[0].argmax(), (100, 100))
    x, y = frame.to_file(np.array([column + 0.5, row + 0.5]) / 100)
    assert abs(x - 312) <= 6
    assert abs(y - 104) <= 6
