"""Growing a trained network: a further kind of signal, a further expert; what it could do before stays as it was.

`add_signal` gives a kind its tokenizer, positions, queries, router and maps, and leaves every old weight where it is.
`add_expert` makes K experts K + 1. Either can freeze the old weights. (OneLLM, section 3.3, adds kinds stage by stage.)
"""

import copy
import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from deixis.errors import ConfigError
from deixis.model.config import DeixisConfig
from deixis.model.encoder.field_encoder import build_field_encoder
from deixis.model.encoder.projection import UniversalProjection, build_projection
from deixis.model.network import DeixisForConditionalGeneration, build_pointing_head
from deixis.model.regions.builder import build_region_parts

COPY_SCORE = -12.0
"""Added to the score of a copied expert where weights are sigmoids: it begins with six millionths of the weight."""


def add_signal(
    network: DeixisForConditionalGeneration,
    kind: str,
    options: dict[str, Any],
    token_id: int | None = None,
    freeze: bool = True,
) -> None:
    """Gives `network` a further kind of signal, with the options of that kind as in `DeixisConfig`.

    token_id: its placeholder, by default the first free one beyond the vocabulary. freeze: only the new weights learn.
    Answers about the old kinds stay as they were. Raises ValueError for a kind that is there already, and for unknown
    options.
    """
    old = network.config
    if kind in old.modalities:
        raise ConfigError(f"add_signal: expected a kind that the network does not take yet, got {kind!r}")
    taken = (*old.signal_token_ids.values(), old.text_config.vocab_size - 1, old.region_token_id, old.seg_token_id)
    ids = {**old.signal_token_ids, kind: max(taken) + 1 if token_id is None else token_id}
    config = DeixisConfig.from_dict({**old.to_dict(), kind: options, "signal_token_ids": ids})
    if freeze:
        network.requires_grad_(False)
    first = next(network.projection.parameters())
    builds = {"field_encoder": build_field_encoder, "projection": build_projection}
    for name, build in builds.items():
        before = getattr(network, name)
        grown = build(config).to(first.device, first.dtype).train(before.training)
        _take_over(grown, before)
        setattr(network, name, grown)
    if config.has_fine and not old.has_fine:
        _add_fine_level(network, config, freeze)
    network.config = config


@torch.no_grad()
def _add_fine_level(network: DeixisForConditionalGeneration, config: DeixisConfig, freeze: bool) -> None:
    """What a network needs whose fields had no finer level, because SAM made all its masks: a head to mark it, and
    regions that read it, with zeros until they are trained."""
    first = next(network.projection.parameters())
    network.pointing_head = build_pointing_head(config).to(first.device, first.dtype)
    if config.takes_regions and config.sampler.features == "levels":
        before, (grown, _) = network.region_features.state_dict(), build_region_parts(config)
        missing = grown.state_dict()["weight"].shape[1] - before["weight"].shape[1]
        grown.load_state_dict({**before, "weight": nn.functional.pad(before["weight"], (0, missing))})
        network.region_features = grown.to(first.device, first.dtype).requires_grad_(not freeze)


def _take_over(grown: nn.Module, old: nn.Module) -> None:
    """Puts every weight of `old` into `grown`, as the very same parameter; what `grown` has beyond them stays new."""
    places = dict(grown.named_modules())
    for table in (old.named_parameters(), old.named_buffers()):
        for name, value in table:
            owner, _, leaf = name.rpartition(".")
            if isinstance(places[owner], nn.ParameterDict):
                places[owner][leaf] = value
            else:
                setattr(places[owner], leaf, value)


@torch.no_grad()
def add_expert(network: DeixisForConditionalGeneration, source: int = 0, freeze: bool = True) -> None:
    """Adds an expert, a copy of expert `source`, that changes no answer until it is trained.

    With a softmax router the copy takes half of its original's weight, so that sums stay as they were; where weights
    are sigmoids, or the best expert counts alone, it begins with next to none. freeze: only the new expert and the
    routers learn. Raises ValueError for a projection without experts, or a constant router, under which all count
    alike.
    """
    projection = network.projection
    if not isinstance(projection, UniversalProjection):
        raise ConfigError(f"add_expert: expected a projection of type 'upm', got {network.config.projection.type!r}")
    if projection.router_type == "constant":
        raise ConfigError(
            "add_expert: expected a router of type soft, sigmoid or sparse; got 'constant', under which a further "
            "expert changes every answer"
        )
    if not 0 <= source < len(projection.experts):
        raise ConfigError(f"add_expert: expected a source from 0 to {len(projection.experts) - 1}, got {source}")
    if freeze:
        network.requires_grad_(False)
    projection.experts.append(copy.deepcopy(projection.experts[source]).requires_grad_(True))
    for kind, scores in projection.router.items():
        assert isinstance(scores, nn.Sequential)
        last = scores[-1]
        assert isinstance(last, nn.Linear)
        grown = _with_copy(last, source, projection.router_type)
        projection.router[kind] = nn.Sequential(*list(scores)[:-1], grown).requires_grad_(True)
    network.config.projection = replace(network.config.projection, experts=len(projection.experts))


def _with_copy(last: nn.Linear, source: int, router: str) -> nn.Linear:
    """The router's last layer with one more score."""
    shift = -math.log(2) if router == "soft" else COPY_SCORE
    grown = nn.Linear(last.in_features, last.out_features + 1).to(last.weight)
    grown.weight.copy_(torch.cat([last.weight, last.weight[source : source + 1]]))
    bias = torch.cat([last.bias, last.bias[source : source + 1] + shift])
    if router == "soft":
        bias[source] += shift
    grown.bias.copy_(bias)
    return grown
