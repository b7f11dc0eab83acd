"""Regions as values: what they refuse when they are made, equality, digests, run-length codes."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deixis.geometry import (
    Box,
    Box3D,
    Extent,
    Mask,
    Point,
    PointSet,
    Polygon,
    Scribble,
    Span,
    check_region,
    mask_to_rle,
    region_digest,
    rle_area,
    rle_to_mask,
)

IMAGE = Extent("image", size_hw=(60, 100))
AUDIO = Extent("audio", duration_s=4.0)
CLOUD = Extent("point_cloud", points_xyz=np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 2]]))

REGIONS = [
    pytest.param(Point(1, 2, signal=1), id="point"),
    pytest.param(Box(1, 2, 3, 4, signal=1), id="box"),
    pytest.param(Scribble([[1, 2], [3, 4]], signal=1), id="scribble"),
    pytest.param(Polygon([[1, 2], [3, 4], [5, 0]], signal=1), id="polygon"),
    pytest.param(Mask([[0, 1], [1, 1]], signal=1), id="mask"),
    pytest.param(Span(0.5, 1, signal=1), id="span"),
    pytest.param(Box3D(0, 0, 0, 1, 1, 1, signal=1), id="box3d"),
    pytest.param(PointSet([3, 1], signal=1), id="point_set"),
]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: Point(), "1, 2 or 3 coordinates, got 0", id="point_without_coordinates"),
        pytest.param(lambda: Scribble([1, 2, 3]), r"shape \(k, 2\), got shape \(3,\)", id="scribble_flat"),
        pytest.param(lambda: Polygon([[1, 2, 3]]), r"shape \(k, 2\), got shape \(1, 3\)", id="polygon_3d"),
        pytest.param(lambda: Polygon([[1, 2], [3]]), r"k pairs \(x, y\) of numbers", id="polygon_ragged"),
        pytest.param(
            lambda: Mask(np.zeros((2, 2, 3))), r"\(height, width\), got float64 of shape \(2, 2, 3\)", id="mask_colour"
        ),
        pytest.param(lambda: PointSet([0.5]), "whole-number indices", id="point_set_of_floats"),
    ],
)
def test_making_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("region", REGIONS)
def test_regions_are_values(region):
    moved = dataclasses.replace(region, signal=0)
    copied = pickle.loads(pickle.dumps(region))
    assert copied == region
    assert hash(copied) == hash(region)
    assert moved != region
    assert region_digest(moved) == region_digest(region)


def test_digests_differ_between_types_and_coordinates():
    regions = [param.values[0] for param in REGIONS] + [Scribble([[1, 2], [3, 4], [5, 0]]), Box(1, 2, 3, 5)]
    assert len({region_digest(region) for region in regions}) == len(regions)


def test_arrays_are_locked_and_owned():
    array = np.zeros((2, 2), dtype=bool)
    mask = Mask(array)
    array[0, 0] = True
    assert not mask.mask.any()
    with pytest.raises(ValueError, match="read-only"):
        mask.mask[0, 0] = True


@pytest.mark.parametrize(
    ("region", "extent", "message"),
    [
        pytest.param(Box(1, 1, 1, 5), IMAGE, "Box is empty: it begins and ends at x = 1", id="box_empty"),
        pytest.param(Box(9, 1, 2, 5), IMAGE, "Box is reversed in x: it goes from 9 to 2", id="box_reversed"),
        pytest.param(Box(1, float("nan"), 2, 5), IMAGE, "Box needs finite coordinates", id="box_nan"),
        pytest.param(Box(10, 10, 300, 50), IMAGE, "outside its image.*100 x 60 pixels", id="box_too_wide"),
        pytest.param(Box(-0.9, 0, -0.2, 5), IMAGE, "lies on no pixel", id="box_in_the_slack"),
        pytest.param(Point(100, 70), IMAGE, "Point lies outside its image", id="point_below"),
        pytest.param(Point(1.0), IMAGE, "Point with 1 coordinate points into audio", id="point_1d_on_image"),
        pytest.param(Scribble([]), IMAGE, "at least 1 point, got 0", id="scribble_empty"),
        pytest.param(Polygon([[1, 1], [2, 2]]), IMAGE, "at least 3 points, got 2", id="polygon_of_two"),
        pytest.param(Polygon([[1, 1], [2, 2], [np.inf, 1]]), IMAGE, "finite", id="polygon_infinite"),
        pytest.param(Mask(np.zeros((60, 100))), IMAGE, "Mask is empty", id="mask_empty"),
        pytest.param(Mask(np.ones((100, 60))), IMAGE, "100 x 60 pixels, got 60 x 100", id="mask_turned"),
        pytest.param(
            Box(0, 0, 9, 9, signal=1),
            AUDIO,
            "a Box points into an image, but signal 1 is audio: use Span",
            id="box_on_sound",
        ),
        pytest.param(Span(0, 1), CLOUD, "signal 0 is a point cloud: use Box3D, PointSet", id="span_on_cloud"),
        pytest.param(PointSet([0]), IMAGE, "PointSet points into a point cloud, but signal 0", id="set_on_image"),
        pytest.param(Span(2, 2), AUDIO, "Span is empty", id="span_empty"),
        pytest.param(Span(3, 1), AUDIO, "Span is reversed in time", id="span_reversed"),
        pytest.param(Span(3, 9), AUDIO, "outside its audio.*4 s long", id="span_too_late"),
        pytest.param(Span(4.01, 4.04), AUDIO, "outside its audio", id="span_in_the_slack"),
        pytest.param(Point(-1.0), AUDIO, "Point lies outside its audio", id="instant_before"),
        pytest.param(Span(float("nan"), 1), AUDIO, "finite", id="span_nan"),
        pytest.param(PointSet([]), CLOUD, "PointSet is empty", id="point_set_empty"),
        pytest.param(PointSet([4]), CLOUD, "points 4 to 4 of a cloud of 4", id="point_set_beyond"),
        pytest.param(PointSet([-1, 2]), CLOUD, "points -1 to 2", id="point_set_negative"),
        pytest.param(Box3D(0, 0, 0, 0, 1, 1), CLOUD, "Box3D is empty", id="box3d_flat"),
        pytest.param(Box3D(0.2, 0.2, 0.2, 0.4, 0.4, 0.4), CLOUD, "no point of signal 0", id="box3d_between_points"),
        pytest.param(Point(5, 0, 0), CLOUD, "Point lies outside its cloud", id="point_far_away"),
        pytest.param(Point(0, 0, float("inf")), CLOUD, "finite", id="point_infinite"),
        pytest.param("a box", IMAGE, "must be one of Point, Box.*got str", id="not_a_region"),
    ],
)
def test_check_refuses(region, extent, message):
    with pytest.raises(ValueError, match=message):
        # past the annotation checks of the tests: users pass anything
        getattr(check_region, "__wrapped__", check_region)(region, extent)


@pytest.mark.parametrize(
    ("region", "extent"),
    [
        pytest.param(Box(0, 0, 100, 60), IMAGE, id="whole_image"),
        pytest.param(Box(-0.5, 0, 100.4, 60), IMAGE, id="overshoot_of_annotations"),
        pytest.param(Point(100, 60), IMAGE, id="last_corner"),
        pytest.param(Mask(np.ones((60, 100))), IMAGE, id="full_mask"),
        pytest.param(Span(0, 4.02), AUDIO, id="span_with_rounding"),
        pytest.param(Point(4.0), AUDIO, id="last_instant"),
        pytest.param(Box3D(-9, -9, -9, 9, 9, 9), CLOUD, id="loose_box"),
        pytest.param(Point(1, 1, 2), CLOUD, id="a_vertex"),
        pytest.param(Point(7, 7, 7), Extent("point_cloud", points_xyz=np.full((1, 3), 7.0)), id="cloud_of_one_point"),
    ],
)
def test_check_accepts(region, extent):
    check_region(region, extent)


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        pytest.param({}, "needs the keys 'size' and 'counts'", id="empty"),
        pytest.param({"size": [2], "counts": "04"}, r"must be \[height, width\]", id="size_of_one"),
        pytest.param({"size": [0, 2], "counts": ""}, "two positive sides", id="size_zero"),
        pytest.param({"size": [1 << 20, 1 << 20], "counts": "0"}, "at most 268435456 pixels", id="size_huge"),
        pytest.param({"size": [2, 2], "counts": "00000"}, r"must fill its size \[2, 2\]: 4 pixels", id="too_short"),
        pytest.param({"size": [2, 2], "counts": [1, 9]}, "must fill its size", id="too_long"),
        pytest.param({"size": [2, 2], "counts": [-1, 5]}, "must fill its size", id="negative_run"),
        pytest.param({"size": [2, 2], "counts": "no way"}, "character that is not of this code", id="foreign"),
        pytest.param({"size": [2, 2], "counts": "1ü3"}, "character that is not of this code", id="no_ascii"),
        pytest.param({"size": [2, 2], "counts": "o" * 7 + "1"}, "character that is not of", id="number_without_end"),
        pytest.param({"size": [2, 2], "counts": [1 << 70, 3]}, "a list of whole numbers", id="run_too_long"),
        pytest.param({"size": [2, 2], "counts": "P"}, "middle of a number", id="cut_off"),
        pytest.param({"size": [2, 2], "counts": 7}, "must be text or a list, got 7", id="a_number"),
    ],
)
def test_rle_refuses(rle, message):
    with pytest.raises(ValueError, match=message):
        rle_to_mask(rle)


@given(st.text(alphabet="0123456789:;<=>?@ABCPQRSTo`", max_size=12), st.integers(1, 6), st.integers(1, 6))
def test_any_code_is_read_or_refused(counts, height, width):
    rle = {"size": [height, width], "counts": counts}
    try:
        mask = rle_to_mask(rle)
    except ValueError:
        with pytest.raises(ValueError, match="run-length code"):
            rle_area(rle)
        return
    assert mask.shape == (height, width)
    assert rle_area(rle) == mask.sum()


@pytest.mark.parametrize("share", [pytest.param(share, id=f"filled_{share}") for share in (0.0, 0.02, 0.5, 1.0)])
@pytest.mark.parametrize("size_hw", [(1, 1), (1, 70), (70, 1), (123, 217)])
def test_rle_round_trip(size_hw, share):
    mask = np.random.default_rng(0).random(size_hw) < share
    rle = mask_to_rle(mask)
    runs = np.diff(np.flatnonzero(np.diff(mask.T.ravel(), prepend=False, append=~mask.T.ravel()[-1])), prepend=0)
    assert rle["size"] == list(size_hw)
    assert np.array_equal(rle_to_mask(rle), mask)
    assert rle_area(rle) == mask.sum()
    assert np.array_equal(rle_to_mask({**rle, "counts": rle["counts"].encode()}), mask)
    assert np.array_equal(rle_to_mask({**rle, "counts": runs.tolist()}), mask)
    assert Mask(Mask(mask).mask_rle, signal=2) == Mask(mask, signal=2)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        pytest.param({}, r"needs one of size_hw, duration_s, points_xyz, count, got \[\]", id="none"),
        pytest.param({"duration_s": 1.0, "count": 3}, "got .*duration_s.*count", id="two"),
        pytest.param({"size_hw": (0, 4)}, "must be positive", id="no_rows"),
        pytest.param({"duration_s": float("nan")}, "positive seconds, got nan", id="nan_seconds"),
        pytest.param({"points_xyz": np.zeros((4, 2))}, r"floats \(N, 3\)", id="flat_cloud"),
    ],
)
def test_extent_refuses(sizes, message):
    with pytest.raises(ValueError, match=message):
        Extent("image", **sizes)


def test_extents_compare_by_content():
    assert CLOUD == Extent("point_cloud", points_xyz=CLOUD.points_xyz.copy())
    assert CLOUD != Extent("point_cloud", points_xyz=CLOUD.points_xyz + 1)
    assert IMAGE != AUDIO
    assert (IMAGE.dim, AUDIO.dim, CLOUD.dim) == (2, 1, 3)
