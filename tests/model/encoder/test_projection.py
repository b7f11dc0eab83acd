"""Projections: how many tokens come out, what the three routers weigh, and that the router learns."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from deixis.model.encoder.projection import LinearProjection, UniversalProjection, projected_count
from deixis.model.part_configs import ProjectionConfig

KINDS = ("image", "audio")
ROUTERS = ["soft", "sigmoid", "sparse", "constant"]


class Expert(nn.Module):
    """A linear map in place of transformer layers, counting the samples it reads."""

    def __init__(self):
        super().__init__()
        self.map, self.read = nn.Linear(8, 8), 0

    def forward(self, tokens, first=None):
        self.read += len(tokens)
        return self.map(tokens if first is None else tokens[:, :first])


def projection(router="soft", keep_tokens=True):
    torch.manual_seed(0)
    return UniversalProjection(8, 6, KINDS, Expert, queries=2, experts=3, router=router, keep_tokens=keep_tokens)


def samples(count=5):
    torch.manual_seed(1)
    return torch.randn(count, 7, 8) * 3 + torch.randn(count, 1, 8) * 3


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize(("keep", "tokens"), [pytest.param(True, 9, id="kept"), pytest.param(False, 2, id="queries")])
def test_queries_come_first_and_tokens_may_follow(router, keep, tokens):
    network = projection(router, keep)
    out = network(samples(), "image")
    assert out.shape == (5, tokens, 6)
    options = ProjectionConfig(queries=2, keep_tokens=keep)
    assert projected_count(options, 7) == tokens
    assert projected_count(replace(options, tags=True), 7) == tokens + 2
    torch.testing.assert_close(out[:, :2], projection(router, True)(samples(), "image")[:, :2])


@pytest.mark.parametrize("router", ROUTERS)
def test_the_routers_weights(router):
    weights = projection(router).weights(samples(), "audio")
    assert weights.shape == (5, 3)
    if router == "constant":
        torch.testing.assert_close(weights, torch.full((5, 3), 1 / 3))
    elif router in ("soft", "sigmoid"):
        torch.testing.assert_close(weights.sum(1), torch.ones(5))
        assert (weights > 0).all()
    else:
        soft = projection("soft").weights(samples(), "audio")
        torch.testing.assert_close(weights, torch.where(soft == soft.amax(1, keepdim=True), soft, 0))


def test_sparse_runs_the_best_expert_alone_and_equals_masking():
    network = projection("sparse")
    with torch.no_grad():
        for layer in (network.router["image"][0], network.router["image"][2]):
            layer.weight.normal_()  # so that the samples differ in their best expert
        out = network(samples(), "image")
    best = network.weights(samples(), "image").argmax(1)
    assert len(best.unique()) > 1
    assert [expert.read for expert in network.experts] == [int((best == e).sum()) for e in range(3)]
    joined = torch.cat([network.query["image"].expand(5, -1, -1), samples()], 1)
    weights = network.weights(samples(), "image")
    masked = sum(weights[:, e, None, None] * expert(joined) for e, expert in enumerate(network.experts))
    torch.testing.assert_close(out, network.out(network.norm(masked)))


@pytest.mark.parametrize("router", ["soft", "sparse"])
def test_the_router_of_the_kind_learns_and_no_other(router):
    network = projection(router)
    network(samples(), "image").square().sum().backward()
    assert network.router["image"][0].weight.grad.abs().sum() > 0
    assert network.query["image"].grad.abs().sum() > 0
    assert network.router["audio"][0].weight.grad is None


def test_linear_maps_every_token_alone():
    network, tokens = LinearProjection(8, 6), samples()
    out = network(tokens, "image")
    assert out.shape == (5, projected_count(ProjectionConfig(type="linear"), 7), 6)
    torch.testing.assert_close(out[:, 3:4], network(tokens[:, 3:4], "audio"))
