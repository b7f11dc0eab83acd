"""Maps of numbers in every type of image file, and which of them are a single mask."""

import re

import numpy as np
import pytest
from PIL import Image

from deixis.datasets.files.map_files import read_map, soft_mask
from deixis.datasets.files.mask_regions import map_regions, mask_region
from deixis.geometry import mask_to_box_xyxy, mask_to_rle

NUMBERS = np.array([[0, 1, 2], [300, 1, 0]])
SMALL = np.array([[0, 1, 2], [9, 1, 0]])


def grey(values, dtype=np.uint8):
    return Image.fromarray(np.asarray(values).astype(dtype))


def colours(values):
    """Each number as a colour of its own, by its three bytes."""
    values = np.asarray(values)
    return Image.fromarray(np.stack([values >> 16 & 255, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8))


def palette(values):
    picture = grey(values).convert("P")
    picture.putdata(np.asarray(values).ravel().tolist())
    picture.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200] * 80)
    return picture


@pytest.mark.parametrize(
    ("picture", "expected", "is_colour"),
    [
        pytest.param(grey(SMALL), SMALL, False, id="8_bit"),
        pytest.param(grey(NUMBERS, np.uint16), NUMBERS, False, id="16_bit"),
        pytest.param(grey(NUMBERS, np.int32), NUMBERS, False, id="32_bit"),
        pytest.param(palette(SMALL), SMALL, False, id="palette"),
        pytest.param(grey(SMALL > 0, bool), SMALL > 0, False, id="1_bit"),
        pytest.param(grey(SMALL).convert("LA"), SMALL, False, id="grey_alpha"),
        pytest.param(grey(SMALL).convert("RGB"), SMALL, False, id="grey_as_colours"),
        pytest.param(grey(SMALL).convert("RGBA"), SMALL, False, id="grey_as_colours_alpha"),
        pytest.param(colours(NUMBERS), NUMBERS, True, id="colours"),
    ],
)
def test_numbers_are_unchanged(tmp_path, picture, expected, is_colour):
    picture.save(tmp_path / ("map.tif" if picture.mode == "I" else "map.png"))
    found = read_map(next(tmp_path.iterdir()))
    assert np.array_equal(found.values, expected)
    assert (found.is_colour, found.is_lossy) == (is_colour, False)


def test_grey_can_be_read_as_colours(tmp_path):
    grey(SMALL).save(tmp_path / "map.png")
    found = read_map(tmp_path / "map.png", as_colours=True)
    assert np.array_equal(found.values, SMALL * 0x010101)
    assert found.is_colour


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "map.png: expected an image of numbers, got no such file", id="missing"),
        pytest.param(b"words", "'map.png': expected an image", id="no_picture"),
        pytest.param("cut", "'map.png': expected a whole image", id="cut"),
        pytest.param("fractions", "map.png: expected whole numbers, got float32", id="fractions"),
    ],
)
def test_refuses(tmp_path, content, message):
    path = tmp_path / "map.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "cut":
        grey(np.random.default_rng(0).integers(0, 255, (64, 64))).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif content == "fractions":
        Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(path, format="TIFF")
    with pytest.raises(ValueError, match=re.escape(message)):
        read_map(path)


DISC = np.hypot(*np.mgrid[-20:20, -20:20]) < 11
SOFT = np.clip(128 + 90 * (11 - np.hypot(*np.mgrid[-20:20, -20:20])), 0, 255)


@pytest.mark.parametrize(
    ("picture", "suffix", "expected"),
    [
        pytest.param(grey(DISC * 255), "png", DISC, id="0_255"),
        pytest.param(grey(DISC), "png", DISC, id="0_1"),
        pytest.param(grey(DISC * 7), "png", DISC, id="0_7"),
        pytest.param(grey(DISC, bool), "png", DISC, id="1_bit"),
        pytest.param(grey(DISC * 65535, np.uint16), "png", DISC, id="16_bit"),
        pytest.param(grey(DISC * 0), "png", DISC & False, id="nothing"),
        pytest.param(grey(SOFT), "png", SOFT.astype(np.uint8) >= 128, id="soft_edges"),
        pytest.param(grey(DISC * 255), "jpg", DISC, id="jpeg"),
        pytest.param(Image.merge("RGBA", [*colours(DISC * 0 + 0xFF2000).split(), grey(DISC * 255)]), "png", DISC,
                     id="alpha"),
        pytest.param(grey(DISC * 3 + np.eye(40)), "png", None, id="three_numbers"),
        pytest.param(grey(DISC * 3 + 1), "png", None, id="no_zero"),
        pytest.param(colours(DISC * 0xFF2000), "png", None, id="colours"),
    ],
)  # fmt: skip
def test_soft_mask(tmp_path, picture, suffix, expected):
    picture.save(tmp_path / f"mask.{suffix}", **({"quality": 95} if suffix == "jpg" else {}))
    found = soft_mask(read_map(tmp_path / f"mask.{suffix}"))
    assert (found is None) == (expected is None)
    if expected is not None:
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.random.default_rng(3).integers(-1, 6, (30, 40)) * 1000, id="noise"),
        pytest.param(np.kron(np.random.default_rng(4).integers(0, 9, (5, 7)), np.ones((6, 4), dtype=int)), id="blocks"),
        pytest.param(np.full((3, 4), 7), id="one_value"),
        pytest.param(np.array([[1], [2], [1]]), id="one_column"),
        pytest.param(np.array([[1, 2, 1]]), id="one_row"),
        pytest.param(np.array([[5]]), id="one_pixel"),
        pytest.param(np.eye(8, dtype=np.uint8), id="diagonal"),
    ],
)
def test_regions_of_values_against_each_number_by_itself(values):
    for number, region in map_regions(values):
        assert region.mask == mask_to_rle(values == number)
        assert region.box == tuple(mask_to_box_xyxy(values == number))
    assert [number for number, _ in map_regions(values)] == sorted(set(values.ravel().tolist()))


def test_an_empty_mask_is_no_region():
    with pytest.raises(ValueError, match="mask: expected at least one pixel set, got none"):
        mask_region(np.zeros((3, 4), dtype=bool))
