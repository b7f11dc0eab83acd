"""Packs linear layers while transformers reads their weights, or reads packed ones, as `deixis export` writes them.

`PackedConfig` is one of transformers' quantization configurations; in the config.json of a folder it says that the
weights in it are packed. Whole weights are read one after another, in the order of the files, and each is packed before
the next is read, so that no more than one of them is in memory whole. Importing this module registers the method with
transformers.
"""

import os
from collections.abc import Generator, MutableSet
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.core_model_loading import ConversionOps
from transformers.quantizers import HfQuantizer, register_quantization_config, register_quantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from deixis.errors import CheckpointError, UnsupportedError
from deixis.model.loading import one_load
from deixis.model.packed_linear import KINDS, Int4Linear, PackedLinear, check_int4, int4_block
from deixis.model.shrinking import small_bytes, small_layers

METHOD = "deixis_packed"


@register_quantization_config(METHOD)
class PackedConfig(QuantizationConfigMixin):
    """Packs to "int8" or "int4".

    block: output features of a block of the int4 weights (`packed_linear.int4_block`), which processors differ in; by
    default that of this one.
    """

    def __init__(self, word: str, block: int | None = None, quant_method: str = METHOD):
        self.word, self.quant_method = word, quant_method  # ty: ignore[invalid-assignment]
        self.block = int4_block() if block is None and word == "int4" else block


def packed_word(config: PreTrainedConfig) -> str | None:
    """ "int8" or "int4" where the weights of a configuration's folder are packed; None where they are whole."""
    given = getattr(config, "quantization_config", None)
    return given["word"] if isinstance(given, dict) else getattr(given, "word", None)


def replace_layers(network: nn.Module, word: str) -> None:
    """Puts packed layers, without values yet, in the place of those that are made small (`small_layers`)."""
    for name, layer in small_layers(network).items():
        if small_bytes(layer, word, "cpu") is not None:
            network.set_submodule(name, KINDS[word](layer))


@register_quantizer(METHOD)
class PackedQuantizer(HfQuantizer):
    """Replaces the layers that are made small (`shrinking.small_layers`) by packed ones."""

    requires_calibration = False
    quantization_config: PackedConfig

    def _process_model_before_weight_loading(self, model: PreTrainedModel, **kwargs: Any) -> None:
        replace_layers(model, self.quantization_config.word)

    def _process_model_after_weight_loading(self, model: PreTrainedModel, **kwargs: Any) -> None:
        if not self.pre_quantized:
            return
        for name, layer in model.named_modules():
            if not isinstance(layer, PackedLinear):
                continue
            for own, value in layer.named_buffers(recurse=False):
                if own == "weight" and value.dtype != layer.stored:  # transformers casts no integers
                    raise CheckpointError(f"{name}.weight: expected packed weights, {layer.stored}, got {value.dtype}")
                # out of the mapped file, whose odd addresses make sums round differently
                setattr(layer, own, value.clone())
            if isinstance(layer, Int4Linear) and self.quantization_config.block != int4_block():
                layer.reorder(self.quantization_config.block or 0)

    def validate_environment(self, *args: Any, device_map: Any = None, **kwargs: Any) -> None:
        places = device_map.values() if isinstance(device_map, dict) else [device_map]
        if other := next((place for place in places if place is not None and not str(place).startswith("cpu")), None):
            raise UnsupportedError(f"device: the weights are packed for the kernels of the cpu, got '{other}'")
        if self.quantization_config.word == "int4":
            check_int4("quantization")

    def param_needs_quantization(self, model: PreTrainedModel, param_name: str, **kwargs: Any) -> bool:
        module, _, own = param_name.rpartition(".")
        return not self.pre_quantized and own == "weight" and isinstance(model.get_submodule(module), PackedLinear)

    def get_quantize_ops(self) -> ConversionOps:
        return _Pack()

    @property
    def is_trainable(self) -> bool:
        return False

    def is_serializable(self) -> bool:
        return True


class _Pack(ConversionOps):
    def convert(  # ty: ignore[incompatible-method-override]
        self,
        input_dict: dict[str, Any],
        model: nn.Module | None = None,
        full_layer_name: str | None = None,
        missing_keys: MutableSet[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        (value,) = input_dict.values()
        assert model is not None
        assert full_layer_name is not None
        assert missing_keys is not None
        name = full_layer_name.removesuffix(".weight")
        layer = model.get_submodule(name)
        assert isinstance(layer, PackedLinear), name
        layer.pack(value[0] if isinstance(value, list) else value)
        layer.__dict__["_is_hf_initialized"] = True  # or transformers would initialise it
        for own, _ in layer.named_buffers(recurse=False):
            missing_keys.discard(f"{name}.{own}")
        return {}


@contextmanager
def read_in_turn() -> Generator[None]:
    """While the block runs, transformers reads a weight when it is needed, not all of them ahead in threads."""
    name = "HF_DEACTIVATE_ASYNC_LOAD"
    with one_load():  # the environment is that of every thread
        before = os.environ.get(name)
        os.environ[name] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
