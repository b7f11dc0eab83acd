"""Nearest neighbours and gathering, against sorting and plain indexing; padding, of farthest points too."""

import pytest
import torch

from deixis.ops import farthest_points, gather_points, nearest_neighbours


def scrambled(points, number, seed=0):
    """The sets padded to `number` points with NaN between the real ones, the mask, and where each real point went."""
    generator = torch.Generator().manual_seed(seed)
    batch, real, axes = points.shape
    padded = torch.full((batch, number, axes), float("nan"), dtype=points.dtype)
    valid = torch.zeros(batch, number, dtype=torch.bool)
    places = torch.stack([torch.randperm(number, generator=generator)[:real].sort().values for _ in range(batch)])
    for row, place in enumerate(places):
        padded[row, place], valid[row, place] = points[row], True
    return padded, valid, places


@pytest.mark.parametrize(
    ("points", "k", "match"),
    [
        pytest.param(torch.zeros(1, 0, 2), 1, "k 1 of 0 points", id="no_points"),
        pytest.param(torch.zeros(1, 3, 2), 0, "k 0 of 3 points", id="k_zero"),
    ],
)
def test_nearest_neighbours_refuses(points, k, match):
    with pytest.raises(ValueError, match=match):
        nearest_neighbours(torch.zeros(1, 2, 2), points, k)


def test_an_empty_batch_gives_an_empty_answer():
    points = torch.zeros(0, 5, 2)
    assert farthest_points(points, 3).shape == (0, 3)
    assert nearest_neighbours(points, points, 3)[0].shape == (0, 5, 3)
    assert gather_points(points, torch.zeros(0, 4, 2, dtype=torch.int64)).shape == (0, 4, 2, 2)


@pytest.mark.parametrize("number", [pytest.param(n, id=f"padded_to_{n}") for n in (9, 13, 40)])
@pytest.mark.parametrize("dtype", [pytest.param(torch.float32, id="f32"), pytest.param(torch.float64, id="f64")])
def test_padding_never_matters(number, dtype):
    # A coarse lattice: many equal distances, so the rule for ties is tested as well.
    points = torch.randint(0, 4, (4, 9, 2), generator=torch.Generator().manual_seed(3)).to(dtype) / 4
    queries = torch.randint(0, 4, (4, 6, 2), generator=torch.Generator().manual_seed(4)).to(dtype) / 4
    padded, valid, places = scrambled(points, number)
    chosen = farthest_points(padded, 12, valid)
    assert torch.equal(chosen, places.gather(1, farthest_points(points, 12)))
    for k in (1, 5, 9, 11):
        indices, distances = nearest_neighbours(queries, points, k)
        padded_indices, padded_distances = nearest_neighbours(queries, padded, k, valid)
        assert torch.equal(padded_indices, places.gather(1, indices.flatten(1)).view_as(indices))
        assert torch.equal(padded_distances, distances)


@pytest.mark.parametrize("axes", [pytest.param(n, id=f"{n}d") for n in (1, 2, 3)])
@pytest.mark.parametrize("dtype", [pytest.param(torch.float32, id="f32"), pytest.param(torch.float64, id="f64")])
def test_nearest_neighbours_equal_a_stable_sort(axes, dtype):
    generator = torch.Generator().manual_seed(axes)
    points, queries = torch.rand(2, 50, axes, generator=generator).to(dtype), torch.rand(2, 7, axes).to(dtype)
    points[:, 25:] = points[:, :25]  # every distance twice
    indices, distances = nearest_neighbours(queries, points, 11)
    everything = (queries[:, :, None] - points[:, None]).square().sum(-1)
    expected = everything.sort(dim=-1, stable=True)
    assert torch.equal(indices, expected.indices[..., :11])
    torch.testing.assert_close(distances, expected.values[..., :11])


def test_too_few_points_repeat_in_order():
    points, queries = torch.tensor([[[0.0], [3.0], [1.0]]]), torch.tensor([[[0.0]]])
    assert nearest_neighbours(queries, points, 7)[0].tolist() == [[[0, 2, 1, 0, 2, 1, 0]]]
    valid = torch.tensor([[False, True, True]])
    indices, distances = nearest_neighbours(queries, points, 3, valid)
    assert indices.tolist() == [[[2, 1, 2]]]
    assert distances.tolist() == [[[1.0, 9.0, 1.0]]]


@pytest.mark.parametrize("shape", [pytest.param((2, 5), id="flat"), pytest.param((2, 3, 4), id="grouped")])
def test_gather_points_reads_its_own_set(shape):
    values = torch.rand(2, 6, 3, dtype=torch.float64, requires_grad=True)
    indices = torch.randint(0, 6, shape, generator=torch.Generator().manual_seed(0))
    gathered = gather_points(values, indices)
    assert torch.equal(gathered, torch.stack([values[row][indices[row]] for row in range(2)]))
    assert torch.autograd.gradcheck(lambda v: gather_points(v, indices), values)
