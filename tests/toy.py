"""A whole network of toy sizes, and signals to ask it about: shared by the tests of several rooms."""

from pathlib import Path
from typing import Any

import numpy as np

TEXTS = (
    "What is <region> next to?",
    "A red mug.",
    "Where is the blue chair?",
    "When do you hear the bell?",
    "Yes. No.",
)
VISION = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
TEXT = {**VISION, "model_type": "llama", "num_key_value_heads": 2, "max_position_embeddings": 512}
SIZES: dict[str, Any] = {
    "vision_config": {**VISION, "model_type": "clip_vision_model"},
    "text_config": {**TEXT, "tie_word_embeddings": True},
    "signals": {
        "image": {"size_px": 32, "patch_px": 16, "early_dim": 16},
        "audio": {"window_s": 8.0, "mel_bins": 16, "stride": 16, "early_dim": 16},
        "point_cloud": {"count": 64, "groups": 8, "neighbours": 6, "early_dim": 16},
    },
    "projection": {"queries": 2, "experts": 2},
    "sampler": {"points": 12, "in_dim": 16, "anchors": [4, 2], "neighbours": [3, 2]},
    "pointing": {"dim": 16},
    "number_spread": 12.0,
}
PIXELS = {"tokenizer": "patch", "size_px": 28, "patch_px": 14, "early_dim": 8}
UNION: dict[str, Any] = {
    "text_config": {**TEXT, "tie_word_embeddings": True},
    "encoder": {"type": "trunk", "class_token": True, "positions": "fourier"},
    "projection": {"queries": 2, "experts": 2, "expert": "llama", "heads": 2, "multiple_of": 8},
    "image": PIXELS,
    "video": {**PIXELS, "frames": 3},
    "depth": PIXELS,
    "normal": PIXELS,
    "audio": {"tokenizer": "stem", "window_s": 4.0, "mel_bins": 16, "early_dim": 8},
    "point_cloud": {"tokenizer": "groups", "count": 64, "groups": 8, "neighbours": 6, "early_dim": 8},
    "imu": {"tokenizer": "stem", "rate_hz": 40.0, "window_s": 4.0, "stride": 16, "early_dim": 8},
    "fmri": {"tokenizer": "parcels", "parcels": 10, "early_dim": 8},
}
"""A model of all eight modalities, beside a `vision_config` of images of 28 px."""
UNION_OF_SAMPLES: dict[str, Any] = {
    **UNION,
    "vision_config": {**VISION, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14},
    "audio": {**UNION["audio"], "window_s": 8.0},
    "imu": {**UNION["imu"], "window_s": 10.0},
}
"""The same, of signals as long as the world's."""
SAM_SIZES: dict[str, Any] = {
    "model_type": "sam",
    "vision_config": {
        "hidden_size": 16,
        "output_channels": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 16,
        "window_size": 2,
        "global_attn_indexes": [1],
        "num_pos_feats": 8,
        "mlp_dim": 24,
    },
    "prompt_encoder_config": {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 8},
    "mask_decoder_config": {
        "hidden_size": 16,
        "mlp_dim": 24,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 16,
        "num_hidden_layers": 2,
    },
}
SAM2_SIZES: dict[str, Any] = {
    "model_type": "sam2",
    "vision_config": {
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 8,
            "num_attention_heads": 1,
            "image_size": [64, 64],
            "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": [8, 16, 32, 64],
            "num_attention_heads_per_stage": [1, 1, 2, 4],
            "window_size_per_stage": [4, 4, 2, 2],
            "global_attention_blocks": [3],
            "window_positional_embedding_background_size": [4, 4],
        },
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 32,
    },
    "prompt_encoder_config": {"hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 8},
    "mask_decoder_config": {"hidden_size": 32, "mlp_dim": 24, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
}


def toy_tokenizer():
    """A tokenizer of a few hundred pieces and the thousand numbers."""
    from deixis.systems.deixis.tokenizer import build_tokenizer

    return build_tokenizer(TEXTS, 300)


def toy_config(tokenizer, **changes: Any):
    """`DeixisConfig` of toy sizes; `changes` replace whole fields, or by its name the options of one modality."""
    from deixis.model import DeixisConfig
    from deixis.signals import MODALITIES
    from deixis.systems.deixis.tokenizer import SPECIAL_TOKENS, number_tokens

    own = {name: changes.pop(name) for name in MODALITIES if name in changes}
    sizes = {**SIZES, "signals": SIZES["signals"] | own, **changes}
    token_id = tokenizer.convert_tokens_to_ids
    special = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    sizes["text_config"] = {**sizes["text_config"], "vocab_size": len(tokenizer), **special}
    return DeixisConfig(
        **sizes,
        signal_token_ids={
            name: token_id(f"<{name}>") for name, options in sizes["signals"].items() if options is not None
        },
        region_token_id=token_id(SPECIAL_TOKENS["region"]),
        seg_token_id=token_id(SPECIAL_TOKENS["seg"]),
        number_tokens=number_tokens(tokenizer),
    )


def toy_network(tokenizer, seed: int = 0, **changes: Any):
    """(network in evaluation mode, processor) of toy sizes with random weights."""
    import torch

    from deixis.model import DeixisForConditionalGeneration, build_processor

    config = toy_config(tokenizer, **changes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = DeixisForConditionalGeneration(config).eval()
    return network, build_processor(config, tokenizer)


def toy_model_folder(folder: Path, **changes: Any):
    """The network of toy sizes that was saved, with its processor, into `folder`."""
    network, processor = toy_network(toy_tokenizer(), **changes)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return network


def toy_image(height: int = 24, width: int = 40, seed: int = 0) -> np.ndarray:
    """Random pixels (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def toy_audio(duration_s: float = 2.0, seed: int = 0) -> tuple[np.ndarray, int]:
    """Random samples at 16 kHz."""
    samples = np.random.default_rng(seed).normal(0, 0.1, round(16000 * duration_s)).astype(np.float32)
    return samples, 16000


def toy_point_cloud(count: int = 100, seed: int = 0) -> np.ndarray:
    """Random points (count, 6): x, y, z, r, g, b."""
    return np.random.default_rng(seed).random((count, 6), dtype=np.float32)


def toy_recipe(**changes: Any) -> dict[str, Any]:
    """A recipe of two stages of a few steps; `changes` replace its fields, None takes one out."""
    few = {"steps": 4, "save_steps": 2, "log_steps": 2, "warmup_steps": 1, "workers": 0, "bf16": False}
    dense = {"name": "dense", "task": "dense", "batch": {"image": 2, "audio": 1, "point_cloud": 1}, **few}
    instruct = {"name": "instruct", "task": "instruct", "batch": {"image": 1, "point_cloud": 1, "pair": 1}, **few}
    instruct |= {"questions": 4, "max_tokens": 200, "dense_weight": 0.1}
    recipe = {"seed": 3, "vocab_size": 300, "model": SIZES, "stages": [dense, instruct], **changes}
    return {name: value for name, value in recipe.items() if value is not None}


def toy_plan(**changes: Any):
    """The parsed recipe of `toy_recipe`."""
    from deixis.training.recipe_file import parse_recipe

    return parse_recipe(toy_recipe(**changes))


def cut_short(step: int):
    """A stand-in for the packing of batches that is interrupted at `step`, as a person with Ctrl-C would."""

    def interrupted(make):
        def make_until(number: int):
            if number == step:
                raise KeyboardInterrupt
            return make(number)

        return make_until

    return interrupted
