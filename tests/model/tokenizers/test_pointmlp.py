"""PointMLP against the official code's recorded outputs, its parts against their formulas, and its tokenizer."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from deixis.model.tokenizers.point_blocks import LocalGrouper, PreExtraction, ResidualPointBlock
from deixis.model.tokenizers.pointmlp import PRESETS, PointMLP, PointMLPConfig, PointMLPTokenizer

TOY = PointMLPConfig(
    points=32,
    class_num=5,
    embed_dim=8,
    dim_expansion=(2, 1),
    pre_blocks=(1, 1),
    pos_blocks=(1, 1),
    k_neighbors=(6, 4),
    reducers=(2, 2),
)
NORMALIZE = [pytest.param(kind, id=str(kind)) for kind in ("center", "anchor", None)]


def network(config, seed=0):
    """With random statistics in the norms, in evaluation mode."""
    torch.manual_seed(seed)
    made = PointMLP(config).eval()
    for name, value in (*made.named_buffers(), *made.named_parameters()):
        if "affine" in name or "running_mean" in name:
            torch.nn.init.normal_(value)
        elif "running_var" in name:
            torch.nn.init.uniform_(value, 0.5, 2.0)
    return made


@pytest.mark.parametrize(
    ("options", "match"),
    [
        pytest.param({"activation": "tanh"}, "activation: expected one of relu, .*; got 'tanh'", id="activation"),
        pytest.param(
            {"normalize": "centre"},
            "normalize: expected one of .* or none; got 'centre'; did you mean 'center'",
            id="normalize",
        ),
        pytest.param({"reducers": (2, 2)}, "lists of one length, .* reducers 2", id="uneven_stages"),
        pytest.param({"points": 8}, r"reducers: expected an anchor left of 8 points, got \(2, 2, 2, 2\)", id="few"),
        pytest.param(
            {"k_neighbors": (4, 4, 0, 4)},
            r"k_neighbors: expected a list, each item a whole number from 1; got \(4, 4, 0, 4\)",
            id="zero",
        ),
        pytest.param({"embed_dim": 0}, "embed_dim: expected a whole number from 1; got 0", id="no_channels"),
    ],
)
def test_a_config_that_makes_no_network(options, match):
    with pytest.raises(ValueError, match=match):
        PointMLPConfig(**options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        pytest.param({"preset": "big"}, "preset: expected one of pointmlp, pointmlp-elite; got 'big'", id="preset"),
        pytest.param({"stages": 4}, "stages: unknown field; known are points", id="field"),
        pytest.param(
            {"reducers": 2}, "reducers: expected a list, each item a whole number from 1; got 2", id="no_list"
        ),
        pytest.param({"points": "many"}, "points: expected a whole number from 1; got 'many'", id="word"),
    ],
)
def test_a_mapping_that_is_no_config(options, match):
    with pytest.raises(ValueError, match=match):
        PointMLPConfig.of(options)


def test_a_mapping_changes_a_preset():
    config = PointMLPConfig.of({"preset": "pointmlp-elite", "reducers": [4, 2, 2, 2]})
    assert config == replace(PRESETS["pointmlp-elite"], reducers=(4, 2, 2, 2))
    assert config.anchors == (256, 128, 64, 32)


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in ("full", "elite")])
def test_equals_the_recorded_official_outputs(shared_golden, name):
    """Names and shapes are the official ones: loading is strict."""
    folder = shared_golden / "pointmlp_tiny"
    config = PointMLPConfig.of(json.loads((folder / "config.json").read_text())[name])
    recorded = load_file(folder / "data.safetensors")
    state = load_file(folder / "checkpoint.safetensors")
    made = PointMLP(config).eval()
    made.load_state_dict({k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")})
    logits = made(recorded[f"{name}.points"].transpose(1, 2))
    torch.testing.assert_close(logits, recorded[f"{name}.logits"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("preset", "millions"),
    [pytest.param("pointmlp", 13.2, id="full"), pytest.param("pointmlp-elite", 0.72, id="elite")],
)
def test_presets_have_the_published_size(preset, millions):
    """Millions of parameters of the released code; Ma et al., table 1, print 12.6 and 0.68."""
    with torch.device("meta"):
        made = PointMLP(PRESETS[preset])
    assert sum(p.numel() for p in made.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("use_xyz", [pytest.param(True, id="with_places"), pytest.param(False, id="without")])
def test_the_geometric_affine_module_is_its_formula(normalize, use_xyz):
    torch.manual_seed(1)
    xyz, features = torch.rand(2, 12, 3), torch.randn(2, 12, 4)
    grouper = LocalGrouper(4, anchors=3, neighbours=5, use_xyz=use_xyz, normalize=normalize)
    for value in grouper.parameters():
        torch.nn.init.normal_(value)
    anchor_xyz, grouped = grouper(xyz, features)
    width = 4 + 3 * use_xyz
    assert grouped.shape == (2, 3, 5, width + 4)
    for row in range(2):
        known = torch.cat([features[row], xyz[row]], -1) if use_xyz else features[row]
        away = (anchor_xyz[row][:, None] - xyz[row]).square().sum(-1)
        near, anchor = away.argsort(-1)[:, :5], away.argmin(-1)
        expected = known[near]
        if normalize is not None:
            expected = expected - (expected.mean(1, keepdim=True) if normalize == "center" else known[anchor][:, None])
            expected = expected / ((expected - expected.mean()).square().sum() / (expected.numel() - 1)).sqrt()
            expected = expected * grouper.affine_alpha[0, 0] + grouper.affine_beta[0, 0]
        torch.testing.assert_close(grouped[row, ..., :width], expected, rtol=0, atol=1e-3)
        assert torch.equal(grouped[row, ..., width:], features[row][anchor][:, None].expand(-1, 5, -1))


def test_without_the_module_there_are_no_weights_of_it():
    names = dict(PointMLP(replace(TOY, normalize=None)).named_parameters())
    assert not [name for name in names if "affine" in name]


def test_groups_mix_in_a_third_layer():
    block = ResidualPointBlock(8, groups=2, res_expansion=0.5)
    assert block.net1[0].weight.shape == (4, 4, 1)
    assert block.net2[3].weight.shape == (8, 8, 1)
    assert block(torch.randn(3, 8, 5)).shape == (3, 8, 5)


@pytest.mark.parametrize("pooling", [pytest.param("max", id="max"), pytest.param("mean", id="mean")])
def test_pooling(pooling):
    before = PreExtraction(6, 4, 0, pooling).eval()
    grouped = torch.randn(2, 3, 5, 6)
    each = before.transfer(grouped.flatten(0, 1).transpose(1, 2)).transpose(1, 2).unflatten(0, (2, 3))
    expected = each.amax(2) if pooling == "max" else each.mean(2)
    torch.testing.assert_close(before(grouped), expected.transpose(1, 2))


@pytest.mark.parametrize("number", [pytest.param(n, id=f"{n}_points") for n in (1, 5, 32, 50)])
def test_clouds_of_any_size_get_scores(number):
    assert network(TOY)(torch.rand(2, number, 3)).isfinite().all()


def test_a_cloud_has_the_same_scores_in_any_batch():
    made, clouds = network(TOY), torch.rand(4, 40, 3)
    together = made(clouds)
    for row in range(4):
        torch.testing.assert_close(together[row : row + 1], made(clouds[row : row + 1]), rtol=0, atol=1e-5)


def test_every_weight_learns():
    made = network(TOY).train()
    made(torch.rand(3, 40, 3)).square().sum().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in made.parameters())


def test_no_scores_without_a_classifier():
    with pytest.raises(ValueError, match="class_num: expected classes, got 0"):
        PointMLP(replace(TOY, class_num=0))(torch.rand(1, 40, 3))


def test_a_tokenizer_of_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="preset: expected one of pointmlp, pointmlp-elite; got 'big'"):
        PointMLPTokenizer(8, preset="big")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="colours"),
        pytest.param({"colours": False, "normalize": "center"}, id="places_only"),
        pytest.param({"early_dim": 0}, id="no_early_map"),
    ],
)
def test_tokens_lie_at_points_of_the_cloud(options):
    tokenizer = PointMLPTokenizer(24, groups=4, neighbours=5, embed_dim=8, **{"early_dim": 16, **options}).eval()
    values = torch.rand(2, 70, 6)
    tokens = tokenizer(values)
    assert tokens.tokens.shape == (2, 4, 24)
    assert tokens.grid is None
    away = torch.cdist(tokens.positions, values[..., :3]).amin(-1)
    torch.testing.assert_close(away, torch.zeros(2, 4), rtol=0, atol=1e-3)
    assert torch.equal(tokens.positions[:, 0], values[:, 0, :3])
    if tokenizer.early is None:
        assert tokens.early is None
    else:
        assert tokens.early.shape == (2, 70, 16)
        assert torch.equal(tokens.early_positions, values[..., :3])


def test_colours_count_only_where_they_are_asked_for():
    values, other = torch.rand(1, 70, 6), torch.rand(1, 70, 3)
    recoloured = torch.cat([values[..., :3], other], -1)
    for colours in (True, False):
        tokenizer = PointMLPTokenizer(24, groups=4, neighbours=5, embed_dim=8, colours=colours).eval()
        assert torch.equal(tokenizer(values).tokens, tokenizer(recoloured).tokens) != colours


def test_published_weights_fit_the_tokenizer():
    tokenizer = PointMLPTokenizer(24, groups=64, colours=False)
    with torch.device("meta"):
        state = PointMLP(PRESETS["pointmlp-elite"]).state_dict()
    own = tokenizer.network.state_dict()
    assert {n: v.shape for n, v in state.items() if not n.startswith("classifier")} == {
        n: v.shape for n, v in own.items()
    }
    assert tokenizer.network.config.anchors == PRESETS["pointmlp-elite"].anchors == (512, 256, 128, 64)
