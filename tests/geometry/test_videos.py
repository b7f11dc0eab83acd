"""Regions of videos, maps, IMU recordings and fMRI: space and time, windows of a part, signals without positions."""

import numpy as np
import pytest

from deixis.geometry import (
    Box,
    Box3D,
    Extent,
    Frame,
    Mask,
    Point,
    PointSet,
    Polygon,
    Region,
    Scribble,
    Span,
    Tube,
    bounding_box,
    check_region,
    cloud_frame,
    letterbox_frame,
    region_digest,
    region_points,
    window_frame,
)
from deixis.geometry.frames import crop_placement, placed_frame, placeless_frame, video_frame

FILM = Extent("video", size_hw=(60, 100), duration_s=8.0)
DEPTH = Extent("depth", size_hw=(60, 100))
TRACE = Extent("imu", duration_s=4.0)
BRAIN = Extent("fmri", points_xyz=np.random.default_rng(0).normal(0, 30, (500, 3)))
NUMBERS = Extent("fmri", count=15724)
FRAME = video_frame(letterbox_frame((60, 100), (64, 64), "video"), 8.0)


@pytest.mark.parametrize(
    ("extent", "axes"), [(FILM, "xyt"), (DEPTH, "xy"), (TRACE, "t"), (BRAIN, "xyz"), (NUMBERS, "")]
)
def test_axes_follow_from_the_sizes(extent, axes):
    assert (extent.axes, extent.dim) == (axes, len(axes))
    assert extent == extent
    assert hash(extent) == hash(
        Extent(extent.modality, extent.size_hw, extent.duration_s, extent.points_xyz, extent.count)
    )


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        pytest.param({"size_hw": (4, 4), "count": 3}, "needs one of", id="pixels_and_numbers"),
        pytest.param({"size_hw": (4, 4), "duration_s": 0.0}, "positive seconds", id="no_time"),
        pytest.param({"count": 0}, "count of an Extent must be positive, got 0", id="no_numbers"),
    ],
)
def test_sizes_that_do_not_go_together(sizes, message):
    with pytest.raises(ValueError, match=message):
        Extent("video", **sizes)


@pytest.mark.parametrize(
    ("region", "extent", "message"),
    [
        pytest.param(
            Tube(0, 0, 9, 9, 1, 2), DEPTH, "a Tube points into a video, but signal 0 is a depth map", id="map"
        ),
        pytest.param(Tube(0, 0, 9, 9, 1, 2), TRACE, "a video, but signal 0 is an IMU recording: use Span", id="trace"),
        pytest.param(
            Point(1, 2), FILM, r"Point with 2 coordinates .* is a video: use .* x, y and a time", id="no_time"
        ),
        pytest.param(
            Box3D(0, 0, 0, 1, 1, 1), FILM, "a Box3D points into a point cloud, but signal 0 is a video", id="3d"
        ),
        pytest.param(Box(0, 0, 9, 9), BRAIN, "an fMRI response: use Box3D, PointSet", id="brain"),
        pytest.param(PointSet([1]), NUMBERS, "have no positions, so that no region can lie in it", id="numbers"),
        pytest.param(Point(1), NUMBERS, "have no positions", id="instant_of_numbers"),
        pytest.param(Tube(9, 0, 1, 9, 1, 2), FILM, "Tube is reversed in x", id="reversed"),
        pytest.param(Tube(0, 0, 9, 9, 2, 2), FILM, "Tube is empty: it begins and ends at time = 2", id="no_stretch"),
        pytest.param(Tube(0, 0, 9, 9, 7, 9), FILM, "Tube lies outside its video: it covers 7 to 9 s", id="late"),
        pytest.param(Tube(0, 0, 999, 9, 1, 2), FILM, "Tube lies outside its video: it covers x 0 to 999", id="wide"),
        pytest.param(Tube(0, 0, 9, 9, 1, float("nan")), FILM, "Tube needs finite coordinates", id="nan"),
        pytest.param(Point(5, 5, 99), FILM, "Point lies outside its video: it covers 99 to 99 s", id="late_point"),
        pytest.param(Point(500, 5, 1), FILM, "Point lies outside its video: it covers x 500", id="far_point"),
        pytest.param(Span(3, 5), TRACE, "Span lies outside its IMU recording", id="long_span"),
        pytest.param(Box(0, 0, 9, 99), DEPTH, "Box lies outside its depth map", id="high_box"),
        pytest.param(Mask(np.ones((4, 4), bool)), FILM, "Mask must have the size of its image, 100 x 60", id="mask"),
    ],
)
def test_regions_that_do_not_fit(region, extent, message):
    with pytest.raises(ValueError, match=message):
        check_region(region, extent)


PLACES = [
    pytest.param(Tube(10, 20, 40, 50, 2, 3), ((10, 40), (20, 50), (2, 3)), id="tube"),
    pytest.param(Box(10, 20, 40, 50), ((10, 40), (20, 50), (0, 8)), id="box_all_along"),
    pytest.param(Span(2, 3), ((0, 100), (0, 60), (2, 3)), id="span_of_all_pixels"),
    pytest.param(Polygon([(10, 20), (40, 20), (25, 50)]), ((10, 40), (20, 50), (0, 8)), id="polygon"),
    pytest.param(Mask(np.pad(np.ones((5, 5), bool), ((20, 35), (10, 85)))), ((10, 15), (20, 25), (0, 8)), id="mask"),
]


@pytest.mark.parametrize(("region", "bounds"), PLACES)
def test_points_of_a_film_are_where_and_when(region, bounds):
    check_region(region, FILM)
    points = region_points(region, FRAME, 400)
    assert (points.shape, points.dtype) == ((400, 3), np.float32)
    file = FRAME.to_file(points)
    for values, (low, high) in zip(file.T, bounds, strict=True):
        assert low - 1e-4 <= values.min()
        assert values.max() <= high + 1e-4
    assert np.ptp(file[:, 2]) > 0.95 * (bounds[2][1] - bounds[2][0]), "time is covered evenly"
    box = bounding_box(region, FILM)
    np.testing.assert_allclose(box, [low for low, _ in bounds] + [high for _, high in bounds])
    np.testing.assert_array_equal(points, region_points(region, FRAME, 400))


def test_a_place_at_an_instant():
    file = FRAME.to_file(region_points(Point(30, 40, 5.0), FRAME, 64))
    assert np.abs(file[:, :2] - [30, 40]).max() <= 3
    assert np.abs(file[:, 2] - 5).max() <= 0.1 + 1e-4
    assert bounding_box(Point(30, 40, 5.0), FILM).tolist() == [30, 40, 5, 30, 40, 5]


def test_a_small_tube_is_not_read_row_by_row():
    """Nine pixels, many points: early instants must not all have the upper pixels."""
    file = FRAME.to_file(region_points(Tube(10, 10, 13, 13, 0, 8), FRAME, 9))
    assert abs(np.corrcoef(file[:, 1], file[:, 2])[0, 1]) < 0.9
    assert len({tuple(place) for place in file[:, :2].round(1)}) == 9


@pytest.mark.parametrize("region", [Tube(0, 0, 15, 60, 1, 2), Scribble([(2, 2), (5, 50)]), Point(3, 3, 1.0)])
def test_a_cropped_film_does_not_see_its_sides(region):
    cropped = placed_frame((60, 100), (32, 32), crop_placement((60, 100), 32), "video")
    check_region(region, FILM)
    with pytest.raises(ValueError, match=r"lies outside what the model reads of this signal: x 18.*, y 0 to 60"):
        region_points(region, video_frame(cropped, 8.0), 16)


def test_traces_and_brains_have_points_too():
    frame = window_frame(4.0, 2.0, modality="imu")
    points = frame.to_file(region_points(Span(0.5, 3), frame, 50))
    assert 0.5 <= points.min() <= points.max() <= 2.0
    frame = cloud_frame(BRAIN.points_xyz, "fmri")
    assert (frame.modality, frame.size) == ("fmri", BRAIN)
    np.testing.assert_allclose(
        frame.to_file(region_points(PointSet([7]), frame, 3)), np.tile(BRAIN.points_xyz[7], (3, 1)), atol=1e-3
    )
    with pytest.raises(ValueError, match="no region can lie in it"):
        region_points(PointSet([7]), placeless_frame(15724, "fmri"), 3)


def test_frames_of_films_and_of_numbers():
    assert FRAME.clip([[-5, 70, 9], [50, 20, -1]]).tolist() == [[0, 60, 8], [50, 20, 0]]
    np.testing.assert_allclose(FRAME.to_unit([50, 30, 4]), [0.5, 0.5, 0.5])
    assert placeless_frame(9, "fmri").dim == 0
    with pytest.raises(ValueError, match="needs 3 origins and extents, got 2 and 2"):
        Frame("video", (0.0, 0.0), (1.0, 1.0), FILM)


def test_tubes_are_values():
    assert Tube(1, 2, 3, 4, 5, 6) == Tube(1.0, 2, 3, 4, 5, 6)
    assert Tube(1, 2, 3, 4, 5, 6) == Region(box=(1, 2, 3, 4), time_s=(5, 6))
    assert Tube(1, 2, 3, 4, 5, 6).form == Box(1, 2, 3, 4).form == "box"
    assert Tube(1, 2, 3, 4, 5, 6, signal=2).interval_s == Span(5, 6, signal=2).interval_s
    kinds = Tube(1, 2, 3, 4, 5, 6), Box3D(1, 2, 3, 4, 5, 6), Tube(1, 2, 3, 4, 5, 7)
    assert len({region_digest(region) for region in kinds}) == 3
