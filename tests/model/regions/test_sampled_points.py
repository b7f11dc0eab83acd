"""Where regions are read: the union's points where they lie, Ferret's transposed, in its order and number."""

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from deixis import Box, Mask, Point
from deixis.geometry import letterbox_frame
from deixis.model.regions.sampled_points import read_field
from deixis.ops import sample_grid
from deixis.systems.ferret.sampling import ferret_mask, read_ferret, transposed_places

FRAME = letterbox_frame((40, 60), (40, 60))


def test_the_union_reads_where_the_points_lie():
    read = read_field(Box(10, 20, 30, 40), FRAME, 12, 3, 4)
    assert (read.points.shape, read.places) == ((12, 3), None)
    assert (read.points[:, 2] == 0).all()
    x, y = read.points[:, 0] * 60, read.points[:, 1] * 40
    assert (x.min(), y.min()) > (10, 20)
    assert (x.max(), y.max()) < (30, 40)


@pytest.mark.parametrize(
    ("region", "count", "expected"),
    [
        pytest.param(Box(10, 20, 12, 21), 6, [(x, y) for x in (10, 11, 12) for y in (20, 21)], id="far_edge_in_order"),
        pytest.param(Point(0.9, 39.9), 36, [(x, y) for x in range(6) for y in range(34, 40)], id="window_clipped"),
    ],
)
def test_ferrets_points_are_whole_pixels_column_by_column(region, count, expected):
    read = read_ferret(region, FRAME, count, 2, 24)
    np.testing.assert_allclose(read.points, np.array(expected) / (60, 40), atol=1e-6)


def test_fewer_pixels_come_all_and_then_repeat_and_more_are_drawn_without_repeats():
    few = read_ferret(Box(10, 20, 11, 20), FRAME, 6, 2, 24).points * (60, 40)
    assert few[:2].round().tolist() == [[10, 20], [11, 20]]
    assert {tuple(p) for p in few[2:].round()} <= {(10, 20), (11, 20)}
    many = read_ferret(Box(0, 0, 30, 30), FRAME, 50, 2, 24)
    assert len(np.unique(many.points, axis=0)) == 50
    np.testing.assert_array_equal(many.points, read_ferret(Box(0, 0, 30, 30), FRAME, 50, 2, 24).points)


def test_the_field_is_read_as_ferrets_code_reads_it():
    torch.manual_seed(0)
    maps, points = torch.randn(1, 3, 24, 24), torch.rand(1, 30, 2)
    theirs = grid_sample(maps, points.flip(2)[:, :, None] * 2 - 1, align_corners=True)[..., 0].transpose(1, 2)
    places = torch.from_numpy(transposed_places(points[0].numpy(), 24))[None]
    torch.testing.assert_close(sample_grid(maps, places, torch.tensor([0])), theirs, atol=1e-5, rtol=1e-4)


def test_a_mask_is_read_as_it_is_and_an_empty_one_refused():
    array = np.zeros((40, 60), bool)
    array[5, 7] = True
    assert ferret_mask(Mask(array), (40, 60)).nonzero() == (np.array([7]), np.array([5]))  # x first
    with pytest.raises(ValueError, match="the region is empty: no whole pixel"):
        read_ferret(Mask(np.zeros((40, 60), bool)), FRAME, 4, 2, 24)
