"""OneLLM (Han et al., CVPR 2024): `consolidated.NN-of-MM.pth`, as csuhan/OneLLM@8587a47 saves it.

Peculiarities of the published code (model/LLM/onellm.py unless stated otherwise), all reproduced, each a named option
of ours:

* the encoder is open_clip's ViT-L-14 with OpenAI's weights (line 216), so QuickGELU; its text model is not used;
* one class embedding and CLIP's final norm for every signal; audio, point, fmri and imu have positions of their own
  (:331-354); the projection reads the class token too (`encoder.class_token`);
* the router is a sigmoid divided by its sum, per token (:386-388): `router` "sigmoid", `route` "token";
* experts are Llama blocks without rotary embedding, so their queries and keys keep Meta's order; those of the language
  model are put in transformers' order;
* points are sampled and grouped on columns 3 to 5 (model/lib/point_utils.py): `place_columns`;
* depth and normals are pairs of image and map, averaged after the encoder (:380-381): `paired`, `pool_frames`; videos
  are 5 moments times 3 squares, averaged (data/video_utils.py);
* fmri is one linear map, reshaped: tokens without positions.

The file does not hold heads and norms: they come from `config.json` beside it, else from --preset.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deixis.checkpoints.conversion_options import (
    ConversionOptions,
    Found,
    check_system,
    published_config,
    source_tokenizer,
)
from deixis.checkpoints.part_rules import count_layers, meta_expert_rules, meta_llama_rules, open_clip_rules
from deixis.checkpoints.rules import DROP_FIRST, FLATTEN, Part, Rule, take
from deixis.checkpoints.sizes import CLIP_MEAN, CLIP_STD, LLAMA, ONELLM
from deixis.checkpoints.source import Tensors
from deixis.errors import CheckpointError
from deixis.model import DeixisConfig
from deixis.model.part_configs import EncoderConfig, PointingConfig, ProjectionConfig, SamplerConfig
from deixis.systems.chat_style import chat_template
from deixis.systems.onellm.notation import NOTATION
from deixis.systems.onellm.template import STYLE

KINDS = {  # their names of the signals, and ours, in their order
    "image": "image",
    "video": "video",
    "audio": "audio",
    "point": "point_cloud",
    "rgbd": "depth",
    "rgbn": "normal",
    "fmri": "fmri",
    "imu": "imu",
}
AUDIO_MEAN, AUDIO_STD = -4.2677393, 4.5689974
"""Of the filterbank (data/data_utils.py, make_audio_features): (x - mean) / (2 * deviation)."""
AUDIO_FRAMES, AUDIO_MEL_BINS, FRAMES_A_SECOND = 1024, 128, 100
IMU_RATE_HZ = 200
VIDEO_CLIPS, VIDEO_SQUARES = 5, 3
CLOUD_POINTS = 8192  # Objaverse's clouds as PointLLM packs them (docs/Data.md)
DEPTH_FAR_M = 10.0


def read(source: Tensors, options: ConversionOptions) -> Found:
    """Everything that a conversion needs. Raises CheckpointError for another system's weights or unknown sizes."""
    check_system(source, "onellm")
    source_config = published_config(source, options, ONELLM)
    meta = source.meta()
    vocab_size = meta["llma.tok_embeddings.weight"].shape[0] if "llma.tok_embeddings.weight" in meta else 0
    kinds = [ours for theirs, ours in KINDS.items() if f"llma.start_tag.{theirs}" in meta]
    tokenizer = source_tokenizer(source, options, (), vocab_size, kinds)
    if tokenizer is not None:
        tokenizer.chat_template = chat_template(STYLE)
    try:
        config = config_of(meta, source_config, kinds, vocab_size)
    except KeyError as error:
        raise CheckpointError(
            f"source '{source.label}': expected {error.args[0]} in its tensors or its config.json, got none; a shard "
            "may be missing, or name the sizes by --preset"
        ) from None
    notes = [] if tokenizer else ["It was converted without a tokenizer and takes token ids only."]
    rules = rules_for(config.text_config.num_attention_heads)
    return Found(config, [Part(source, rules)], tokenizer, {}, STYLE.stop, notes)


def rules_for(heads: int) -> list[Rule]:
    """What becomes of the checkpoint's tensors, for a language model of so many heads."""
    rules = [*meta_llama_rules(heads, r"llma\."), *open_clip_rules(r"llma\.clip\.")]
    expert, block = r"llma\.resample_layers\.(\d+)\.(\d+)\.", r"projection.experts.\1.layers.\2."
    rules += meta_expert_rules(expert, block)
    for theirs, ours in KINDS.items():
        conv = r"conv1\.point\.conv1" if theirs == "point" else rf"conv1\.{theirs}"
        rules += [
            take(rf"llma\.{conv}\.(weight|bias)", rf"field_encoder.tokenizers.{ours}.conv.\1"),
            take(rf"llma\.positional_embedding\.{theirs}", f"field_encoder.encoder.positions.{ours}"),
            take(rf"llma\.resample_tokens\.{theirs}", f"projection.query.{ours}", DROP_FIRST),
            take(rf"llma\.clip_proj1\.{theirs}\.([01])\.(weight|bias)", rf"projection.into.{ours}.\1.\2"),
            take(rf"llma\.clip_proj2\.{theirs}\.([01])\.(weight|bias)", rf"projection.onto.{ours}.\1.\2"),
            take(rf"llma\.routers\.{theirs}\.fc1\.(weight|bias)", rf"projection.router.{ours}.0.\1"),
            take(rf"llma\.routers\.{theirs}\.fc2\.(weight|bias)", rf"projection.router.{ours}.2.\1"),
            take(rf"llma\.start_tag\.{theirs}", f"projection.tags.{ours}#0", FLATTEN),
            take(rf"llma\.end_tag\.{theirs}", f"projection.tags.{ours}#1", FLATTEN),
        ]
    return rules


def config_of(
    meta: Mapping[str, Tensor], source_config: Mapping[str, Any], kinds: list[str], vocab_size: int
) -> DeixisConfig:
    """The configuration: sizes from the tensors, heads, norms and activation from `source_config`."""
    shapes = {name.removeprefix("llma."): tuple(tensor.shape) for name, tensor in meta.items()}
    vision = _vision(shapes, source_config["encoder"])
    width, sides = vision["hidden_size"], (vision["image_size"], vision["patch_size"])
    attention = source_config["encoder"].get("attention", "tokens")
    signals: dict[str, Any] = {kind: _SIGNALS[kind](shapes, width, *sides) for kind in kinds}
    return DeixisConfig(
        vision_config=vision,
        text_config=_text(shapes, source_config["llm"], vocab_size),
        frozen=["encoder"],
        encoder=EncoderConfig(type="trunk", class_token=True, positions="learned", attention=attention),
        projection=_mixture(shapes, source_config["projection"], width),
        sampler=SamplerConfig(type=None),
        pointing=PointingConfig(backbone=None),
        notation=NOTATION,
        system="onellm",
        signal_token_ids={kind: vocab_size + number for number, kind in enumerate(kinds)},
        signals=signals,
    )


def _text(shapes: Mapping[str, tuple[int, ...]], source_config: Mapping[str, Any], vocab_size: int) -> dict[str, Any]:
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


def _vision(shapes: Mapping[str, tuple[int, ...]], source_config: Mapping[str, Any]) -> dict[str, Any]:
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


def _mixture(shapes: Mapping[str, tuple[int, ...]], source_config: Mapping[str, Any], width: int) -> ProjectionConfig:
    return ProjectionConfig(
        expert="llama",
        maps="own",
        tags=True,
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


def published_sizes() -> DeixisConfig:
    """The configuration of OneLLM-7B, from the shapes that the published code gives its tensors."""
    source_config, width, hidden, inner = ONELLM["onellm-7b"], 1024, 4096, 11008
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
    return config_of(meta, source_config, list(KINDS.values()), 32000)


def _square(size_px: int, patch_px: int) -> dict[str, Any]:
    mean_std = {"mean": list(CLIP_MEAN), "std": list(CLIP_STD)}
    return {"tokenizer": "patch", "size_px": size_px, "patch_px": patch_px, "early_dim": 0, **mean_std}


def _audio(shapes: Mapping[str, tuple[int, ...]], *_: int) -> dict[str, Any]:
    return {
        "tokenizer": "patch",
        "window_s": AUDIO_FRAMES / FRAMES_A_SECOND,
        "mel_bins": AUDIO_MEL_BINS,
        "kernel": tuple(shapes["conv1.audio.weight"][2:]),
        "steps": (10, 10),
        "early_dim": 0,
        "mean": AUDIO_MEAN,
        "std": AUDIO_STD,
        "recipe": "ast",
    }


def _cloud(shapes: Mapping[str, tuple[int, ...]], *_: int) -> dict[str, Any]:
    groups = shapes["positional_embedding.point"][0] - 1
    columns = {"place_columns": (3, 6), "scale": "sphere"}
    return {
        "tokenizer": "published",
        "count": CLOUD_POINTS,
        "groups": groups,
        "neighbours": 32,
        "early_dim": 0,
        **columns,
    }


def _imu(shapes: Mapping[str, tuple[int, ...]], *_: int) -> dict[str, Any]:
    kernel = shapes["conv1.imu.weight"][-1]
    samples = shapes["positional_embedding.imu"][0] - 1 + kernel - 1
    prepared = {"resampling": "sinc", "normalise": "none", "too_long": "cut"}
    return {
        "tokenizer": "conv",
        "rate_hz": IMU_RATE_HZ,
        "window_s": samples / IMU_RATE_HZ,
        "kernel": kernel,
        "stride": 1,
        "early_dim": 0,
        **prepared,
    }


def _fmri(shapes: Mapping[str, tuple[int, ...]], width: int, *_: int) -> dict[str, Any]:
    rows, voxels = shapes["conv1.fmri.weight"]
    return {"tokenizer": "linear", "tokens": rows // width, "voxels": voxels, "early_dim": 0}


def _video(_: Any, __: int, size_px: int, patch_px: int) -> dict[str, Any]:
    film = {"frames": VIDEO_CLIPS, "moments": "clips", "fit": "thirds", "pool_frames": True}
    return {**_square(size_px, patch_px), **film}


_SIGNALS = {
    "image": lambda _, __, size_px, patch_px: {**_square(size_px, patch_px), "fit": "crop_rounded"},
    "video": _video,
    "audio": _audio,
    "point_cloud": _cloud,
    "depth": lambda _, __, size_px, patch_px: {
        **_square(size_px, patch_px),
        "fit": "crop_rounded",
        "paired": True,
        "pool_frames": True,
        "channels": "grey",
        "far_m": DEPTH_FAR_M,
    },
    "normal": lambda _, __, size_px, patch_px: {
        **_square(size_px, patch_px),
        "fit": "crop_rounded",
        "paired": True,
        "pool_frames": True,
    },
    "fmri": _fmri,
    "imu": _imu,
}
"""Options of each kind from (shapes, encoder width, image side, patch side)."""
