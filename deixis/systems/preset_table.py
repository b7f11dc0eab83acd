"""Presets: whole configurations by name. Those of the published systems get their weights by conversion.

Each is data: the sizes of its parts (`pretrained.sizes`, and `UNION` here) given to its system's `config_of`. What a
preset has of parameters and needs of memory is counted on its network, built without values (the meta device).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from deixis.checkpoints.shrinking import DEVICES, WORDS, small_bytes, small_layers
from deixis.checkpoints.sizes import CLIP_LARGE, CLIP_LARGE_336, LLAMA, SAM_HUGE
from deixis.checkpoints.terms import TERMS, Terms
from deixis.model import DeixisConfig
from deixis.model.kinds import KINDS
from deixis.model.tokenizers.pointmlp import PRESETS as POINTMLP
from deixis.model.tokenizers.pointmlp import PointMLPConfig
from deixis.systems.conversion import meta_network
from deixis.systems.ferret import convert as ferret
from deixis.systems.lisa import convert as lisa
from deixis.systems.onellm import convert as onellm

UNION: dict[str, Any] = {
    "text_config": {  # Qwen/Qwen3-4B
        "model_type": "qwen3",
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
        "tie_word_embeddings": True,
        "bos_token_id": 151643,
        "eos_token_id": 151645,
        "pad_token_id": 151643,
    },
    "vision_config": {  # google/siglip2-so400m-patch16-384
        "model_type": "siglip_vision_model",
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "image_size": 384,
        "patch_size": 16,
    },
    "mask_config": {  # facebook/sam2.1-hiera-large
        "model_type": "sam2",
        "tie_word_embeddings": True,
        "vision_config": {
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 144,
                "num_attention_heads": 2,
                "embed_dim_per_stage": [144, 288, 576, 1152],
                "blocks_per_stage": [2, 6, 36, 4],
                "num_attention_heads_per_stage": [2, 4, 8, 16],
                "window_size_per_stage": [8, 4, 16, 8],
                "global_attention_blocks": [23, 33, 43],
                "window_positional_embedding_background_size": [7, 7],
            },
            "backbone_channel_list": [1152, 576, 288, 144],
        },
    },
    "encoder": {"type": "trunk", "layer": -1, "norm": True, "positions": "fourier"},
    "frozen": ["encoder"],
    "projection": {"type": "upm", "queries": 30, "experts": 3, "depth": 2, "router": "soft", "keep_tokens": True},
    "sampler": {
        "type": "sampler",
        "points": 512,
        "in_dim": 512,
        "anchors": [128, 32],
        "neighbours": [24, 24],
        "features": "levels",
    },
    "pointing": {"backbone": "sam2", "dim": 128, "state": "at", "train": "decoder"},
    "image": {"tokenizer": "patch", "size_px": 384, "patch_px": 16, "early_dim": 96},
    "video": {"tokenizer": "patch", "size_px": 384, "patch_px": 16, "early_dim": 96, "frames": 8},
    "depth": {"tokenizer": "patch", "size_px": 384, "patch_px": 16, "early_dim": 96},
    "normal": {"tokenizer": "patch", "size_px": 384, "patch_px": 16, "early_dim": 96},
    "audio": {"window_s": 10.24, "mel_bins": 128, "recipe": "ast", "mean": -4.2677393, "std": 4.5689974},  # AST's
    "point_cloud": {"count": 8192, "groups": 512, "neighbours": 32},
    "imu": {"tokenizer": "stem", "window_s": 2.4, "stride": 16, "early_dim": 96},
    "fmri": {"tokenizer": "parcels", "parcels": 256, "early_dim": 96},
    "system": "deixis",
    # rows of Qwen3's embeddings that no word uses; placeholders lie behind them all
    "region_token_id": 151669,
    "seg_token_id": 151670,
}
"""The union: all signals, regions in any, boxes, spans and masks out, on backbones of today."""


@dataclass(frozen=True)
class Preset:
    """system: a key of `TERMS`. config: makes the configuration. stands_on: the models it is made of."""

    system: str
    config: Callable[[], DeixisConfig | PointMLPConfig]
    stands_on: str

    @property
    def terms(self) -> Terms:
        return TERMS[self.system]


def union_config(overrides: Mapping[str, Any] | None = None) -> DeixisConfig:
    """The union's configuration; `overrides` replace its values, dictionaries entry by entry, so any size can be had.

    >>> union_config({"text_config": {"num_hidden_layers": 2}}).text_config.num_hidden_layers
    2
    """
    options = _merged(UNION, overrides or {})
    kinds = [kind for kind in KINDS if options.get(kind) is not None]
    first = options["text_config"]["vocab_size"]
    return DeixisConfig(**options, signal_token_ids={kind: first + n for n, kind in enumerate(kinds)})


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in changes.items():
        mixes = isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
        result[name] = _merged(base[name], value) if mixes else value
    return result


def _ferret(size: str) -> DeixisConfig:
    text = {**LLAMA[size], "vocab_size": 32001}  # <region_fea>
    return ferret.config_of(text, CLIP_LARGE_336, ferret.PUBLISHED, 32000)


def _lisa(size: str, depth: int = 0) -> DeixisConfig:
    text = {**LLAMA[size], "vocab_size": 32003}  # [SEG], <im_start>, <im_end>
    vision = CLIP_LARGE_336 if depth else CLIP_LARGE
    return lisa.config_of(text, vision, SAM_HUGE, lisa.PUBLISHED, 32000, depth)


PRESETS: dict[str, Preset] = {
    "onellm-7b": Preset("onellm", onellm.published_sizes, "LLaMA 2 7B, CLIP ViT-L/14"),
    "ferret-7b": Preset("ferret", lambda: _ferret("7b"), "Vicuna 1.3 7B, CLIP ViT-L/14 336"),
    "ferret-13b": Preset("ferret", lambda: _ferret("13b"), "Vicuna 1.3 13B, CLIP ViT-L/14 336"),
    "lisa-7b": Preset("lisa", lambda: _lisa("7b"), "LLaVA 7B 1.1, CLIP ViT-L/14, SAM ViT-H"),
    "lisa-13b": Preset("lisa", lambda: _lisa("13b-2"), "LLaVA LLaMA 2 13B, CLIP ViT-L/14, SAM ViT-H"),
    "lisa-7b-v0": Preset("lisa", lambda: _lisa("7b"), "LLaVA 7B 1.1, CLIP ViT-L/14, SAM ViT-H"),
    "lisa-13b-v0": Preset("lisa", lambda: _lisa("13b-2"), "LLaVA LLaMA 2 13B, CLIP ViT-L/14, SAM ViT-H"),
    "lisa-7b-llava1.5": Preset("lisa", lambda: _lisa("7b-2", 2), "LLaVA 1.5 7B, CLIP ViT-L/14 336, SAM ViT-H"),
    "lisa-13b-llava1.5": Preset("lisa", lambda: _lisa("13b-2", 2), "LLaVA 1.5 13B, CLIP ViT-L/14 336, SAM ViT-H"),
    "pointmlp": Preset("pointmlp", lambda: POINTMLP["pointmlp"], "nothing else"),
    "pointmlp-elite": Preset("pointmlp", lambda: POINTMLP["pointmlp-elite"], "nothing else"),
    "union": Preset("deixis", union_config, "Qwen3 4B, SigLIP 2 so400m/16 384, SAM 2.1 Hiera large"),
}


DTYPES = ("float32", "bfloat16", *WORDS)
MEMORY_GB = (4, 8, 12, 16, 24, 32, 48, 80, 128)
"""What accelerators and machines come with."""
ROOM = 1.2
"""Times the weights, for what is computed on the way; and a gigabyte."""
WHOLE = {"float32": 4, "bfloat16": 2}
REST = {"cpu": 4, "cuda": 2}
"""Bytes of a weight that int8 and int4 leave as it is: float32 on the CPU, bfloat16 on CUDA, as `load` takes them."""


@dataclass(frozen=True)
class Needs:
    """parameters: of a network. small: (word, device) -> (parameters that are made smaller, bytes that they become)."""

    parameters: int
    small: Mapping[tuple[str, str], tuple[int, int]]

    def nbytes(self, dtype: str, device: str = "cpu") -> int | None:
        """Bytes of the weights as "float32", "bfloat16", "int8" or "int4"; None where that does not run (MPS).

        int8 and int4 are torchao's on "cpu" and bitsandbytes' on "cuda", scales included; what they leave whole (see
        `shrinking.FULL_PRECISION`) is float32 and bfloat16 there.
        """
        if dtype in WHOLE:
            return self.parameters * WHOLE[dtype]
        if (dtype, device) not in self.small:
            return None
        count, nbytes = self.small[dtype, device]
        return (self.parameters - count) * REST[device] + nbytes

    def fits_gb(self, dtype: str, device: str = "cpu") -> int | None:
        """The smallest usual memory, of an accelerator or a machine, in which a network of this size runs."""
        nbytes = self.nbytes(dtype, device)
        return None if nbytes is None else next((gb for gb in MEMORY_GB if gb >= nbytes * ROOM / 1e9 + 1), None)


def needs_of(config: DeixisConfig | PointMLPConfig) -> Needs:
    """Counts the parameters of a configuration's network, shared ones once. A PointMLP is never quantised."""
    network = meta_network(config)
    layers = {} if isinstance(config, PointMLPConfig) else small_layers(network)
    small = {}
    for pair in product(WORDS, DEVICES) if layers else ():
        made = [(layer.weight.numel(), small_bytes(layer, *pair)) for layer in layers.values()]
        sizes = [(count, nbytes) for count, nbytes in made if nbytes is not None]
        small[pair] = (sum(count for count, _ in sizes), sum(nbytes for _, nbytes in sizes))
    return Needs(sum(w.numel() for w in network.parameters()), small)
