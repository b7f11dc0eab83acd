"""The folded region sampler against its plain form, and against outputs recorded from the official Ferret code.

In the recorded files the official sampling is transposed: features are read at (y, x) of the points they belong to.
"""

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.plain.region_sampler import PlainRegionSampler, sample_map
from deixis.model.regions.folded import PIECE_VALUES
from deixis.model.regions.sampler import RegionAverage, RegionSampler
from deixis.ops import sample_grid

POOLINGS = [pytest.param("max", id="max"), pytest.param("mean", id="mean")]


def pair(dim=2, pooling="max", anchors=(16, 6), neighbours=(7, 5), in_dim=10, out_dim=12, dtype=torch.float64):
    """A plain and a folded sampler with the same weights, LayerNorms moved away from their start."""
    torch.manual_seed(0)
    options = {"dim": dim, "anchors": anchors, "neighbours": neighbours, "pooling": pooling}
    plain = PlainRegionSampler(in_dim, out_dim, **options).to(dtype)
    for name, value in plain.named_parameters():
        if ".norm." in name:
            value.data.normal_()  # negative scales too: they turn the maximum round
    folded = RegionSampler(in_dim, out_dim, **options).to(dtype)
    folded.load_state_dict(plain.state_dict())  # strict: names and shapes are the published ones
    return plain, folded


@pytest.mark.parametrize(
    ("options", "match"),
    [
        pytest.param({"pooling": "median"}, "pooling: expected 'max' or 'mean', got 'median'", id="pooling"),
        pytest.param({"local": "conv"}, "local: expected 'difference' or 'pointmlp', got 'conv'", id="local"),
        pytest.param(
            {"normalize": "mean"}, "normalize: expected 'center', 'anchor' or None, got 'mean'", id="normalize"
        ),
        pytest.param({"anchors": ()}, "anchors, neighbours", id="no_stage"),
        pytest.param({"anchors": (8,)}, "anchors, neighbours", id="uneven"),
        pytest.param({"neighbours": (4, 0)}, "anchors, neighbours", id="zero"),
    ],
)
def test_options_are_checked(options, match):
    with pytest.raises(ValueError, match=match):
        RegionSampler(4, 4, **options)


@pytest.mark.parametrize("shape", [pytest.param((1, 9, 3), id="axes"), pytest.param((1, 0, 2), id="no_points")])
def test_points_are_checked(shape):
    with pytest.raises(ValueError, match=r"points: expected \(region, point, 2\) with at least one point"):
        RegionSampler(4, 4)(torch.zeros(*shape[:2], 4), torch.zeros(shape))


@pytest.mark.parametrize("grad", [pytest.param(False, id="inference"), pytest.param(True, id="training")])
@pytest.mark.parametrize("local", [pytest.param(name, id=name) for name in ("difference", "pointmlp")])
def test_no_regions_give_no_vectors(grad, local):
    sampler = RegionSampler(4, 6, anchors=(4, 2), neighbours=(3, 3), local=local).train(grad)
    with torch.set_grad_enabled(grad):
        assert sampler(torch.zeros(0, 9, 4), torch.zeros(0, 9, 2)).shape == (0, 6)


@pytest.mark.parametrize("dim", [pytest.param(n, id=f"{n}d") for n in (1, 2, 3)])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("regions", [pytest.param(1, id="applied_in_turn"), pytest.param(3, id="weights_first")])
def test_folded_equals_plain(dim, pooling, regions):
    plain, folded = pair(dim, pooling)
    points = torch.rand(regions, 30 if regions > 1 else 6, dim, dtype=torch.float64)
    features = torch.randn(*points.shape[:2], 10, dtype=torch.float64)
    if regions == 1:  # fewer points than neighbours, so the plain form needs fewer
        plain.neighbours = folded.neighbours = (5, 5)
    expected = plain(features, points)
    torch.testing.assert_close(folded(features, points), expected, rtol=0, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(folded(features, points), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_equal_plain(pooling):
    plain, folded = pair(pooling=pooling)
    points, weight = torch.rand(3, 30, 2, dtype=torch.float64), torch.randn(3, 12, dtype=torch.float64)
    features = torch.randn(3, 30, 10, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad((plain(features, points) * weight).sum(), [features, *plain.parameters()])
    got = torch.autograd.grad((folded(features, points) * weight).sum(), [features, *folded.parameters()])
    for name, mine, other in zip(["features", *dict(plain.named_parameters())], got, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


def test_inference_in_pieces_equals_training():
    _, folded = pair(in_dim=256, dtype=torch.float32)
    features, points = torch.randn(40, 30, 256), torch.rand(40, 30, 2)
    assert 40 * 16 * 7 * 256 > 2 * PIECE_VALUES
    with torch.no_grad():
        inference = folded(features, points)
    torch.testing.assert_close(inference, folded(features, points), rtol=0, atol=1e-5)


def test_nothing_stale_is_kept():
    plain, folded = pair()
    features, points = torch.randn(2, 30, 10, dtype=torch.float64), torch.rand(2, 30, 2, dtype=torch.float64)
    for _ in range(2):
        with torch.no_grad():
            torch.testing.assert_close(folded(features, points), plain(features, points), rtol=0, atol=1e-12)
            for mine, other in zip(folded.parameters(), plain.parameters(), strict=True):
                other.mul_(0.5)
                mine.copy_(other)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("real", [pytest.param(n, id=f"{n}_points") for n in (1, 3, 12, 25)])
@pytest.mark.parametrize("grad", [pytest.param(False, id="inference"), pytest.param(True, id="training")])
def test_padding_never_matters(pooling, real, grad):
    """Regions of uneven size, the first and the last among the small ones, equal the same regions each alone."""
    _, folded = pair(pooling=pooling)
    sizes = [real, 25, 2, 7, real]
    features = torch.full((5, 25, 10), float("nan"), dtype=torch.float64)
    points = torch.full((5, 25, 2), float("nan"), dtype=torch.float64)
    valid = torch.arange(25) < torch.tensor(sizes)[:, None]
    valid = torch.stack([row[torch.randperm(25)] for row in valid])
    features[valid] = torch.randn(sum(sizes), 10, dtype=torch.float64)
    points[valid] = torch.randint(0, 5, (sum(sizes), 2)).to(torch.float64) / 5  # equal distances abound
    with torch.set_grad_enabled(grad):
        together = folded(features, points, valid)
        for row in range(5):
            alone = folded(features[row, valid[row]][None], points[row, valid[row]][None])
            torch.testing.assert_close(together[row], alone[0], rtol=0, atol=1e-12)
    if grad:
        together.sum().backward()
        assert all(value.grad.isfinite().all() for value in folded.parameters())


def test_without_coordinates_only_distances_use_the_points():
    sampler = RegionSampler(6, 5, anchors=(4, 2), neighbours=(3, 2), coordinates=False)
    assert sampler.diff_projector_list[0].weight.shape == (6, 6)
    features, points = torch.randn(2, 9, 6), torch.rand(2, 9, 2)
    torch.testing.assert_close(sampler(features, points), sampler(features, points * 0.5 + 0.25))


POINTMLP = [
    pytest.param({"normalize": normalize, "coordinates": coordinates, "pooling": pooling}, id=name)
    for name, normalize, coordinates, pooling in (
        ("by_anchor", "anchor", True, "max"),
        ("by_centre", "center", True, "max"),
        ("module_off", None, True, "max"),
        ("without_coordinates", "anchor", False, "max"),
        ("mean", "anchor", True, "mean"),
    )
]


@pytest.mark.parametrize("options", POINTMLP)
@pytest.mark.parametrize("dim", [pytest.param(n, id=f"{n}d") for n in (1, 2, 3)])
def test_with_the_layers_of_pointmlp_a_region_is_read_alike_in_any_batch(options, dim):
    torch.manual_seed(2)
    sampler = RegionSampler(8, 5, dim, (6, 3), (5, 4), local="pointmlp", **options).double()
    sizes = [1, 25, 3, 7]
    features = torch.full((4, 25, 8), float("nan"), dtype=torch.float64)
    points = torch.full((4, 25, dim), float("nan"), dtype=torch.float64)
    valid = torch.arange(25) < torch.tensor(sizes)[:, None]
    features[valid] = torch.randn(sum(sizes), 8, dtype=torch.float64)
    points[valid] = torch.rand(sum(sizes), dim, dtype=torch.float64)
    together = sampler(features, points, valid)
    for row, size in enumerate(sizes):
        alone = sampler(features[row : row + 1, :size], points[row : row + 1, :size])
        torch.testing.assert_close(together[row], alone[0], rtol=0, atol=1e-10)
    together.square().sum().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in sampler.parameters())


def test_the_layers_of_pointmlp_are_its_stage():
    """One stage, written out: group, affine, blocks, pooling, blocks; then flatten and project."""
    torch.manual_seed(3)
    sampler = RegionSampler(8, 5, 2, (4,), (5,), local="pointmlp")
    features, points = torch.randn(2, 9, 8), torch.rand(2, 9, 2)
    stage = sampler.local_layers[0]
    _, grouped = stage.grouper(points, features)
    assert grouped.shape == (2, 4, 5, 8 + 2 + 8)
    expected = sampler.dim_projector(
        sampler.flatten_projector(stage.after(stage.before(grouped)).transpose(1, 2).flatten(1))
    )
    torch.testing.assert_close(sampler(features, points), expected)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("coordinates", [pytest.param(True, id="with_places"), pytest.param(False, id="without")])
def test_the_average_is_of_a_region_s_own_points(pooling, coordinates):
    torch.manual_seed(4)
    average = RegionAverage(4, 3, 2, pooling, coordinates)
    features, points = torch.full((2, 6, 4), float("nan")), torch.full((2, 6, 2), float("nan"))
    valid = torch.arange(6) < torch.tensor([[4], [1]])
    features[valid], points[valid] = torch.randn(5, 4), torch.rand(5, 2)
    for row, size in enumerate((4, 1)):
        known = torch.cat([features[row, :size], points[row, :size]], -1) if coordinates else features[row, :size]
        expected = average.dim_projector(known.amax(0) if pooling == "max" else known.mean(0))
        torch.testing.assert_close(average(features, points, valid)[row], expected)
    torch.testing.assert_close(average(features[:1, :4], points[:1, :4])[0], average(features, points, valid)[0])


def test_the_average_checks_its_options_and_points():
    with pytest.raises(ValueError, match="pooling: expected 'max' or 'mean', got 'sum'"):
        RegionAverage(4, 3, pooling="sum")
    with pytest.raises(ValueError, match=r"points: expected \(region, point, 2\) with at least one point"):
        RegionAverage(4, 3)(torch.zeros(1, 0, 4), torch.zeros(1, 0, 2))


def test_half_precision_autocast_comes_close():
    _, folded = pair(in_dim=32, dtype=torch.float32)
    features, points = torch.randn(2, 30, 32), torch.rand(2, 30, 2)
    expected = folded(features, points)
    for grad in (True, False):
        with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16):
            assert (folded(features, points).float() - expected).abs().max() < 0.1 * expected.abs().max()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("name", [pytest.param("A", id="exact_masks"), pytest.param("C", id="given_points")])
def test_equals_the_recorded_official_outputs(shared_golden, name, pooling):
    folder = shared_golden / "ferret_tiny"
    recorded = load_file(folder / "sampler_unit.safetensors")
    sampler = RegionSampler(32, 64, pooling=pooling)
    sampler.load_state_dict(load_file(folder / "sampler_state.safetensors"))
    points = recorded[f"{name}.points"]
    images = {"A": [0, 0, 2], "C": [0] * len(points)}[name]
    picture = {"A": recorded["feature_map"], "C": recorded["feature_map"][1:2]}[name]
    grid = picture.transpose(1, 2).unflatten(2, (24, 24))
    features = sample_grid(grid, points.flip(-1), torch.tensor(images), align_corners=True)
    torch.testing.assert_close(features[:, ::8], recorded[f"{name}.point_features_every8"], rtol=0, atol=1e-4)
    expected = torch.cat([recorded[f"{name}.{pooling}.image{image}"] for image in sorted(set(images))])
    torch.testing.assert_close(sampler(features, points), expected, rtol=0, atol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(sampler(features, points), expected, rtol=0, atol=1e-4)


def test_the_plain_form_reads_maps_as_torch_does():
    feature_map, points = torch.rand(3, 5, 6), torch.rand(2, 7, 2)
    read = sample_grid(feature_map[None], points, torch.zeros(2, dtype=torch.int64), align_corners=True)
    torch.testing.assert_close(sample_map(feature_map, points), read)
