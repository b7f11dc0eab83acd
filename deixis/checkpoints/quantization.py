"""Smaller weights: int8 and int4 by name, or any quantization configuration of transformers.

    on the CPU, "int8" and "int4"  torchao, weights alone; activations stay as they are
    on CUDA, "int8" and "int4"     bitsandbytes
    on MPS                         nothing runs

The layers of the language model, of the encoder and of the projection's experts are quantised, which is nearly all of a
large model. What `FULL_PRECISION` names is left as it is: embeddings, heads, SAM, the region sampler. A few parts in a
hundred of the weights, and masks and coordinates hang on them.
"""

import logging
from typing import Any

import torch
from transformers.utils import is_bitsandbytes_available, is_torchao_available

from deixis.checkpoints import Opened, open_pretrained
from deixis.checkpoints.shrinking import FULL_PRECISION, GROUP, WORDS
from deixis.errors import InputError, UnsupportedError
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor


def quantization_config(wanted: Any, place: torch.device) -> Any:
    """transformers' configuration for "int8" or "int4" on a device; one that is given already is given back.

    Raises InputError for another word, UnsupportedError where the backend is not installed or does not run.
    """
    if not isinstance(wanted, str):
        return wanted
    if wanted not in WORDS:
        raise InputError(
            f"quantization: expected {' or '.join(WORDS)} or a configuration of transformers, got '{wanted}'"
        )
    if place.type == "cuda":
        return _bitsandbytes(wanted)
    if place.type != "cpu":
        raise UnsupportedError(f"quantization: '{wanted}' runs on cpu and cuda, not on {place.type}; omit it there")
    return _torchao(wanted)


def open_quantized(
    opened: Opened, dtype: torch.dtype, wanted: Any, place: torch.device
) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network of `opened` with quantised weights, on `place`, and its processor; `wanted` as in `load`.

    Each weight is quantized as it is read, so that the whole network is never in memory. Raises UnsupportedError where
    the backend cannot.
    """
    config = quantization_config(wanted, place)
    where = {} if place.type == "cpu" else {"device_map": {"": place}}
    try:
        return open_pretrained(opened, dtype, quantization_config=config, **where)
    except (ImportError, RuntimeError, NotImplementedError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UnsupportedError(
            f"quantization: {type(config).__name__} does not run on {place.type}: {lines[0]}"
        ) from error


def weight_bytes(network: torch.nn.Module) -> int:
    """Bytes of all weights in memory; tied ones count once."""
    total, seen = 0, set()
    for weight in [*network.parameters(), *network.buffers()]:
        names = getattr(weight, "tensor_data_names", None)  # torchao's packed weights: values and scales
        optional = getattr(weight, "optional_tensor_data_names", None) or []
        held = [getattr(weight, name) for name in (*names, *optional)] if names else [weight]
        for tensor in held:
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                total += tensor.nbytes
    return total


def _torchao(wanted: str) -> Any:
    if not is_torchao_available():
        raise UnsupportedError(
            f"quantization: '{wanted}' on the CPU needs torchao, which is not here: pip install torchao"
        )
    logging.getLogger("torchao").setLevel(logging.ERROR)  # it names every kernel that was built for other machines
    from torchao.quantization import Int8WeightOnlyConfig  # ty: ignore[import-not-found]
    from transformers import TorchAoConfig

    if wanted == "int8":
        return TorchAoConfig(Int8WeightOnlyConfig(version=2), modules_to_not_convert=list(FULL_PRECISION))
    try:  # int4 on CPUs is torchao's prototype, and moves between versions
        from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig  # ty: ignore[import-not-found]
    except ImportError:
        raise UnsupportedError(
            "quantization: this torchao has no int4 for CPUs: expected 0.18 or a later one that has; use int8"
        ) from None
    packed = PrototypeInt4WeightOnlyConfig(group_size=GROUP, set_inductor_config=False)
    return TorchAoConfig(packed, modules_to_not_convert=list(FULL_PRECISION))


def _bitsandbytes(wanted: str) -> Any:
    if not is_bitsandbytes_available():
        raise UnsupportedError(
            f"quantization: '{wanted}' on CUDA needs bitsandbytes, which is not here: pip install bitsandbytes"
        )
    from transformers import BitsAndBytesConfig

    skipped = list(FULL_PRECISION)
    if wanted == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=skipped,
    )
