"""Ferret's configurations: what the recipes set, and the published sizes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from deixis.checkpoints.sizes import CLIP_LARGE_336, LLAMA
from deixis.model import DeixisConfig
from deixis.model.part_configs import PointingConfig, ProjectionConfig, SamplerConfig
from deixis.systems.ferret.notation import NOTATION
from deixis.systems.llava.preset import llava_config
from deixis.systems.release import Preset

POINTS, ANCHORS, NEIGHBOURS = 512, (128, 32), (24, 24)
"""Of the sampler (ferret_arch.py, GeoRegionSampler.__init__)."""
PUBLISHED: dict[str, Any] = {
    "mm_vision_tower": "openai/clip-vit-large-patch14-336",
    "mm_vision_select_layer": -2,
    "sampler_pooler_mode": "max",
    "mm_use_im_start_end": False,
}
"""What the recipes set (experiments/ferret_7b_train.sh) where a configuration does not say."""
SIZES = {f"ferret-{size}": {**LLAMA[size], **PUBLISHED} for size in ("7b", "13b")}


def config_of(
    text: Mapping[str, Any], vision: Mapping[str, Any], source_config: Mapping[str, Any], region_id: int
) -> DeixisConfig:
    """The configuration of a Ferret with these language and vision models."""
    return llava_config(
        text,
        vision,
        source_config["mm_vision_select_layer"],
        "squash",  # to the square (ferret/model/multimodal_encoder/clip_encoder.py, CLIPImageProcessor_GIT)
        projection=ProjectionConfig(type="linear", norm=False),
        # The sampler reads CLIP's features raw, before the projection and without class token (GeoRegionSampler).
        sampler=SamplerConfig(
            points=POINTS,
            in_dim=vision["hidden_size"],
            anchors=ANCHORS,
            neighbours=NEIGHBOURS,
            pooling=source_config["sampler_pooler_mode"],
            features="tokens",
            axes=2,
        ),
        pointing=PointingConfig(backbone=None),
        notation=NOTATION,
        system="ferret",
        region_token_id=region_id,
    )


def _published(size: str) -> DeixisConfig:
    text = {**LLAMA[size], "vocab_size": 32001}  # <region_fea>
    return config_of(text, CLIP_LARGE_336, PUBLISHED, 32000)


PRESETS = {
    f"ferret-{size}": Preset(partial(_published, size), f"Vicuna 1.3 {size.upper()}, CLIP ViT-L/14 336")
    for size in ("7b", "13b")
}
