"""A network put together from the weights of parts: an official language model, an encoder, SAM, a projection.

Each part comes from a source of its own by a plan (`checkpoints.rules`), which was checked by names and shapes before
any value is read. Values go one tensor at a time into the network that is trained, so that no part is ever in memory
twice; what no source fills is initialised as in a new network.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM
from transformers.initialization import no_init_weights

from deixis.checkpoints.rules import Plan
from deixis.model import DeixisConfig, DeixisForConditionalGeneration
from deixis.model.encoder.field_encoder import build_field_encoder
from deixis.model.encoder.projection import build_projection
from deixis.model.loading import quiet_load
from deixis.model.masks.sam import build_sam_pointing
from deixis.model.meta import on_meta
from deixis.model.network import build_pointing_head
from deixis.model.regions.sampler import build_region_parts


def assembled(
    config: DeixisConfig, plans: Sequence[Plan], dtype: torch.dtype = torch.float32
) -> DeixisForConditionalGeneration:
    """The network of a configuration, in `dtype` on the CPU, with what the plans make and all else as new.

    A table of embeddings that has more rows than its source has the mean of the others in these, as LLaVA's training
    gives its new tokens.
    """
    filled = {name for plan in plans for name in plan.steps}
    with on_meta():
        network = DeixisForConditionalGeneration(config)
    for name, child in _built_parts(config, network, filled, dtype).items():
        setattr(network, name, child)
    network.tie_weights(recompute_mapping=False)
    weights = network.state_dict()
    for plan in plans:
        for name in plan.steps:
            _fill(weights[name], plan.make(name, lambda part, key: part.source.read(key)))
        for part in plan.parts:
            part.source.close()
    return network


def _built_parts(
    config: DeixisConfig, network: DeixisForConditionalGeneration, filled: set[str], dtype: torch.dtype
) -> dict[str, nn.Module | None]:
    """The modules that the network is made of, with values; those of a language model that a plan fills are not set."""
    features, sampler = build_region_parts(config)
    parts: dict[str, nn.Module | None] = {
        "field_encoder": build_field_encoder(config),
        "projection": build_projection(config),
        "region_features": features,
        "region_sampler": sampler,
        "pointing_head": None if network.pointing_head is None else build_pointing_head(config),
    }
    if network.sam_pointing is not None:
        parts["sam_pointing"] = build_sam_pointing(config.mask_config, config.text_config.hidden_size)
    parts = {name: part if part is None else part.to(dtype) for name, part in parts.items()}

    def language_model() -> nn.Module:
        return AutoModelForCausalLM.from_config(config.text_config, dtype=dtype, trust_remote_code=False)

    if any(name.startswith("language_model.") for name in filled):
        # billions of random numbers, all of which would be overwritten
        with quiet_load(), no_init_weights():
            parts["language_model"] = language_model()
    else:
        parts["language_model"] = language_model()
    return parts


@torch.no_grad()
def _fill(weight: Tensor, value: Tensor) -> None:
    if value.shape == weight.shape:
        weight.copy_(value)
        return
    weight[: len(value)].copy_(value)
    weight[len(value) :] = value.float().mean(0).to(weight)
