"""The field reads features at the right places: position-coded features come back as the positions asked for."""

import pytest
import torch

from deixis.model.encoder.field import Field, fourier_features, grid_positions


def coded_field(kind, grid, fine_grid):
    """A field of two signals whose features are their own positions; the second signal's are negative."""

    def level(size):
        places = grid_positions(size, torch.device("cpu")).expand(2, -1, -1)
        return torch.stack([places[0], -places[1]]), places

    (tokens, positions), (fine, fine_positions) = level(grid), level(fine_grid)
    as_grid = (grid, fine_grid) if kind != "point_cloud" else (None, None)
    return Field(kind, tokens, positions, as_grid[0], fine, fine_positions, as_grid[1])


@pytest.mark.parametrize(
    ("kind", "grid", "fine_grid", "tolerance"),
    [
        pytest.param("audio", (5,), (20,), 1e-6, id="sound"),
        pytest.param("image", (3, 5), (12, 20), 1e-6, id="picture_not_square"),
        pytest.param("point_cloud", (8, 8, 8), (10, 10, 10), 0.08, id="cloud"),  # inverse distances are not linear
    ],
)
def test_features_are_read_where_the_points_lie(kind, grid, fine_grid, tolerance):
    field = coded_field(kind, grid, fine_grid)
    axes = len(grid)
    torch.manual_seed(0)
    points = 0.25 + torch.rand(4, 6, axes) * 0.5  # inside the outer centres: beyond them the border is extended
    signal = torch.tensor([0, 1, 1, 0])
    read = field.at(points, signal)
    assert (field.axes, read.shape) == (axes, (4, 6, 2 * axes))
    sign = torch.tensor([1.0, -1.0, -1.0, 1.0]).view(4, 1, 1)
    torch.testing.assert_close(read[..., :axes], points * sign, atol=tolerance, rtol=0)
    torch.testing.assert_close(read[..., axes:], points * sign, atol=tolerance, rtol=0)


def test_a_field_without_a_finer_level_reads_its_tokens_alone():
    field = coded_field("image", (2, 2), (4, 4))
    coarse = Field("image", field.tokens, field.positions, field.grid)
    points, signal = torch.full((1, 1, 2), 0.5), torch.tensor([1])
    torch.testing.assert_close(coarse.at(points, signal), field.at(points, signal)[..., :2])


def test_a_signal_without_places_refuses_regions():
    whole = Field("fmri", torch.zeros(1, 3, 4), None, None)
    assert whole.axes == 0
    with pytest.raises(ValueError, match="fmri: this model reads it as a whole, without places"):
        whole.at(torch.zeros(1, 2, 1), torch.tensor([0]))


def test_leading_tokens_come_before_the_others():
    field = Field("image", torch.zeros(2, 4, 3), torch.zeros(2, 4, 2), (2, 2), lead=torch.ones(2, 1, 3))
    assert field.all_tokens[..., 0].tolist() == [[1, 0, 0, 0, 0]] * 2


def test_grid_positions_are_centres_with_x_first():
    assert grid_positions((1, 2), torch.device("cpu")).tolist() == [[0.25, 0.5], [0.75, 0.5]]
    assert grid_positions((2,), torch.device("cpu")).tolist() == [[0.25], [0.75]]


def test_fourier_features_are_sines_and_cosines_of_half_waves():
    features = fourier_features(torch.tensor([[0.5, 1.0]]), 2)
    expected = torch.tensor([[1.0, 0.0, 0.0, -1.0, 0.0, 0.0, -1.0, 1.0]])  # x: sin, sin, cos, cos; then y
    torch.testing.assert_close(features, expected, atol=1e-6, rtol=0)
