"""Which parts of the network a stage trains: whole, by low-rank adapters (LoRA) or by a further expert, and how fast.

    before the stage   adapters are put beside the chosen layers, or an expert is added to the projection; all else that
                       is not named is frozen
    after it           the adapters are written (`checkpoints.adapters`), and merged: every stage begins and ends with a
                       plain network

(LoRA: Hu et al., ICLR 2022; LISA, section 4.1: rank 8 on the query and value projections.)
"""

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, no_type_check

import torch
from torch import nn

from deixis.checkpoints.adapters import write_adapter
from deixis.conversation import System
from deixis.errors import ConfigError
from deixis.files.whole import whole_folder
from deixis.model.extend import add_expert, expert_projection, expert_weights
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.packed_linear import PackedLinear
from deixis.model.parts import named_parts, part_of
from deixis.model.shrinking import small_bytes, small_layers
from deixis.options import Checked, Count, NonNegative, did_you_mean

How = Literal["full", "lora", "expert"]
"""Whole, by adapters, or (the projection) by a further expert and what each modality has of its own."""
ADAPTER = "adapter"
"""The folder of a stage's adapters, beside its model."""


@no_type_check
@dataclass(frozen=True, kw_only=True)
class LoraOptions(Checked):
    """Low-rank adapters of a stage. Raises ConfigError for a field that does not fit."""

    rank: Count = 8
    alpha: Count = 16
    """The adapters' product is scaled by alpha / rank."""
    dropout: NonNegative = 0.05
    targets: tuple[str, ...] = ("q_proj", "v_proj", "qkv")
    """Last names of the linear layers that get one; "qkv" is that of SAM's encoder."""


class TrainedParts:
    """A network of which chosen parts are trained; `merge` makes it plain again.

    rates: learning rate of each weight whose part has its own, by `id`.
    """

    def __init__(
        self,
        network: DeixisForConditionalGeneration,
        how: Mapping[str, How],
        lora: LoraOptions | None = None,
        learning_rates: Mapping[str, float] | None = None,
    ):
        """Raises as `check_parts`."""
        own_rates = learning_rates or {}
        layers = check_parts(network, how, lora, own_rates)
        grow(network, how)
        parts = named_parts(network)
        whole = {name for part, own in parts.items() for name in trained_whole(network, own, how.get(part))}
        self.network, self.adapted = network, _adapted(network, layers, lora or LoraOptions()) if layers else None
        self.full = {name: weight for own in parts.values() for name, weight in own.items() if name in whole}
        self.rates: dict[int, float] = {}
        self.counts: dict[str, tuple[int, int]] = {}
        self._dtypes: dict[nn.Parameter, torch.dtype] = {}
        for part, weights in parts.items():
            own = list(weights.values())
            for name, weight in weights.items():
                weight.requires_grad_(name in whole)
                if weight.requires_grad and weight.dtype != torch.float32:
                    # small steps of a weight in bfloat16 are rounded away
                    self._dtypes[weight], weight.data = weight.dtype, weight.data.float()
            own += [weight for name in layers.get(part, ()) for weight in _adapters(network.get_submodule(name))]
            trained = [weight for weight in own if weight.requires_grad]
            self.counts[part] = sum(w.numel() for w in trained), sum(w.numel() for w in own)
            if part in own_rates:
                self.rates |= {id(weight): own_rates[part] for weight in trained}

    def __str__(self) -> str:
        """How many weights of which parts are trained, on one line."""
        trained, whole = (sum(counts) for counts in zip(*self.counts.values(), strict=True))
        parts = ", ".join(f"{part} {own / 1e6:.2f} M" for part, (own, _) in self.counts.items() if own)
        return f"{trained / 1e6:.2f} M of {whole / 1e6:.2f} M weights are trained: {parts}"

    def save_adapters(self, folder: Path, base: str | None = None) -> None:
        """Writes the adapters in PEFT's format into `folder`, beside them what is trained whole; nothing without any.

        base: the model that they stand beside, by name.
        """
        if self.adapted is not None:
            with whole_folder(folder, overwrite=True) as part:
                write_adapter(part, self.adapted, base, self.full)

    def merge(self) -> None:
        """Adds the adapters to the weights that they stand beside, and lets every weight be trained again."""
        if self.adapted is not None:
            self.adapted.merge_and_unload()
            self.adapted = None
        for weight, dtype in self._dtypes.items():
            weight.data = weight.data.to(dtype)
        self._dtypes.clear()
        self.network.requires_grad_(True)


def grow(network: DeixisForConditionalGeneration, how: Mapping[str, How]) -> None:
    """Gives the network what a stage adds to it before it is trained: an expert, where one is asked for."""
    if "expert" in how.values():
        add_expert(network, freeze=False)


def trained_whole(
    network: DeixisForConditionalGeneration, names: Mapping[str, nn.Parameter], way: How | None
) -> Collection[str]:
    """Those of a part's weights that are trained themselves."""
    return names if way == "full" else expert_weights(network) if way == "expert" else ()


def check_parts(
    network: DeixisForConditionalGeneration,
    how: Mapping[str, How],
    lora: LoraOptions | None = None,
    learning_rates: Mapping[str, float] | None = None,
) -> dict[str, list[str]]:
    """The names of the layers of each part that would get adapters; nothing is changed.

    Raises ConfigError for a part that the network has not, options of LoRA where no part is trained by it, LoRA's
    targets that match no layer, and an expert where there can be none.
    """
    parts, own_rates = named_parts(network), learning_rates or {}
    if lora not in (None, LoraOptions()) and "lora" not in how.values():
        raise ConfigError(f"lora: expected beside a part that is trained by lora; got parts {dict(how)}")
    for field, names in (("parts", how), ("learning_rates", own_rates)):
        for name in names:
            if name not in parts:
                raise ConfigError(
                    f"{field}: expected parts that the model has, of {', '.join(parts)}; got {name!r}"
                    f"{did_you_mean(name, parts)}"
                )
    _check_expert(network, how)
    if untrained := sorted(set(own_rates) - set(how)):
        raise ConfigError(f"learning_rates: expected parts that are trained, of {', '.join(how)}; got {untrained}")
    return _target_layers(network, parts, how, lora or LoraOptions())


def _check_expert(network: DeixisForConditionalGeneration, how: Mapping[str, How]) -> None:
    for part in (part for part, way in how.items() if way == "expert"):
        if part != "projection":
            raise ConfigError(f"parts: expected an expert of the projection alone; got {part}: expert")
        if "lora" in how.values():
            raise ConfigError(
                "parts: expected an expert without adapters beside it, which fit the model that a stage begins with; "
                f"got {dict(how)}"
            )
        expert_projection(network)


def check_quantized(network: nn.Module, how: Mapping[str, How], word: str, device: str) -> None:
    """Raises ConfigError for a part that would be trained whole, though its layers are quantized on a device."""
    small = [name for name, layer in small_layers(network).items() if small_bytes(layer, word, device) is not None]
    small += _packed(network)
    if part := next((part for part, way in how.items() if way != "lora" and part in map(part_of, small)), None):
        raise ConfigError(
            f"parts: expected {part}: lora beside quantization, as weights of {word} cannot be trained; got {how[part]}"
        )


def stage_parts(
    network: DeixisForConditionalGeneration, system: System, how: Mapping[str, How] | None
) -> dict[str, How]:
    """The parts that a stage trains: its own, or without any those that the network's system trains."""
    if how is not None:
        return dict(how)
    parts = named_parts(network)
    return {part: own for part, own in system.trained_parts.items() if part in parts}


def _target_layers(
    network: nn.Module, parts: Mapping[str, Mapping[str, Any]], how: Mapping[str, How], lora: LoraOptions
) -> dict[str, list[str]]:
    """The names of the layers of each part that get adapters."""
    layers: dict[str, list[str]] = {}
    packed = _packed(network)
    for part in (part for part, way in how.items() if way == "lora"):
        whole = (name.removesuffix(".weight") for name in parts[part] if name.endswith(".weight"))
        linear = [name for name in whole if isinstance(network.get_submodule(name), nn.Linear)]
        linear += [name for name in packed if part_of(name) == part]
        layers[part] = [name for name in linear if name.rpartition(".")[2] in lora.targets]
        if not layers[part]:
            known = sorted({name.rpartition(".")[2] for name in linear})
            raise ConfigError(
                f"lora.targets: expected names of linear layers of {part}, such as {', '.join(known) or 'none'}; got "
                f"{', '.join(lora.targets)}"
            )
    return layers


def _packed(network: nn.Module) -> list[str]:
    """The names of the layers whose weights are packed, and so are no parameters."""
    return [name for name, layer in network.named_modules() if isinstance(layer, PackedLinear)]


def _adapted(network: nn.Module, layers: Mapping[str, list[str]], lora: LoraOptions) -> Any:
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import Linear

    targets = [name for names in layers.values() for name in names]
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets)
    config._register_custom_module({PackedLinear: Linear})  # documented by PEFT for layers that it does not know
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers by a name that it will drop
        warnings.filterwarnings("ignore", "Unsupported layer type", UserWarning)  # of packed layers
        return get_peft_model(network, config)


def _adapters(layer: nn.Module) -> list[nn.Parameter]:
    return [weight for name, weight in layer.named_parameters() if "lora_" in name]
