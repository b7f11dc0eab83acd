"""Ferret's masks, x first and far edges included, and its three ways to truncate a number."""

import numpy as np
import pytest

from deixis.geometry import Region
from deixis.geometry.notations import grid_numbers, region_numbers, shape_box
from deixis.systems.ferret.sampling import box_mask, ferret_mask, point_mask

SIZE_WH = (40, 30)


def filled(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    """The mask of a box whose last column is x2 and whose last row is y2, in plain loops."""
    mask = np.zeros(SIZE_WH, dtype=bool)
    for x in range(x1, x2 + 1):
        for y in range(y1, y2 + 1):
            mask[x, y] = True
    return mask


@pytest.mark.parametrize(
    ("rounding", "places", "size_wh", "expected"),
    [
        pytest.param("pixel", [121, 242], (484, 484), [250, 500], id="serve"),
        pytest.param("ratio", [121, 242], (484, 484), [249, 499], id="ratio_falls_short"),
        pytest.param("share", [97, 194], (485, 485), [200, 400], id="norm"),
        pytest.param("pixel", [0, 0, 639, 479], (640, 480), [0, 0, 998, 997], id="never_a_thousand"),
        pytest.param("ratio", [-3.9, 10.9], (1000, 1000), [-3, 10], id="towards_zero"),
    ],
)
def test_grid_numbers(rounding, places, size_wh, expected):
    assert grid_numbers(places, size_wh, rounding).tolist() == expected


@pytest.mark.parametrize("side", [333, 427, 480, 500, 640])
def test_a_share_of_the_image_keeps_its_number_through_pixels_and_back(side):
    """As Ferret-Bench writes its boxes: three decimals, of which the official code takes int(1000 * share)."""
    shares = np.arange(1000) / 1000
    assert region_numbers(shares * side, (side, side)).tolist() == [int(1000 * share) for share in shares]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param([3, 4, 10, 6], filled(3, 4, 10, 6), id="with_its_far_edge"),
        pytest.param([35, 25, 99, 99], filled(35, 25, 39, 29), id="beyond_the_image"),
        pytest.param([7, 7, 7, 7], filled(7, 7, 7, 7), id="of_one_pixel"),
        pytest.param([9, 9, 3, 3], np.zeros(SIZE_WH, dtype=bool), id="reversed"),
    ],
)
def test_box_mask(box, expected):
    assert np.array_equal(box_mask(box, SIZE_WH), expected)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        pytest.param([20, 15], filled(15, 10, 25, 20), id="inside"),
        pytest.param([2, 28], filled(0, 23, 7, 29), id="at_the_corner"),
        pytest.param([20.9, 15.5], filled(15, 10, 25, 20), id="between_pixels"),
    ],
)
def test_point_mask(point, expected):
    assert np.array_equal(point_mask(point, SIZE_WH), expected)


@pytest.mark.parametrize(
    ("place", "segment", "expected"),
    [
        pytest.param([5, 5, 10, 10], None, filled(5, 5, 10, 10), id="box"),
        pytest.param([5, 5, 10, 10], filled(8, 8, 30, 25), filled(8, 8, 10, 10), id="box_cut_to_the_segment"),
        pytest.param([5, 5, 10, 10], filled(30, 20, 31, 21), filled(5, 5, 10, 10), id="segment_elsewhere"),
        pytest.param([5, 5], None, filled(5, 5, 10, 10), id="point_cut_to_the_box"),
        pytest.param([5, 5], filled(0, 0, 39, 3), filled(0, 0, 10, 3), id="point_cut_to_the_segment"),
    ],
)
def test_a_region_of_training(place, segment, expected):
    """A point or box of an object whose box, and perhaps segment, is known."""
    point = tuple(place) if len(place) == 2 else None
    region = Region(point=point, box=(5, 5, 10, 10), mask=None if segment is None else segment.T)
    assert np.array_equal(ferret_mask(region, SIZE_WH[::-1]), expected)


def test_masks_have_x_first():
    assert box_mask([0, 0, 39, 0], SIZE_WH).sum() == 40
    assert point_mask((20, 15), SIZE_WH).shape == SIZE_WH
    assert shape_box(filled(3, 7, 20, 9)) == [3, 7, 20, 9]


def test_an_empty_shape_has_no_box():
    with pytest.raises(ValueError, match="at least one pixel"):
        shape_box(np.zeros(SIZE_WH, dtype=bool))
