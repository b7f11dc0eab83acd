"""Growing a trained network by a modality or an expert, without changing its earlier predictions.

`add_signal` adds the tokenizer, positions, queries, router and maps of a modality and keeps every earlier parameter.
`add_expert` makes K experts K + 1. Either can freeze the earlier weights. `copy_modality` gives a modality the
projection of another. (OneLLM, section 3.3, adds modalities stage by stage.)
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from deixis.errors import ConfigError
from deixis.model.config import DeixisConfig
from deixis.model.encoder.field_encoder import build_field_encoder
from deixis.model.encoder.projection import UniversalProjection, build_projection
from deixis.model.network import DeixisForConditionalGeneration, build_pointing_head
from deixis.model.processor import DeixisProcessor, build_processor
from deixis.model.regions.sampler import build_region_parts
from deixis.options import check_choice

COPIED = ("query", "into", "onto", "tags")
"""Parts of the projection that a modality can have from another."""
COPY_SCORE = -12.0
"""Added to the score of a copied expert where weights are sigmoids: it begins with six millionths of the weight."""


def add_signal(
    network: DeixisForConditionalGeneration,
    processor: DeixisProcessor,
    modality: str,
    options: Mapping[str, Any] | None = None,
    freeze: bool = True,
) -> DeixisProcessor:
    """Adds a modality to `network`, in place; the processor that prepares it and writes its placeholder is returned.

    Predictions for the modalities that the network had stay as they were. The placeholder `<modality>` is added to the
    processor's tokenizer where it is missing; its embedding is never looked up, so the language model does not grow.

    Args:
        options: of the modality, as under `signals` in `DeixisConfig`; None for its defaults.
        freeze: only the new weights are trainable.

    Raises ConfigError where the network takes the modality already, or an option does not fit.
    """
    old, placeholder = network.config, f"<{modality}>"
    if modality in old.modalities:
        raise ConfigError(f"add_signal: expected a modality that the network does not take yet, got {modality!r}")
    # Options are checked before the tokenizer is changed, so that a mistake leaves everything as it was.
    signals = {**old.to_dict()["signals"], modality: options or {}}
    ids = {**old.signal_token_ids, modality: _placeholder_id(processor.tokenizer, placeholder, old)}
    config = DeixisConfig.from_dict({**old.to_dict(), "signals": signals, "signal_token_ids": ids})
    if placeholder not in processor.tokenizer.get_vocab():
        special = {"additional_special_tokens": [placeholder]}
        processor.tokenizer.add_special_tokens(special, replace_extra_special_tokens=False)
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
    placeholders = {**processor.placeholders, modality: placeholder}
    return build_processor(
        config, processor.tokenizer, region_reader=processor.region_reader, placeholders=placeholders
    )


def _placeholder_id(tokenizer: Any, placeholder: str, config: DeixisConfig) -> int:
    """The id of a placeholder in the vocabulary, or the one that the tokenizer will give it.

    Raises ConfigError where that id means something else to the network.
    """
    token_id = tokenizer.get_vocab().get(placeholder, len(tokenizer))
    if token_id in (*config.signal_token_ids.values(), config.region_token_id, config.seg_token_id):
        raise ConfigError(f"add_signal: expected a free token id for {placeholder}, got {token_id}, which is taken")
    return token_id


@torch.no_grad()
def _add_fine_level(network: DeixisForConditionalGeneration, config: DeixisConfig, freeze: bool) -> None:
    """Adds what a network lacks whose fields had no finer level because SAM made all its masks: a pointing head, and
    region features of that level, zero until they are trained."""
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
    routers learn. Raises ConfigError for a projection without experts, or a constant router, under which all count
    alike.
    """
    projection = expert_projection(network)
    if not 0 <= source < len(projection.experts):
        raise ConfigError(f"add_expert: expected a source from 0 to {len(projection.experts) - 1}, got {source}")
    if freeze:
        network.requires_grad_(False)
    projection.experts.append(copy.deepcopy(projection.experts[source]).requires_grad_(True))
    for name, scores in projection.router.items():
        assert isinstance(scores, nn.Sequential)
        last = scores[-1]
        assert isinstance(last, nn.Linear)
        grown = _with_copy(last, source, projection.router_type)
        projection.router[name] = nn.Sequential(*list(scores)[:-1], grown).requires_grad_(True)
    network.config.projection = replace(network.config.projection, experts=len(projection.experts))


def expert_projection(network: DeixisForConditionalGeneration) -> UniversalProjection:
    """The projection of a network, which can be given a further expert; raises ConfigError as `add_expert`."""
    projection = network.projection
    if not isinstance(projection, UniversalProjection):
        raise ConfigError(f"add_expert: expected a projection of type 'upm', got {network.config.projection.type!r}")
    if projection.router_type == "constant":
        raise ConfigError(
            "add_expert: expected a router of type soft, sigmoid or sparse; got 'constant', under which a further "
            "expert changes every answer"
        )
    return projection


def expert_weights(network: DeixisForConditionalGeneration) -> set[str]:
    """The names of the weights of the last expert, and of what each modality has of its own in the projection."""
    own = (f"experts.{len(expert_projection(network).experts) - 1}.", "router.", *(f"{name}." for name in COPIED))
    return {f"projection.{name}" for name, _ in network.projection.named_parameters() if name.startswith(own)}


def _with_copy(last: nn.Linear, source: int, router: str) -> nn.Linear:
    shift = -math.log(2) if router == "soft" else COPY_SCORE
    grown = nn.Linear(last.in_features, last.out_features + 1).to(last.weight)
    grown.weight.copy_(torch.cat([last.weight, last.weight[source : source + 1]]))
    bias = torch.cat([last.bias, last.bias[source : source + 1] + shift])
    if router == "soft":
        bias[source] += shift
    grown.bias.copy_(bias)
    return grown


@torch.no_grad()
def copy_modality(network: DeixisForConditionalGeneration, modality: str, source: str) -> None:
    """Gives the queries, maps and tags of `modality` in the projection the values of those of `source`; not its router.

    OneLLM aligns further modalities from the projection of images (section 3.2; main_pretrain.py, --init_from_image).
    Raises ConfigError for a network without the two, or whose projection has nothing of single modalities.
    """
    for name in (modality, source):
        check_choice("start_as", name, network.config.modalities)
    if not isinstance(network.projection, UniversalProjection):
        raise ConfigError(f"start_as: expected a projection of type 'upm', got {network.config.projection.type!r}")
    weights = network.projection.state_dict()
    for name, value in weights.items():
        module, _, own = name.partition(".")
        if module in COPIED and own.split(".")[0] == source:
            weights[f"{module}.{modality}{own.removeprefix(source)}"].copy_(value)
