"""Which layers are quantized, and to how many bytes: shared by quantization and by the table of presets.

On the CPU torchao keeps scales in the type of what is left as it is, which is float32 there; on CUDA bitsandbytes keeps
them as float32, and the rest is bfloat16. Quantizes nothing itself.
"""

from torch import nn

WORDS = ("int8", "int4")
DEVICES = ("cpu", "cuda")
"""Devices with a backend: torchao, bitsandbytes. There is none for MPS."""
GROUP = 32
"""Weights of a row that share a scale and a zero point in torchao's int4; a layer of other widths stays whole."""
BLOCK = 64
"""Weights that share a scale in bitsandbytes' int4."""
FULL_PRECISION = (
    "lm_head",
    "language_model.lm_head",
    "sam_pointing",
    "pointing_head",
    "region_features",
    "region_sampler",
    "projection.router",
    "projection.out",
    "projection.maps",
    "projection.into",
    "projection.onto",
    "field_encoder.tokenizers",
    "field_encoder.upsamples",
    "field_encoder.encoder.position",
    "field_encoder.encoder.positions",
)
"""Parts that stay as they are: a few in a hundred of the weights, and masks and coordinates hang on them."""


def small_layers(network: nn.Module) -> dict[str, nn.Linear]:
    """The layers of a network that are quantized, by name."""
    left_out = tuple(f"{name}." for name in FULL_PRECISION)
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear) and not f"{name}.".startswith(left_out)
    }


def small_bytes(layer: nn.Linear, word: str, device: str) -> int | None:
    """Bytes of the weights of a layer as "int8" or "int4" on "cpu" or "cuda", scales included; None: it stays whole."""
    rows, columns = layer.weight.shape
    count = rows * columns
    match word, device:
        case "int8", "cpu":
            return count + rows * (4 + 1)  # a scale and an int8 zero point a row
        case "int8", "cuda":
            return count + rows * 4
        case "int4", "cpu":
            return count // 2 + count // GROUP * (4 + 4) if columns % GROUP == 0 else None
        case "int4", "cuda":
            return count // 2 + -(-count // BLOCK) * 4
    raise AssertionError((word, device))
