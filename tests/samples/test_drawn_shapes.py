"""Shapes sampled on objects: inside their masks, well inside where possible, the same for the same random numbers."""

import numpy as np
import pytest

from deixis.geometry import Region, mask_to_rle, rle_to_mask
from deixis.geometry.mask_patches import mask_patch
from deixis.samples.drawn_shapes import MIN_PRECISION, SHAPES, asked_region, outline_of, point_in, point_in_box
from deixis.samples.rng import rng_for

TIMES = 40


def ring() -> np.ndarray:
    y, x = np.mgrid[:90, :120]
    away = np.hypot(y - 45, x - 60)
    return (away < 40) & (away > 30)


def disc() -> np.ndarray:
    y, x = np.mgrid[:90, :120]
    return np.hypot(y - 45, x - 60) < 40


def line() -> np.ndarray:
    mask = np.zeros((90, 120), dtype=bool)
    mask[np.arange(80), np.arange(80)] = True
    return mask


def one(mask_hw: tuple[int, int], *pixels: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(mask_hw, dtype=bool)
    for pixel in pixels:
        mask[pixel] = True
    return mask


MASKS = [
    pytest.param(one((1, 1), (0, 0)), id="one_pixel_picture"),
    pytest.param(one((90, 120), (89, 119)), id="a_corner"),
    pytest.param(one((90, 120), (0, 0), (89, 119)), id="two_far_pixels"),
    pytest.param(line(), id="thin_line"),
    pytest.param(ring(), id="ring"),
    pytest.param(np.ones((90, 120), dtype=bool), id="everything"),
    pytest.param(np.random.default_rng(0).random((90, 120)) < 0.2, id="specks"),
]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", ["point", "scribble", "blob"])
def test_points_scribbles_and_blobs_lie_in_the_mask(mask, kind):
    record = Region(mask=mask_to_rle(mask))
    for turn in range(TIMES):
        drawn = asked_region(record, {kind: 1.0}, rng_for("test", turn))
        if kind == "point":
            x, y = drawn.point
            assert mask[int(y), int(x)]
            assert drawn.mask is drawn.box is None
        else:
            stroke = rle_to_mask(drawn.mask)
            assert stroke.any()
            assert not (stroke & ~mask).any()


@pytest.mark.parametrize("mask", MASKS)
def test_a_loose_outline_is_mostly_the_things_own(mask):
    patch = mask_patch(mask)
    for turn in range(TIMES):
        drawn = rle_to_mask(outline_of(patch, rng_for("test", turn)).to_rle())
        assert drawn.any()
        assert (drawn & mask).sum() >= MIN_PRECISION * drawn.sum()


def test_points_keep_away_from_the_edge():
    """Of a disc of radius 40, half of the pixels are within 11.7 of its edge; of the points far fewer."""
    patch = mask_patch(disc())
    points = np.array([point_in(patch, rng_for("test", turn)) for turn in range(400)])
    from_edge = 40 - np.hypot(points[:, 0] - 60.5, points[:, 1] - 45.5)
    assert (from_edge < 11.7).mean() < 0.3
    assert len(np.unique(points, axis=0)) > 200


def test_points_of_a_box_are_inside_and_near_its_middle():
    points = np.array([point_in_box((10.0, 20.0, 30.0, 24.0), rng_for("test", turn)) for turn in range(400)])
    assert ((points > (10, 20)) & (points < (30, 24))).all()
    assert points.mean(axis=0) == pytest.approx([20, 22], abs=0.5)


def test_shares_hold_and_forms_that_are_missing_are_left_out():
    mask = ring()
    whole = Region(box=(20.0, 5.0, 101.0, 86.0), mask=mask_to_rle(mask), signal=2, time_s=(1.0, 2.0))
    drawn = [asked_region(whole, {"point": 1.0, "box": 3.0}, rng_for("test", turn)) for turn in range(400)]
    assert sum(region.box is not None for region in drawn) == pytest.approx(300, abs=35)
    assert {(region.signal, region.time_s) for region in drawn} == {(2, (1.0, 2.0))}
    only_box = Region(box=(20.0, 5.0, 101.0, 86.0))
    assert asked_region(only_box, {"scribble": 1.0}, rng_for(1)).point is not None
    only_mask = Region(mask=mask_to_rle(mask))
    assert asked_region(only_mask, {"box": 1.0}, rng_for(1)).point is not None


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Region(span=(0.0, 1.0)), id="span"),
        pytest.param(Region(points=[1, 2], box3d=(0.0, 0.0, 0.0, 1.0, 1.0, 1.0)), id="cloud"),
        pytest.param(Region(point=(3.0, 4.0)), id="point"),
    ],
)
def test_regions_without_pixels_stay_as_they_are(record):
    assert asked_region(record, {"point": 1.0, "scribble": 1.0}, rng_for(1)) is record


@pytest.mark.parametrize("kind", SHAPES)
def test_the_same_numbers_give_the_same_shape(kind):
    record = Region(box=(20.0, 5.0, 101.0, 86.0), mask=mask_to_rle(disc()))
    first, again, other = (asked_region(record, {kind: 1.0}, rng_for("test", n)) for n in (1, 1, 2))
    assert first == again
    assert first.mask == again.mask
    assert (first.point, first.mask) != (other.point, other.mask) or kind in ("box", "mask")


def test_a_malformed_mask_is_one_sentence():
    with pytest.raises(ValueError, match=r"mask: the runs of a run-length code must fill its size \[2, 2\]"):
        asked_region(Region(mask={"size": [2, 2], "counts": [3]}), {"point": 1.0}, rng_for(1))
