"""The parts of the network by name, as recipes and reports name them: every weight belongs to exactly one."""

from collections.abc import Mapping

from torch import nn

from deixis.model.network import DeixisForConditionalGeneration

PARTS: Mapping[str, tuple[str, ...]] = {
    "encoder": ("field_encoder.encoder",),
    "tokenizers": ("field_encoder", "field_encoder.encoder.position", "field_encoder.encoder.positions"),
    "projection": ("projection",),
    "sampler": ("region_features", "region_sampler"),
    "language_model": ("language_model",),
    "embeddings": (),
    "masks": ("pointing_head", "sam_pointing.prompt", "sam_pointing.sam.mask_decoder"),
    "mask_encoder": ("sam_pointing.sam",),
}
"""How the names of a part's weights begin; of several that fit, the longest counts.

tokenizers: with the positions of their tokens and the convolutions of the field's finer level. embeddings: those of
words, input and output, wherever the language model has them. mask_encoder: all of SAM but its mask decoder.
"""


def named_parts(network: DeixisForConditionalGeneration) -> dict[str, dict[str, nn.Parameter]]:
    """The weights of each part that the network has, by their names in it; tied weights once."""
    tables = {module for module in (network.get_input_embeddings(), network.get_output_embeddings()) if module}
    words = {id(weight) for table in tables for weight in table.parameters()}
    parts: dict[str, dict[str, nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        part = "embeddings" if id(weight) in words else part_of(name)
        parts.setdefault(part, {})[name] = weight
    return {part: parts[part] for part in PARTS if part in parts}


def part_of(name: str) -> str:
    """The part that a weight of this name is of; the embeddings count as the language model's."""
    fitting = {prefix: part for part, prefixes in PARTS.items() for prefix in prefixes if name.startswith(f"{prefix}.")}
    return fitting[max(fitting, key=len)]
