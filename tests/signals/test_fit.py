"""Squares: the official preprocessors' pixels, bit for bit, and frames that map each pixel."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image

from deixis.geometry import Box, Mask, Point, check_region, region_points
from deixis.signals import ImageSpec, open_signal, to_tensor
from deixis.signals.fit import Fit, placement, weighted_square

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def photo(height, width, seed=0):
    """Smooth noise: neighbouring pixels are alike, as in a photo."""
    small = np.random.default_rng(seed).integers(0, 255, (height // 4 + 2, width // 4 + 2, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


def test_a_fit_that_is_none_is_refused():
    with pytest.raises(ValueError, match="fit: expected one of letterbox, squash, crop, crop_rounded; got 'stretch'"):
        to_tensor(open_signal(photo(8, 9)), ImageSpec(fit="stretch"))


@pytest.mark.parametrize(
    ("fit", "size_px", "source", "prepared"),
    [
        pytest.param("squash", 336, "ferret_tiny/image.png", "ferret_tiny/clip_input.png", id="ferret"),
        pytest.param("crop", 224, "lisa_tiny/imageA.png", "lisa_tiny/clip_inputA.png", id="lisa_wide"),
        pytest.param("crop", 224, "lisa_tiny/imageB.png", "lisa_tiny/clip_inputB.png", id="lisa_tall"),
    ],
)
def test_official_preprocessors_give_these_very_pixels(shared_golden, fit, size_px, source, prepared):
    values, _ = to_tensor(open_signal(shared_golden / source), ImageSpec(size_px, fit=fit, **PLAIN))
    official = np.asarray(Image.open(shared_golden / prepared).convert("RGB"))
    np.testing.assert_array_equal(np.rint(values * 255).transpose(1, 2, 0), official)


@pytest.mark.parametrize("size_hw", [(480, 640), (645, 480), (300, 300), (225, 411), (1000, 301)])
@pytest.mark.parametrize(
    ("fit", "half"), [("crop", lambda gap: int(gap // 2)), ("crop_rounded", lambda g: round(g / 2))]
)
def test_crops_follow_the_written_formula(size_hw, fit, half):
    """Shorter side to 224 (longer: int of the scaled one), bicubic, the middle cut at `half` of the gap, CLIP's."""
    pixels = photo(*size_hw)
    height, width = size_hw
    size = (224, int(224 * height / width)) if width <= height else (int(224 * width / height), 224)
    big = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    top, left = half(size[1] - 224), half(size[0] - 224)
    expected = (big[top : top + 224, left : left + 224] / 255 - CLIP_MEAN) / CLIP_STD
    values, _ = to_tensor(open_signal(pixels), ImageSpec(224, CLIP_MEAN, CLIP_STD, fit))
    np.testing.assert_allclose(values, expected.transpose(2, 0, 1), atol=2e-6)


def test_the_two_crops_differ_by_an_odd_pixel():
    assert placement((480, 645), 224, "crop") == (0, -38, 224, 301)
    assert placement((480, 642), 224, "crop") == (0, -37, 224, 299)
    assert placement((480, 642), 224, "crop_rounded") == (0, -38, 224, 299)


@pytest.mark.parametrize("fit", get_args(Fit))
@pytest.mark.parametrize("size_hw", [(90, 160), (160, 90), (100, 100)])
def test_a_spot_lands_where_the_frame_says(fit, size_hw):
    pixels = np.zeros((*size_hw, 3), np.uint8)
    pixels[42:48, 50:56] = 255
    values, frame = to_tensor(open_signal(pixels), ImageSpec(64, fit=fit, **PLAIN))
    weight = values[0].clip(0)
    grid = (np.arange(64) + 0.5) / 64
    found = (weight.sum(0) @ grid / weight.sum(), weight.sum(1) @ grid / weight.sum())
    np.testing.assert_allclose(frame.to_unit([53.0, 45.0]), found, atol=0.005)


def test_a_crop_does_not_see_the_sides():
    signal = open_signal(photo(100, 200))
    _, frame = to_tensor(signal, ImageSpec(32, fit="crop"))
    inside, outside = Box(40, 0, 70, 100), Box(0, 0, 45, 100)
    points = region_points(inside, frame, 64)
    assert points.min() >= 0
    assert (frame.to_file(points)[:, 0] >= 50).all()
    for region in (outside, Point(20, 50), Mask(np.tile(np.arange(200) < 30, (100, 1)))):
        check_region(region, signal.extent)
        with pytest.raises(ValueError, match=r"lies outside what the model reads .*: x 50 to 150, y 0 to 100"):
            region_points(region, frame, 64)


def test_a_whole_picture_gives_the_points_it_always_gave():
    """Points sampled with a seed do not depend on the window where it contains the whole image."""
    signal = open_signal(photo(60, 80))
    letterboxed, squashed = (to_tensor(signal, ImageSpec(32, fit=fit))[1] for fit in ("letterbox", "squash"))
    places = [frame.to_file(region_points(Box(5, 6, 30, 40), frame, 50)) for frame in (letterboxed, squashed)]
    np.testing.assert_allclose(*places, atol=1e-4)


def test_weighted_pixels_lend_nothing_where_they_have_no_weight():
    channels, weights = np.full((40, 40, 3), 0.8), np.ones((40, 40))
    channels[:, 20:], weights[:, 20:] = 0.0, 0.0
    values = weighted_square(channels, weights, ImageSpec(10, **PLAIN))
    np.testing.assert_allclose(values[:, :, :5], 0.8, atol=1e-5)
    np.testing.assert_allclose(values[:, :, 6:], 0, atol=1e-5)
