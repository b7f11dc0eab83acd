"""Frames: exact there and back, whatever the sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deixis.geometry import GRID_CELLS, Extent, Frame, cloud_frame, letterbox_frame, window_frame
from deixis.geometry.frames import letterbox_placement

SIDES = st.integers(1, 20_000)
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("size_hw", "tensor_hw", "expected"),
    [
        pytest.param((1, 1), (128, 128), (0, 0, 128, 128), id="one_pixel"),
        pytest.param((1, 20_000), (128, 128), (63, 0, 1, 128), id="a_line_keeps_a_row"),
        pytest.param((20_000, 1), (128, 128), (0, 63, 128, 1), id="a_column_keeps_a_column"),
        pytest.param((128, 128), (128, 128), (0, 0, 128, 128), id="as_it_is"),
        pytest.param((480, 640), (128, 128), (16, 0, 96, 128), id="landscape"),
        pytest.param((640, 480), (128, 128), (0, 16, 128, 96), id="portrait"),
        pytest.param((100, 100), (64, 128), (0, 32, 64, 64), id="tensor_not_square"),
    ],
)
def test_letterbox_placement(size_hw, tensor_hw, expected):
    assert letterbox_placement(size_hw, tensor_hw) == expected


@given(SIDES, SIDES, st.integers(1, 512), st.integers(1, 512))
def test_letterbox_puts_the_image_where_the_placement_says(height, width, tensor_height, tensor_width):
    frame = letterbox_frame((height, width), (tensor_height, tensor_width))
    top, left, rows, columns = letterbox_placement((height, width), (tensor_height, tensor_width))
    corners = frame.to_unit([[0, 0], [width, height]]) * (tensor_width, tensor_height)
    assert np.allclose(corners, [[left, top], [left + columns, top + rows]], atol=1e-6)
    assert 0 <= top <= tensor_height - rows
    assert 0 <= left <= tensor_width - columns


@given(SIDES, SIDES, SHARES, SHARES)
def test_image_round_trip(height, width, xs, ys):
    frame = letterbox_frame((height, width), (128, 128))
    file = np.array([(x * width, y * height) for x, y in zip(xs, ys, strict=False)])
    unit = frame.to_unit(file)
    assert np.allclose(frame.to_file(unit), file, atol=1e-6)
    assert (unit > -1e-9).all()
    assert (unit < 1 + 1e-9).all()
    back = frame.to_file((frame.to_grid(unit) + 0.5) / GRID_CELLS)
    assert (np.abs(back - file) <= np.array(frame.extent) * (0.0005 + 1e-9)).all()


@given(st.floats(0.01, 1e4), st.floats(0.1, 60), st.floats(0, 1e3), SHARES)
def test_audio_round_trip(duration_s, window_s, start_s, shares):
    frame = window_frame(duration_s, window_s, start_s)
    times = start_s + np.array(shares)[:, None] * window_s
    assert np.allclose(frame.to_file(frame.to_unit(times)), times)
    assert (
        np.abs(frame.to_file((frame.to_grid(frame.to_unit(times)) + 0.5) / GRID_CELLS) - times) < window_s / 1999
    ).all()


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(-1e6, 1e6)))
def test_cloud_round_trip(points):
    frame = cloud_frame(points)
    unit = frame.to_unit(points)
    side = frame.extent[0]
    assert side > 0
    assert frame.extent == (side, side, side)
    assert np.allclose(frame.to_file(unit), points, atol=1e-6)
    assert (unit > -1e-6).all()
    assert (unit < 1 + 1e-6).all()
    assert np.allclose((unit.min(axis=0) + unit.max(axis=0)) / 2, 0.5, atol=1e-6)


@given(hnp.arrays(np.int64, (5, 2), elements=st.integers(0, 999)))
def test_grid_cells_come_back_exactly(grid):
    frame, centres = letterbox_frame((480, 640), (128, 128)), (grid + 0.5) / GRID_CELLS
    assert np.array_equal(frame.to_grid(centres), grid)
    assert np.array_equal(frame.to_grid(frame.to_unit(frame.to_file(centres))), grid)


@pytest.mark.parametrize(
    ("unit", "cell"),
    [
        pytest.param(-0.5, 0, id="before"),
        pytest.param(0.0, 0, id="first_edge"),
        pytest.param(0.0009999, 0, id="in_the_first_cell"),
        pytest.param(0.5, 500, id="middle"),
        pytest.param(1.0, 999, id="last_edge"),
        pytest.param(7.0, 999, id="after"),
    ],
)
def test_grid_is_clipped(unit, cell):
    assert window_frame(8, 8).to_grid([unit]).tolist() == [cell]


def test_clip_moves_into_the_signal():
    assert letterbox_frame((60, 100), (128, 128)).clip([[-5, 70], [101, -2]]).tolist() == [[0, 60], [100, 0]]
    assert window_frame(3.0, 8.0).clip([7.0]).tolist() == [3.0]
    assert cloud_frame(np.zeros((1, 3))).clip([9, 9, 9]).tolist() == [9, 9, 9]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        pytest.param(np.zeros((0, 3)), r"N > 0, got \(0, 3\)", id="empty"),
        pytest.param(np.zeros((4, 2)), r"shape \(N, 3\)", id="flat"),
        pytest.param(np.array([[0, 0, np.nan]]), "finite coordinates", id="nan"),
        pytest.param(np.array([[0, 0, np.inf], [0, 0, 1]]), "finite coordinates", id="infinite"),
    ],
)
def test_cloud_frame_refuses(points, message):
    with pytest.raises(ValueError, match=message):
        getattr(cloud_frame, "__wrapped__", cloud_frame)(points)


@pytest.mark.parametrize(
    ("origin", "extent", "message"),
    [
        pytest.param((0.0,), (1.0,), "needs 2 origins and extents, got 1 and 1", id="too_few_axes"),
        pytest.param((0.0, 0.0), (1.0, 0.0), "positive extents", id="no_height"),
        pytest.param((0.0, float("nan")), (1.0, 1.0), "finite origins", id="nan"),
    ],
)
def test_frame_refuses(origin, extent, message):
    with pytest.raises(ValueError, match=message):
        Frame("image", origin, extent, Extent("image", size_hw=(4, 4)))


def test_one_point_gets_a_cube():
    frame = cloud_frame(np.full((1, 3), 1e6, dtype=np.float32))
    assert frame.extent == (1.0, 1.0, 1.0)
    assert frame.to_unit([1e6, 1e6, 1e6]).tolist() == [0.5, 0.5, 0.5]
