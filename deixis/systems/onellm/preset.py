"""OneLLM's configuration, from the shapes of its tensors, and its published size."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deixis.checkpoints.part_rules import count_layers
from deixis.checkpoints.sizes import AST_MEAN, AST_STD, CLIP_MEAN, CLIP_STD, LLAMA
from deixis.model import DeixisConfig
from deixis.model.part_configs import EncoderConfig, PointingConfig, ProjectionConfig, SamplerConfig
from deixis.systems.onellm.notation import NOTATION
from deixis.systems.release import Preset

MODALITY_NAMES = {  # their names and ours, in their order
    "image": "image",
    "video": "video",
    "audio": "audio",
    "point": "point_cloud",
    "rgbd": "depth",
    "rgbn": "normal",
    "fmri": "fmri",
    "imu": "imu",
}
SIZES: dict[str, dict[str, Any]] = {  # csuhan/OneLLM@8587a47: config/llama2/7B.json, model/LLM/onellm.py
    "onellm-7b": {
        "encoder": {"heads": 16, "activation": "quick_gelu", "norm_eps": 1e-5},
        "llm": {"heads": 32, "norm_eps": 1e-5, "rope_theta": 10000.0},
        "projection": {"heads": 16, "ffn_multiple_of": 256, "norm_eps": 1e-5},
    }
}
"""What the names and shapes of the checkpoint do not tell; its file comes without a configuration."""
AUDIO_FRAMES, AUDIO_MEL_BINS, FRAMES_A_SECOND = 1024, 128, 100
IMU_RATE_HZ = 200
VIDEO_CLIPS = 5
CLOUD_POINTS = 8192  # Objaverse's clouds as PointLLM packs them (docs/Data.md)
DEPTH_FAR_M = 10.0

Shapes = Mapping[str, tuple[int, ...]]


def config_of(
    meta: Mapping[str, Tensor], source_config: Mapping[str, Any], modalities: list[str], vocab_size: int
) -> DeixisConfig:
    """The configuration: sizes from the tensors, heads, norms and activation from `source_config`.

    Raises KeyError for a tensor or field that is missing.
    """
    shapes = {name.removeprefix("llma."): tuple(tensor.shape) for name, tensor in meta.items()}
    vision = _vision(shapes, source_config["encoder"])
    signals = _signals(shapes, vision, modalities)
    # Results computed with an open_clip that takes the batch first have "batch" here (`encoder.universal_encoder`).
    attention = source_config["encoder"].get("attention", "tokens")
    return DeixisConfig(
        vision_config=vision,
        text_config=_text(shapes, source_config["llm"], vocab_size),
        # The projection reads the class token too (model/LLM/onellm.py, clip_encode_image gives all rows).
        encoder=EncoderConfig(type="trunk", class_token=True, positions="learned", attention=attention),
        projection=_projection(shapes, source_config["projection"], vision["hidden_size"]),
        sampler=SamplerConfig(type=None),
        pointing=PointingConfig(backbone=None),
        notation=NOTATION,
        system="onellm",
        signal_token_ids={name: vocab_size + number for number, name in enumerate(modalities)},
        signals=signals,
    )


def published_config() -> DeixisConfig:
    """The configuration of OneLLM-7B, from the shapes that the published code gives its tensors."""
    width, hidden, inner = 1024, 4096, 11008
    shapes = {
        "tok_embeddings.weight": (32000, hidden),
        "layers.31.feed_forward.w1.weight": (inner, hidden),
        "layers.0.feed_forward.w1.weight": (inner, hidden),
        "clip.visual.conv1.weight": (width, 3, 14, 14),
        "clip.visual.positional_embedding": (257, width),
        "clip.visual.transformer.resblocks.0.mlp.c_fc.weight": (4 * width, width),
        "clip.visual.transformer.resblocks.23.mlp.c_fc.weight": (4 * width, width),
        "resample_tokens.image": (1, 30, width),
        "resample_layers.2.7.attention.wq.weight": (width, width),
        "resample_layers.0.7.attention.wq.weight": (width, width),
        "routers.image.fc1.weight": (4 * width, width),
        "conv1.audio.weight": (width, 1, 16, 16),
        "positional_embedding.point": (1025, width),
        "conv1.imu.weight": (width, 6, 10),
        "positional_embedding.imu": (392, width),
        "conv1.fmri.weight": (8 * width, 15724),
    }
    meta = {f"llma.{name}": torch.empty(shape, device="meta") for name, shape in shapes.items()}
    return config_of(meta, SIZES["onellm-7b"], list(MODALITY_NAMES.values()), 32000)


PRESETS = {"onellm-7b": Preset(published_config, "LLaMA 2 7B, CLIP ViT-L/14")}


def _text(shapes: Shapes, source_config: Mapping[str, Any], vocab_size: int) -> dict[str, Any]:
    return {
        **LLAMA["7b-2"],
        "hidden_size": shapes["tok_embeddings.weight"][1],
        "intermediate_size": shapes["layers.0.feed_forward.w1.weight"][0],
        "num_hidden_layers": count_layers(shapes, "layers."),
        "num_attention_heads": source_config["heads"],
        "num_key_value_heads": source_config["heads"],
        "vocab_size": vocab_size,
        "rms_norm_eps": source_config["norm_eps"],
        "rope_parameters": {"rope_theta": float(source_config["rope_theta"]), "rope_type": "default"},
    }


def _vision(shapes: Shapes, source_config: Mapping[str, Any]) -> dict[str, Any]:
    width, _, _, patch = shapes["clip.visual.conv1.weight"]
    rows = shapes["clip.visual.positional_embedding"][0] - 1
    return {
        "model_type": "clip_vision_model",
        "hidden_size": width,
        "intermediate_size": shapes["clip.visual.transformer.resblocks.0.mlp.c_fc.weight"][0],
        "num_hidden_layers": count_layers(shapes, "clip.visual.transformer.resblocks."),
        "num_attention_heads": source_config["heads"],
        "hidden_act": source_config["activation"],
        "layer_norm_eps": source_config["norm_eps"],
        "patch_size": patch,
        "image_size": round(rows**0.5) * patch,
    }


def _projection(shapes: Shapes, source_config: Mapping[str, Any], width: int) -> ProjectionConfig:
    return ProjectionConfig(
        expert="llama",
        maps="own",
        tags=True,
        # A sigmoid divided by its sum, for every token by itself (model/LLM/onellm.py:386-388).
        router="sigmoid",
        route="token",
        keep_tokens=False,
        queries=shapes["resample_tokens.image"][1],
        experts=count_layers(shapes, "resample_layers."),
        depth=count_layers(shapes, "resample_layers.0."),
        router_ratio=shapes["routers.image.fc1.weight"][0] / width,
        heads=source_config["heads"],
        multiple_of=source_config["ffn_multiple_of"],
        eps=source_config["norm_eps"],
    )


def _signals(shapes: Shapes, vision: Mapping[str, Any], modalities: list[str]) -> dict[str, Any]:
    """Options of the modalities, as the published code prepares their files."""
    square = {
        "tokenizer": "patch",
        "size_px": vision["image_size"],
        "patch_px": vision["patch_size"],
        "mean": list(CLIP_MEAN),
        "std": list(CLIP_STD),
    }
    # Depth and normals come as pairs of image and map, averaged after the encoder (model/LLM/onellm.py:380-381).
    paired = {**square, "fit": "crop_rounded", "paired": True, "pool_frames": True}
    made = {
        "image": lambda: {**square, "fit": "crop_rounded"},
        # Videos are the first frames of 5 clips, three squares of each, all averaged (data/video_utils.py).
        "video": lambda: {**square, "frames": VIDEO_CLIPS, "moments": "clips", "fit": "thirds", "pool_frames": True},
        "audio": lambda: {
            "tokenizer": "patch",
            "window_s": AUDIO_FRAMES / FRAMES_A_SECOND,
            "mel_bins": AUDIO_MEL_BINS,
            "kernel": tuple(shapes["conv1.audio.weight"][2:]),
            "steps": (10, 10),
            "mean": AST_MEAN,
            "std": AST_STD,
            "recipe": "ast",
        },
        # Points are sampled and grouped on columns 3 to 5, the colours (model/lib/point_utils.py).
        "point_cloud": lambda: {
            "tokenizer": "published",
            "count": CLOUD_POINTS,
            "groups": shapes["positional_embedding.point"][0] - 1,
            "neighbours": 32,
            "place_columns": (3, 6),
            "scale": "sphere",
        },
        "depth": lambda: {**paired, "channels": "grey", "far_m": DEPTH_FAR_M},
        "normal": lambda: paired,
        "fmri": lambda: _fmri(*shapes["conv1.fmri.weight"], vision["hidden_size"]),
        "imu": lambda: _imu(shapes["conv1.imu.weight"][-1], shapes["positional_embedding.imu"][0] - 1),
    }
    return {name: {"early_dim": 0, **made[name]()} for name in modalities}


def _fmri(rows: int, voxels: int, width: int) -> dict[str, Any]:
    # One linear map of all voxels, reshaped: its tokens have no positions, so no regions (model/LLM/onellm.py).
    return {"tokenizer": "linear", "tokens": rows // width, "voxels": voxels}


def _imu(kernel: int, tokens: int) -> dict[str, Any]:
    return {
        "tokenizer": "conv",
        "rate_hz": IMU_RATE_HZ,
        "window_s": (tokens + kernel - 1) / IMU_RATE_HZ,
        "kernel": kernel,
        "stride": 1,
        "resampling": "sinc",
        "normalise": "none",
        "too_long": "cut",
    }
