"""Packs linear layers while transformers reads their weights: `PackedConfig` is one of its quantization configurations.

Weights are read one after another, in the order of the files, and each is packed before the next is read, so that no
more than one of them is in memory whole. Importing this module registers the method with transformers.
"""

import os
from collections.abc import Generator, MutableSet
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.core_model_loading import ConversionOps
from transformers.quantizers import HfQuantizer, register_quantization_config, register_quantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from deixis.checkpoints.shrinking import small_bytes, small_layers
from deixis.model.loading import one_load
from deixis.model.packed_linear import KINDS, PackedLinear

METHOD = "deixis_packed"


@register_quantization_config(METHOD)
class PackedConfig(QuantizationConfigMixin):
    """Packs to "int8" or "int4"."""

    def __init__(self, word: str, quant_method: str = METHOD):
        self.word, self.quant_method = word, quant_method  # ty: ignore[invalid-assignment]


@register_quantizer(METHOD)
class PackedQuantizer(HfQuantizer):
    """Replaces the layers that are made small (`shrinking.small_layers`) by packed ones."""

    requires_calibration = False
    quantization_config: PackedConfig

    def _process_model_before_weight_loading(self, model: PreTrainedModel, **kwargs: Any) -> None:
        word = self.quantization_config.word
        for name, layer in small_layers(model).items():
            if small_bytes(layer, word, "cpu") is not None:
                model.set_submodule(name, KINDS[word](layer))

    def param_needs_quantization(self, model: PreTrainedModel, param_name: str, **kwargs: Any) -> bool:
        module, _, own = param_name.rpartition(".")
        return own == "weight" and isinstance(model.get_submodule(module), PackedLinear)

    def get_quantize_ops(self) -> ConversionOps:
        return _Pack()

    @property
    def is_trainable(self) -> bool:
        return False

    def is_serializable(self) -> bool:
        return False


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
