"""Reading grids and scattered features, against torch's grid_sample and a direct sum."""

import pytest
import torch
import torch.nn.functional as F

from deixis.ops import interpolate_points, sample_grid

SIZES = [pytest.param((7,), id="1d"), pytest.param((5, 8), id="2d"), pytest.param((3, 4, 6), id="3d")]
DEGENERATE = [pytest.param((1,), id="1d_one_cell"), pytest.param((1, 3), id="2d_one_row")]


def by_grid_sample(grid, points, grid_index, align_corners):
    """torch's sampling of a copy of the map per region; a 1-d grid is sampled as an image one pixel high."""
    if grid.ndim == 3:
        grid, points = grid[:, :, None], torch.cat([points, torch.full_like(points, 0.5)], -1)
    axes = points.shape[-1]
    places = (2 * points - 1).view(len(points), -1, *[1] * (axes - 1), axes)
    read = F.grid_sample(grid[grid_index], places, padding_mode="border", align_corners=align_corners)
    return read.flatten(2).transpose(1, 2)


@pytest.mark.parametrize("size", SIZES + DEGENERATE)
@pytest.mark.parametrize("align_corners", [pytest.param(False, id="edges"), pytest.param(True, id="centres")])
@pytest.mark.parametrize("channels_last", [pytest.param(False, id="planes"), pytest.param(True, id="tokens")])
def test_sample_grid_equals_torch(size, align_corners, channels_last):
    generator = torch.Generator().manual_seed(len(size))
    grid = torch.rand(3, 4, *size, dtype=torch.float64, generator=generator)
    if channels_last:
        grid = grid.movedim(1, -1).contiguous().movedim(-1, 1)
    points = 1.4 * torch.rand(5, 11, len(size), dtype=torch.float64, generator=generator) - 0.2  # some outside
    points[0, :2] = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    which = torch.tensor([2, 0, 0, 1, 2])
    expected = by_grid_sample(grid, points, which, align_corners)
    torch.testing.assert_close(sample_grid(grid, points, which, align_corners), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_sample_grid_has_torchs_gradients(size):
    grid = torch.rand(2, 3, *size, dtype=torch.float64, requires_grad=True)
    points = torch.rand(4, 6, len(size), dtype=torch.float64).mul_(0.8).add_(0.1).requires_grad_()
    which, weight = torch.tensor([1, 0, 1, 1]), torch.rand(4, 6, 3, dtype=torch.float64)
    ours = torch.autograd.grad((sample_grid(grid, points, which) * weight).sum(), [grid, points])
    theirs = torch.autograd.grad((by_grid_sample(grid, points, which, False) * weight).sum(), [grid, points])
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)


def test_the_first_coordinate_runs_along_the_last_axis_of_the_grid():
    grid = torch.stack(torch.meshgrid(torch.arange(2.0), torch.arange(3.0), torch.arange(4.0), indexing="ij"))[None]
    read = sample_grid(grid, torch.tensor([[[1.0, 0.5, 0.0]]]), torch.tensor([0]))  # x at its end, y amid, z at 0
    assert read.tolist() == [[[0.0, 1.0, 3.0]]]  # channels: depth, row, column


def test_the_map_is_not_copied_per_region():
    grid = torch.rand(1, 64, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
    held = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (held.append(t), t)[1], lambda t: t):
        sample_grid(grid, torch.rand(50, 2, 2), torch.zeros(50, dtype=torch.int64))
    apart = [t.numel() for t in held if t.untyped_storage().data_ptr() != grid.untyped_storage().data_ptr()]
    assert sum(apart) < grid.numel()  # what the backward pass keeps besides the map itself is less than one more map


@pytest.mark.parametrize(
    ("size", "axes"), [pytest.param((4,), 2, id="2d_in_1d"), pytest.param((2, 2, 2, 2), 4, id="four_axes")]
)
def test_sample_grid_refuses(size, axes):
    with pytest.raises(ValueError, match=f"points: expected one coordinate .* got {axes}"):
        sample_grid(torch.zeros(1, 3, *size), torch.zeros(1, 1, axes), torch.zeros(1, dtype=torch.int64))


def test_no_regions_or_no_points_read_nothing():
    grid = torch.rand(2, 3, 4, 4, requires_grad=True)
    read = sample_grid(grid, torch.zeros(0, 5, 2), torch.zeros(0, dtype=torch.int64))
    assert read.shape == (0, 5, 3)
    read.sum().backward()
    assert sample_grid(grid, torch.zeros(2, 0, 2), torch.tensor([0, 1])).shape == (2, 0, 3)


@pytest.mark.parametrize("axes", [pytest.param(n, id=f"{n}d") for n in (1, 2, 3)])
def test_interpolation_is_the_weighted_mean_of_the_nearest(axes):
    features = torch.rand(2, 9, 4, dtype=torch.float64)
    positions, queries = torch.rand(2, 9, axes, dtype=torch.float64), torch.rand(2, 5, axes, dtype=torch.float64)
    squared = (queries[:, :, None] - positions[:, None]).square().sum(-1)
    near = squared.topk(3, largest=False)
    share = (1 / (near.values + 1e-8)) / (1 / (near.values + 1e-8)).sum(-1, keepdim=True)
    expected = torch.stack([(features[b][near.indices[b]] * share[b, ..., None]).sum(1) for b in range(2)])
    torch.testing.assert_close(interpolate_points(features, positions, queries), expected)


def test_interpolation_on_a_point_reads_it_and_a_constant_stays():
    features, positions = torch.rand(2, 8, 3), torch.rand(2, 8, 2)
    torch.testing.assert_close(interpolate_points(features, positions, positions), features, rtol=0, atol=1e-3)
    constant = interpolate_points(torch.ones(2, 8, 3), positions, torch.rand(2, 20, 2), k=5)
    torch.testing.assert_close(constant, torch.ones(2, 20, 3))


def test_padding_never_matters_and_few_points_count_once():
    features, positions, queries = torch.rand(1, 2, 3), torch.rand(1, 2, 2), torch.rand(1, 6, 2)
    padded_features = torch.full((1, 5, 3), float("nan"))
    padded_positions = torch.full((1, 5, 2), float("nan"))
    padded_features[:, [1, 3]], padded_positions[:, [1, 3]] = features, positions
    valid = torch.tensor([[False, True, False, True, False]])
    expected = interpolate_points(features, positions, queries, k=2)
    torch.testing.assert_close(interpolate_points(features, positions, queries, k=3), expected)
    read = interpolate_points(padded_features, padded_positions, queries, k=5, valid=valid)
    torch.testing.assert_close(read, expected)


def test_interpolation_has_gradients_for_the_features():
    positions, queries = torch.rand(2, 6, 3, dtype=torch.float64), torch.rand(2, 4, 3, dtype=torch.float64)
    features = torch.rand(2, 6, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: interpolate_points(f, positions, queries), features)
