"""The union's configuration on backbones of today: eight modalities, any region in, boxes, spans and masks out."""

from collections.abc import Mapping
from typing import Any

from deixis.checkpoints.sizes import AST_MEAN, AST_STD
from deixis.model import DeixisConfig
from deixis.signals import MODALITIES

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
    "projection": {"type": "upm", "queries": 30, "experts": 3, "depth": 2, "router": "soft", "keep_tokens": True},
    "sampler": {
        "type": "sampler",
        "points": 512,
        "in_dim": 512,
        "anchors": [128, 32],
        "neighbours": [24, 24],
        "features": "levels",
    },
    "pointing": {"backbone": "sam2", "dim": 128, "state": "at"},
    "signals": {
        "image": {"tokenizer": "patch", "size_px": 384, "patch_px": 16, "early_dim": 96},
        "video": {"tokenizer": "patch", "size_px": 384, "patch_px": 16, "early_dim": 96, "frames": 8},
        "depth": {"tokenizer": "patch", "size_px": 384, "patch_px": 16, "early_dim": 96},
        "normal": {"tokenizer": "patch", "size_px": 384, "patch_px": 16, "early_dim": 96},
        "audio": {"window_s": 10.24, "mel_bins": 128, "recipe": "ast", "mean": AST_MEAN, "std": AST_STD},
        "point_cloud": {"count": 8192, "groups": 512, "neighbours": 32},
        "imu": {"tokenizer": "stem", "window_s": 2.4, "stride": 16, "early_dim": 96},
        "fmri": {"tokenizer": "parcels", "parcels": 256, "early_dim": 96},
    },
    "system": "deixis",
    # rows of Qwen3's embeddings that no word uses; placeholders lie behind them all
    "region_token_id": 151669,
    "seg_token_id": 151670,
}
"""The union: all signals, regions in any, boxes, spans and masks out, on backbones of today."""


def union_config(overrides: Mapping[str, Any] | None = None) -> DeixisConfig:
    """The union's configuration; `overrides` replace its values, dictionaries entry by entry, so any size can be had.

    >>> union_config({"text_config": {"num_hidden_layers": 2}}).text_config.num_hidden_layers
    2
    """
    options = merged(UNION, overrides or {})
    names = [name for name in MODALITIES if options["signals"].get(name) is not None]
    first = options["text_config"]["vocab_size"]
    return DeixisConfig(**options, signal_token_ids={name: first + n for n, name in enumerate(names)})


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, dictionaries entry by entry."""
    result = dict(base)
    for name, value in changes.items():
        mixes = isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
        result[name] = merged(base[name], value) if mixes else value
    return result
