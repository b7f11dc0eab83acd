"""Pixels and points inside regions, the points a sampler reads, and bounding boxes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
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
    bounding_box,
    cloud_frame,
    letterbox_frame,
    mask_to_box_xyxy,
    point_mask,
    rasterise,
    region_points,
    window_frame,
)

SIZE_HW = (60, 100)
IMAGE = Extent("image", size_hw=SIZE_HW)
IMAGE_FRAME = letterbox_frame(SIZE_HW, (128, 128))
XYZ = np.random.default_rng(0).random((500, 3)) * (4, 2, 1)
CLOUD = Extent("point_cloud", points_xyz=XYZ)
BOTTOM_HALF = np.zeros(SIZE_HW, dtype=bool)
BOTTOM_HALF[30:] = True


def mask_of(*rows: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in rows])


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        pytest.param(Box(1, 1, 3, 3), mask_of(".....", ".##..", ".##..", "....."), id="box_of_whole_pixels"),
        pytest.param(Box(0.6, 0.4, 2.4, 1.4), mask_of(".#...", ".....", ".....", "....."), id="centres_decide"),
        pytest.param(Box(2.1, 1.1, 2.2, 1.2), mask_of(".....", "..#..", ".....", "....."), id="box_inside_a_pixel"),
        pytest.param(Box(-9, -9, 99, 0.6), mask_of("#####", ".....", ".....", "....."), id="box_clipped"),
        pytest.param(Box(7, 7, 9, 9), mask_of(".....", ".....", ".....", "....#"), id="box_off_the_image"),
        pytest.param(Polygon([[0, 0], [4, 0], [0, 4]]), mask_of("###..", "##...", "#....", "....."), id="triangle"),
        pytest.param(Polygon([[1, 1], [4, 1], [4, 3], [1, 3]]), mask_of(".....", ".###.", ".###.", "....."),
                     id="polygon_as_box"),
        pytest.param(Polygon([[0, 0], [5, 4], [5, 0], [0, 4]]), mask_of("#...#", "##.##", "##.##", "#...#"),
                     id="crossing_itself"),
        pytest.param(Polygon([[1.2, 1.2], [1.3, 1.2], [1.2, 1.3]]), mask_of(".....", ".#...", ".....", "....."),
                     id="polygon_inside_a_pixel"),
        pytest.param(Point(2.5, 1.5), mask_of(".###.", "#####", ".###.", "..#.."), id="point_is_a_disc"),
        pytest.param(Scribble([[0.5, 0.5], [4.5, 0.5]]), mask_of("#####", "#####", "#####", "....."), id="stroke"),
        pytest.param(Mask(np.eye(4, 5)), mask_of("#....", ".#...", "..#..", "...#."), id="mask"),
    ],
)  # fmt: skip
def test_rasterise(region, expected):
    assert rasterise(region, (4, 5)).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("region", "message"),
    [
        pytest.param(Span(0, 1), "a Span has no pixels", id="span"),
        pytest.param(Point(1.0), "a Point has no pixels", id="instant"),
        pytest.param(Scribble([]), "a Scribble has no pixels", id="no_stroke"),
        pytest.param(Mask(np.ones((5, 4))), r"image's size \(height, width\) \(4, 5\), got \(5, 4\)", id="mask_turned"),
    ],
)
def test_rasterise_refuses(region, message):
    with pytest.raises(ValueError, match=message):
        rasterise(region, (4, 5))


def test_a_stroke_grows_with_the_mask_of():
    disc = rasterise(Point(500, 500), (1000, 1000))
    assert mask_to_box_xyxy(disc).tolist() == [485, 485, 515, 515]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 45), st.floats(-5, 35)), min_size=3, max_size=8))
def test_polygon_equals_crossing_numbers_of_every_centre(corners):
    """The filling against its definition, a ray from every pixel's centre."""
    points = np.array(corners)
    x, y = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    inside = np.zeros((30, 40), dtype=bool)
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
        crosses = (y1 <= y) != (y2 <= y)
        with np.errstate(all="ignore"):
            inside ^= crosses & (x1 + (y - y1) * (x2 - x1) / (y2 - y1) <= x)
    got = rasterise(Polygon(points), (30, 40))
    assert got.any()
    if inside.any():
        assert (got != inside).mean() < 0.003  # centres that lie on an edge, up to rounding


def test_a_polygon_of_more_edges_in_a_row_than_a_byte_counts():
    corners = [(x, y) for x in range(600) for y in ((-5, 15) if x % 2 else (15, -5))]
    assert np.array_equal(rasterise(Polygon(corners), (10, 600)), np.tile([True, False], (10, 300)))


@pytest.mark.parametrize(("form", "bytes_per_px"), [(Polygon, 3), (Scribble, 6)], ids=["polygon", "scribble"])
def test_memory_of_a_large_image(form, bytes_per_px):
    region = form([(0, 0), (3000, 0), (3000, 2000), (0, 2000)])
    tracemalloc.start()
    try:
        assert rasterise(region, (2000, 3000)).any()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < bytes_per_px * 2000 * 3000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 30)), min_size=1, max_size=5))
@example([(0.0, 0.0), (1.2e-218, 0.0)])
def test_stroke_equals_distance_to_its_line(corners):
    points = np.array(corners)
    centres = np.stack(np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5), axis=-1)
    nearest = np.full((30, 40), np.inf)
    for start, end in zip(points, points[1:] if len(points) > 1 else points, strict=False):
        along = np.linspace(0, 1, 400)[:, None, None, None]
        nearest = np.minimum(nearest, np.linalg.norm(centres - (start + along * (end - start)), axis=-1).min(axis=0))
    got = rasterise(Scribble(points), (30, 40))
    sure = np.abs(nearest - 2.0) > 0.05
    assert (got == (nearest <= 2.0))[sure].all()


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        pytest.param(PointSet([]), [], id="empty_set"),
        pytest.param(PointSet([3, 0, 3]), [0, 3], id="set"),
        pytest.param(Box3D(0, 0, 0, 1, 1, 0), [0, 1, 2], id="box_with_its_borders"),
        pytest.param(Point(0, 0, 0.1), [0], id="point_takes_what_is_near"),
        pytest.param(Point(0.4, 0, 0.9), [0], id="point_takes_the_nearest"),
    ],
)
def test_point_mask(region, expected):
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 2]])
    assert np.flatnonzero(point_mask(region, points)).tolist() == expected


def test_point_mask_refuses_pixels():
    with pytest.raises(ValueError, match="a Box has no points of a cloud: use Point"):
        point_mask(Box(0, 0, 1, 1), XYZ)


IMAGE_REGIONS = [
    pytest.param(Point(50, 30), id="point"),
    pytest.param(Box(10.2, 5, 80, 40), id="box"),
    pytest.param(Box(3.2, 5.1, 3.3, 5.2), id="box_inside_a_pixel"),
    pytest.param(Scribble([[10, 10], [60, 50]]), id="scribble"),
    pytest.param(Polygon([[10, 10], [60, 15], [30, 50]]), id="polygon"),
    pytest.param(Mask(BOTTOM_HALF), id="mask"),
]


@pytest.mark.parametrize("region", IMAGE_REGIONS)
@pytest.mark.parametrize("count", [1, 64, 4000])
def test_image_points_are_pixel_centres_inside(region, count):
    unit = region_points(region, IMAGE_FRAME, count)
    file = IMAGE_FRAME.to_file(unit)
    pixels = np.floor(file).astype(int)
    mask = rasterise(region, SIZE_HW)
    assert unit.shape == (count, 2)
    assert unit.dtype == np.float32
    assert np.allclose(file, pixels + 0.5, atol=1e-4)
    assert mask[pixels[:, 1], pixels[:, 0]].all()
    distinct = len(np.unique(pixels, axis=0))
    assert distinct == min(count, mask.sum())  # no repeats before every pixel was taken


@pytest.mark.parametrize("region", [Box3D(0, 0, 0, 3, 1, 1), PointSet([1, 2, 400]), Point(1, 1, 0.5)])
def test_cloud_points_are_points_of_the_cloud(region):
    inside = XYZ[point_mask(region, XYZ)]
    file = cloud_frame(XYZ).to_file(region_points(region, cloud_frame(XYZ), 100))
    distance = np.linalg.norm(file[:, None] - inside[None], axis=-1)
    assert distance.min(axis=1).max() < 1e-5
    assert len(np.unique(distance.argmin(axis=1))) == min(100, len(inside))


@pytest.mark.parametrize(
    ("region", "low_s", "high_s"),
    [
        pytest.param(Span(1.0, 2.0), 1.0, 2.0, id="span"),
        pytest.param(Point(2.0), 1.9, 2.1, id="instant"),
        pytest.param(Point(0.0), 0.0, 0.1, id="first_instant"),
        pytest.param(Span(5, 7), 5.0, 6.0, id="span_cut_by_the_window"),
    ],
)
def test_audio_points_are_spread_evenly(region, low_s, high_s):
    frame = window_frame(7.0, 6.0)
    unit = region_points(region, frame, 50)
    edges = np.linspace(low_s, high_s, 51)
    times = frame.to_file(unit)[:, 0]
    assert unit.shape == (50, 1)
    assert (np.histogram(times, bins=edges + np.r_[-1e-5, np.zeros(49), 1e-5])[0] >= 0).all()
    assert (times >= edges[:-1] - 1e-5).all()
    assert (times <= edges[1:] + 1e-5).all()


@pytest.mark.parametrize(
    ("region", "extent", "frame", "message"),
    [
        pytest.param(PointSet([]), CLOUD, cloud_frame(XYZ), "the region is empty", id="empty_set"),
        pytest.param(Mask(np.zeros(SIZE_HW)), IMAGE, IMAGE_FRAME, "the region is empty", id="empty_mask"),
        pytest.param(Span(9, 9.5), Extent("audio", duration_s=10.0), window_frame(10, 8),
                     "9 to 9.5 s lies outside what the model reads: 0 to 8 s", id="beyond_the_window"),
        pytest.param(Box(0, 0, 1, 1), Extent("audio", duration_s=10.0), window_frame(10, 8),
                     "a Box has no instants of audio", id="box_on_sound"),
    ],
)  # fmt: skip
def test_region_points_refuse(region, extent, frame, message):
    with pytest.raises(ValueError, match=message):
        region_points(region, frame, 8)


@pytest.mark.parametrize("region", IMAGE_REGIONS)
def test_same_question_same_points(region):
    first, again = (region_points(region, IMAGE_FRAME, 300) for _ in range(2))
    other = region_points(region, IMAGE_FRAME, 300, seed=1)
    assert np.array_equal(first, again)
    assert np.array_equal(other, region_points(region, IMAGE_FRAME, 300, seed=1))
    if len(np.unique(first, axis=0)) > 1:
        assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("region", "extent", "expected"),
    [
        pytest.param(Point(3, 4), IMAGE, [3, 4, 3, 4], id="point"),
        pytest.param(Box(1, 2, 3, 4), IMAGE, [1, 2, 3, 4], id="box"),
        pytest.param(Scribble([[5, 1], [2, 8]]), IMAGE, [2, 1, 5, 8], id="scribble"),
        pytest.param(Polygon([[5, 1], [2, 8], [3, 3]]), IMAGE, [2, 1, 5, 8], id="polygon"),
        pytest.param(Mask(BOTTOM_HALF), IMAGE, [0, 30, 100, 60], id="mask"),
        pytest.param(Span(1, 2), Extent("audio", duration_s=4.0), [1, 2], id="span"),
        pytest.param(Box3D(0, 1, 2, 3, 4, 5), CLOUD, [0, 1, 2, 3, 4, 5], id="box3d"),
        pytest.param(PointSet([7]), CLOUD, [*XYZ[7], *XYZ[7]], id="point_set"),
    ],
)
def test_bounding_box(region, extent, expected):
    assert bounding_box(region, extent).tolist() == expected


@pytest.mark.parametrize(
    "region",
    [pytest.param(Mask(np.zeros(SIZE_HW)), id="mask"), pytest.param(Scribble([]), id="scribble")],
)
def test_bounding_box_refuses_empty(region):
    with pytest.raises(ValueError, match="is empty"):
        bounding_box(region, IMAGE)


def test_mask_and_box_agree():
    assert mask_to_box_xyxy(rasterise(Box(10, 5, 80, 40), SIZE_HW)).tolist() == [10, 5, 80, 40]
    assert mask_to_box_xyxy(np.zeros((3, 3), dtype=bool)) is None
