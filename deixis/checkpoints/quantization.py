"""Smaller weights: int8 and int4 by name, or any quantization configuration of transformers.

    on the CPU, "int8" and "int4"  PyTorch's own kernels, weights alone (`deixis.model.packed_linear`)
    on CUDA, "int8" and "int4"     bitsandbytes
    on MPS                         nothing runs

The layers of the language model, of the encoder and of the projection's experts are quantised, which is nearly all of a
large model. What `FULL_PRECISION` names is left as it is: embeddings, heads, SAM, the region sampler. A few parts in a
hundred of the weights, and masks and coordinates hang on them.
"""

from typing import Any

import torch
from transformers.utils import is_bitsandbytes_available

from deixis.checkpoints import Opened, open_pretrained
from deixis.errors import InputError, UnsupportedError
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.packed_linear import check_int4
from deixis.model.packing import PackedConfig, read_in_turn
from deixis.model.shrinking import FULL_PRECISION, WORDS


def quantization_config(wanted: Any, place: torch.device) -> Any:
    """transformers' configuration for "int8" or "int4" on a device; one that is given already is given back.

    Raises InputError for another word, UnsupportedError where the backend is not installed or does not run.
    """
    if hasattr(wanted, "quant_method"):
        return wanted
    if not isinstance(wanted, str) or wanted not in WORDS:
        raise InputError(
            f"quantization: expected {' or '.join(WORDS)} or a configuration of transformers, got '{wanted}'"
        )
    if place.type == "cuda":
        return _bitsandbytes(wanted)
    if place.type != "cpu":
        raise UnsupportedError(f"quantization: '{wanted}' runs on cpu and cuda, not on {place.type}; omit it there")
    if wanted == "int4":
        check_int4("quantization")
    return PackedConfig(wanted)


def open_quantized(
    opened: Opened, dtype: torch.dtype, wanted: Any, place: torch.device
) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network of `opened` with quantised weights, on `place`, and its processor; `wanted` as in `load`.

    Each weight is quantized as it is read, so that the whole network is never in memory. Raises UnsupportedError where
    the backend cannot.
    """
    config = quantization_config(wanted, place)
    if opened.adapter is not None and not isinstance(config, PackedConfig):
        raise UnsupportedError(
            f"quantization: {type(config).__name__} takes no adapter beside the model; merge it first, deixis export "
            "MODEL OUT --adapter FOLDER --merge, then take --quantization on the result"
        )
    where = {} if place.type == "cpu" else {"device_map": {"": place}}
    try:
        with read_in_turn():
            return open_pretrained(opened, dtype, quantization_config=config, **where)
    except (ImportError, RuntimeError, NotImplementedError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UnsupportedError(
            f"quantization: {type(config).__name__} does not run on {place.type}: {lines[0]}"
        ) from error


def weight_bytes(network: torch.nn.Module) -> int:
    """Bytes of all weights in memory; tied ones count once."""
    return sum({id(weight): weight.nbytes for weight in [*network.parameters(), *network.buffers()]}.values())


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
