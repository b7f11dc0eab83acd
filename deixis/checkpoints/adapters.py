"""Low-rank adapters (LoRA) in PEFT's format, opened beside the model that they belong to and added to its weights.

    adapter_config.json         PEFT's: the rank and the scale of the products
    adapter_model.safetensors   lora_A (rank, in) and lora_B (out, rank) of each layer
    full_weights.safetensors    what was trained whole beside them, by its name in the network; PEFT reads it not
    base.json                   digests of all other weights of the base (`base_digests`)

A folder is a stranger's: it is read as JSON and safetensors alone, and every name and shape is compared with the
model's before a value is read. (LoRA: Hu et al., ICLR 2022; its scale: huggingface/peft@v0.21, tuners/lora/layer.py.)
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel

from deixis.checkpoints.base_digests import (
    BASE,
    Digests,
    folder_digests,
    network_digests,
    other_weights,
    read_digests,
)
from deixis.checkpoints.small_files import naming, read_object
from deixis.checkpoints.source import open_model
from deixis.checkpoints.weight_names import ADAPTER, check_inside, weight_files
from deixis.checkpoints.weights import in_dtype
from deixis.errors import CheckpointError, ConfigError
from deixis.model.packed_linear import PackedLinear
from deixis.options import Bounds, check_value, shown

LORA, FULL = "adapter_model.safetensors", "full_weights.safetensors"
PICKLES = ("adapter_model.bin", "adapter_model.pt", "adapter_model.pth")
PREFIX = "base_model.model."
"""Of every name in a file of PEFT."""
DOWN, UP = ".lora_A.weight", ".lora_B.weight"
Rank = Annotated[int, Bounds(least=1, most=65_536)]
Alpha = Annotated[float, Bounds(above=0, most=1e6)]
FREE = (
    *("peft_type", "task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "r"),
    *("inference_mode", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "use_rslora", "bias"),
    *("init_lora_weights", "layers_to_transform", "layers_pattern", "megatron_core", "qalora_group_size"),
)
"""Fields of adapter_config.json that say nothing about the sums, or are looked at one by one."""
PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal")
"""Of `init_lora_weights`: with any other, PEFT changes the base too."""


@dataclass(frozen=True)
class Adapter:
    """An adapter that is looked at, not read.

    base: the model that it names, if any. scale: of the products. lora: the shape (out, in) of the weight of each layer
    by its name in the network, full: that of each weight that takes the place of the base's. digests: of the base's
    other weights; none where PEFT alone wrote it.
    """

    folder: Path
    base: str | None
    scale: float
    lora: Mapping[str, tuple[int, ...]]
    full: Mapping[str, tuple[int, ...]]
    digests: Digests

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def names(self) -> tuple[str, ...]:
        """The weights that it changes, by their names in the network."""
        return (*self.lora, *self.full)

    def merged(self, name: str, weight: Tensor) -> Tensor:
        """A weight of the base with what the adapter adds to it, or in its place, in float32 or the adapter's type."""
        if name in self.full:
            return _read(self.folder / FULL, name)
        layer = f"{PREFIX}{name.removesuffix('.weight')}"
        down, up = (_read(self.folder / LORA, f"{layer}{end}").float() for end in (DOWN, UP))
        return weight.float() + self.scale * (up @ down)

    def check_fits(self, folder: Path, base: str) -> None:
        """Raises CheckpointError where the model `base`, with weights in `folder`, is another than the adapter's."""
        shapes = {name: shape for file in weight_files(folder) for name, shape in _all_shapes(file).items()}
        named = f", '{self.base}'" if self.base else ""
        for name, expected in {**self.lora, **self.full}.items():
            if (got := shapes.get(name)) != expected:
                raise CheckpointError(
                    f"adapter '{self}': expected the model that it was trained beside{named}, with {name} of shape "
                    f"{_sizes(expected)}; got '{base}', {f'where it is {_sizes(got)}' if got else 'which has none'}"
                )
        if self.digests and (others := other_weights(self.digests, folder_digests(folder, self.digests))):
            count = f", and so have {len(others) - 1} more" if len(others) > 1 else ""
            raise CheckpointError(
                f"adapter '{self}': expected the model that it was trained beside{named}; got '{base}', of the same "
                f"shapes, where {others[0]} has other values{count}"
            )

    @torch.no_grad()
    def merge_into(self, network: PreTrainedModel, folder: Path) -> None:
        """Puts the merged weights into a network that was read from `folder`, in its own type or packed.

        Raises InputError where float16 cannot hold them.
        """
        source = open_model(folder)
        for name in self.names:
            module, _, own = name.rpartition(".")
            layer = network.get_submodule(module)
            # from the file: what is merged is rounded once, as an export does, not the base first
            weight = self.merged(name, source.read(name))
            if isinstance(layer, PackedLinear) and own == "weight":
                layer.pack(in_dtype(weight, network.dtype, name))
            else:
                parameter = layer.get_parameter(own)
                parameter.copy_(in_dtype(weight, parameter.dtype, name))
        source.close()


def open_adapter(folder: str | Path) -> Adapter:
    """The adapter in a folder. Raises CheckpointError for one that is none, a pickle or damaged; ConfigError."""
    folder = Path(folder)
    try:
        if not (folder / ADAPTER).is_file():
            raise CheckpointError(f"expected a folder with {ADAPTER} and {LORA}, got none")
        if not (folder / LORA).is_file():
            pickled = next((name for name in PICKLES if (folder / name).is_file()), "none")
            raise CheckpointError(
                f"expected weights in {LORA}, got {pickled}"
                f"{', a pickle, which may hold code and is never read; save it as safetensors' * (pickled != 'none')}"
            )
        for name in (ADAPTER, LORA, FULL, BASE):
            if (folder / name).exists():
                check_inside(folder, folder / name)
        values = read_object(folder / ADAPTER)
        with naming(ADAPTER):
            scale = _scale(values)
        full = _shapes(folder / FULL) if (folder / FULL).is_file() else {}
        return Adapter(
            folder, _base_name(values), scale, _layers(folder / LORA, values["r"]), full, read_digests(folder / BASE)
        )
    except (CheckpointError, ConfigError) as error:
        raise type(error)(f"adapter '{folder}': {error}") from error


def write_adapter(folder: Path, adapted: Any, base: str | None, full: Mapping[str, Tensor]) -> None:
    """Writes the adapters of a PEFT model, what was trained whole beside them, and to which base they belong."""
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(str(folder), save_embedding_layers=False)  # PEFT would look for the base on the hub
    if full:
        save_file({name: own.detach().contiguous() for name, own in full.items()}, folder / FULL, {"format": "pt"})
    _write_digests(folder, network_digests(adapted.get_base_model(), full))


def write_alone(adapter: Adapter, folder: Path, base_folder: Path, base: str, dtype: torch.dtype | None) -> None:
    """Writes an adapter into another folder, in another type where given, for the model `base` in `base_folder`."""
    values = read_object(adapter.folder / ADAPTER) | {"base_model_name_or_path": base}
    (folder / ADAPTER).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    for name in (LORA, FULL) if adapter.full else (LORA,):
        with _opened(adapter.folder / name) as held:
            tensors = {key: held.get_tensor(key) for key in held.keys()}  # noqa: SIM118
        cast = {key: own if dtype is None else in_dtype(own, dtype, key) for key, own in tensors.items()}
        save_file(cast, folder / name, {"format": "pt"})
    digests = adapter.digests or {
        name: own for name, own in folder_digests(base_folder).items() if name not in adapter.full
    }
    _write_digests(folder, digests)


def _write_digests(folder: Path, digests: Digests) -> None:
    (folder / BASE).write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")


def _scale(values: dict[str, Any]) -> float:
    """What the products are multiplied by. Raises ConfigError for adapters that are no plain LoRA."""
    check_value("r", values.get("r"), Rank)
    check_value("lora_alpha", values.get("lora_alpha"), Alpha)
    if values.get("peft_type") != "LORA":
        raise ConfigError(f"peft_type: expected 'LORA', got {shown(values.get('peft_type'))}")
    if values.get("bias") not in (None, "none"):
        raise ConfigError(f"bias: expected 'none', got {shown(values['bias'])}; the biases of the base are not changed")
    start = values.get("init_lora_weights")
    if not any(start is own or (isinstance(own, str) and start == own) for own in PLAIN_STARTS):
        raise ConfigError(f"init_lora_weights: expected a start that leaves the base as it is, got {shown(start)}")
    for name, value in values.items():
        if name not in FREE and value:
            raise ConfigError(f"{name}: expected a plain LoRA, without it; got {shown(value)}")
    return values["lora_alpha"] / (math.sqrt(values["r"]) if values.get("use_rslora") is True else values["r"])


def _layers(file: Path, rank: int) -> dict[str, tuple[int, ...]]:
    """The shape of the weight beside each pair of matrices, by its name in the network."""
    shapes, layers = _shapes(file), {}
    for name in shapes:
        layer = name.removesuffix(DOWN).removesuffix(UP)
        down, up = shapes.get(f"{layer}{DOWN}"), shapes.get(f"{layer}{UP}")
        if not name.startswith(PREFIX) or down is None or up is None:
            raise CheckpointError(f"{file.name}: expected {PREFIX}LAYER{DOWN} and {UP}, got {name[:200]!r}")
        if len(down) != 2 or len(up) != 2 or (down[0], up[1]) != (rank, rank):
            raise CheckpointError(
                f"{file.name}: expected matrices of rank {rank} at {layer[:200]}, got {_sizes(down)} and {_sizes(up)}"
            )
        layers[f"{layer.removeprefix(PREFIX)}.weight"] = (up[0], down[1])
    if not layers:
        raise CheckpointError(f"{file.name}: expected at least one layer, got none")
    return layers


def _base_name(values: dict[str, Any]) -> str | None:
    name = values.get("base_model_name_or_path")
    return name[:200] if isinstance(name, str) and name else None


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Shapes by name in a safetensors file of floating numbers."""
    shapes = {}
    with _opened(file) as opened:
        for name in opened.keys():  # noqa: SIM118 (no dictionary)
            part = opened.get_slice(name)
            if part.get_dtype() not in ("F32", "F16", "BF16"):
                raise CheckpointError(f"{file.name}: expected floating numbers in {name[:200]}, got {part.get_dtype()}")
            shapes[name] = tuple(part.get_shape())
    return shapes


def _all_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    with _opened(file) as opened:
        return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


def _opened(file: Path) -> Any:
    try:
        return safe_open(file, "pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file.name} cannot be read ({error}); it may be damaged or cut short") from error


def _read(file: Path, name: str) -> Tensor:
    with _opened(file) as opened:
        return opened.get_tensor(name)


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "no axes"
