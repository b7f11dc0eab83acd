"""Whether the network that config.json describes is of about the size of the weights in its folder.

What it says beyond the weights would be made of nothing, in memory.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from deixis.checkpoints.small_files import naming
from deixis.checkpoints.weight_names import weight_files
from deixis.errors import CheckpointError, ConfigError
from deixis.model import DeixisConfig, DeixisForConditionalGeneration
from deixis.model.meta import on_meta
from deixis.model.packed_linear import PackedLinear
from deixis.model.packing import packed_word, replace_layers

MAX_EXCESS, FREE_VALUES = 1.5, 1_000_000
"""How much more values than the weights a network may have for a more exact sentence to be found later."""
MAX_UNSAVED = 100_000_000
"""Values that a network makes itself, such as the numbers of positions."""


def check_size(folder: Path, config: DeixisConfig) -> None:
    """Raises ConfigError where the network of a configuration is larger than the weights in the folder."""
    with naming("config.json"), on_meta():
        network = DeixisForConditionalGeneration(config)
        if word := packed_word(config):
            replace_layers(network, word)
    saved = network.state_dict()
    needed = sum({id(weight): weight.numel() for weight in [*network.parameters(), *_packed(network)]}.values())
    unsaved = sum(value.numel() for name, value in network.named_buffers() if name not in saved)
    held = sum(_values_in(file) for file in weight_files(folder))
    if needed > MAX_EXCESS * held + FREE_VALUES or unsaved > MAX_UNSAVED:
        raise ConfigError(
            f"config.json: expected a network of about {held} values, as many as the weights hold, got sizes that make "
            f"{needed + unsaved}; weights and config.json are not of one model"
        )


def _packed(network: nn.Module) -> list[Tensor]:
    return [own for layer in network.modules() if isinstance(layer, PackedLinear) for own in layer.buffers()]


def _values_in(file: Path) -> int:
    try:
        with safe_open(file, "pt") as opened:
            return sum(torch.Size(opened.get_slice(name).get_shape()).numel() for name in opened.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{file.name} cannot be read ({error}); it may be damaged or cut short") from error
