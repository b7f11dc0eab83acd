"""Random parts of images: what was pointed at is at the same pixels afterwards."""

import numpy as np
import pytest

from deixis.geometry import Box, Mask, Point, Polygon, Region, Scribble
from deixis.geometry.points import bounding_box
from deixis.signals import open_signal
from deixis.training.random_crop import random_crop

SIZE_HW = (40, 60)
INSIDE = np.zeros(SIZE_HW, bool)
INSIDE[10:18, 20:31] = True


@pytest.fixture
def image():
    """Every pixel is unlike all others."""
    rows, columns = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    return open_signal(np.stack([rows, columns, rows * 0], 2).astype(np.uint8), "image")


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(Box(20.5, 10, 31, 17.25), id="box"),
        pytest.param(Mask(INSIDE), id="mask"),
        pytest.param(Polygon([(20, 10), (31, 10), (25, 18)]), id="polygon"),
        pytest.param(Scribble([(20, 11), (28, 14)]), id="scribble"),
        pytest.param(Point(0.5, 39.5), id="point in a corner"),
        pytest.param(Region(box=(20, 10, 31, 18), mask=INSIDE), id="two forms"),
        pytest.param(Box(0, 0, 60, 40), id="all of it"),
    ],
)
def test_regions_move_with_what_they_show(image, region):
    rng, sizes = np.random.default_rng(0), set()
    for _ in range(30):
        part, (moved,) = random_crop(image, [region], 0.3, rng)
        height, width = part.extent.size_hw
        sizes.add((height, width))
        top, left = part.values[0, 0, :2].astype(int)
        assert np.array_equal(part.values, image.values[top : top + height, left : left + width])
        low_high = bounding_box(moved, part.extent)
        np.testing.assert_allclose(low_high, bounding_box(region, image.extent) - [left, top, left, top], atol=1e-9)
        assert min(low_high[:2]) >= 0
        assert low_high[2] <= width
        assert low_high[3] <= height
        if region.mask is not None:
            rows, columns = np.nonzero(moved.mask_array)
            assert INSIDE[rows + top, columns + left].all()
            assert len(rows) == INSIDE.sum()
    assert sizes == {SIZE_HW} if region.box == (0, 0, 60, 40) else len(sizes) > 10


def test_without_regions_sides_are_at_least_the_share(image):
    rng = np.random.default_rng(0)
    sides = np.array([random_crop(image, [], 0.5, rng)[0].extent.size_hw for _ in range(40)])
    assert (sides.min(0) >= (20, 30)).all()
    assert (sides.max(0) <= SIZE_HW).all()
    assert len(np.unique(sides, axis=0)) > 20


def test_the_smallest_image_stays_one():
    part, _ = random_crop(open_signal(np.zeros((2, 2, 3), np.uint8), "image"), [], 0.1, np.random.default_rng(0))
    assert part.extent.size_hw == (2, 2)
