"""Which layers are quantized, and to how many bytes: shared by quantization and by the table of presets.

What is left as it is is bfloat16, and so are the scales on the CPU; on CUDA bitsandbytes keeps those as float32.
Quantizes nothing itself.
"""

from torch import nn

from deixis.model.packed_linear import GROUP, KINDS

WORDS = ("int8", "int4")
DEVICES = ("cpu", "cuda")
"""Devices with a backend: PyTorch's kernels, bitsandbytes. There is none for MPS."""
SCALE = 2
"""Bytes of a scale on the CPU."""
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
    if device == "cpu" and not KINDS[word].fits(layer):
        return None
    match word, device:
        case "int8", "cpu":
            return count + rows * SCALE
        case "int8", "cuda":
            return count + rows * 4
        case "int4", "cpu":
            return count // 2 + count // GROUP * 2 * SCALE  # and a zero point
        case "int4", "cuda":
            return count // 2 + -(-count // BLOCK) * 4
    raise AssertionError((word, device))
