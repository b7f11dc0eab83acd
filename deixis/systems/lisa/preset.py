"""LISA's configurations: what train_ds.py sets, and the published sizes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from deixis.checkpoints.sizes import CLIP_LARGE, CLIP_LARGE_336, LLAMA, SAM_HUGE
from deixis.model import DeixisConfig
from deixis.model.part_configs import PointingConfig, ProjectionConfig, SamplerConfig
from deixis.systems.lisa.notation import NOTATION
from deixis.systems.llava.preset import llava_config
from deixis.systems.release import Preset

TOWERS = {False: "openai/clip-vit-large-patch14", True: "openai/clip-vit-large-patch14-336"}
"""CLIP of LLaVA 1.0, and of LLaVA 1.5, whose projection has two layers."""
PUBLISHED: dict[str, Any] = {"mm_vision_select_layer": -2, "mm_use_im_start_end": True}
"""What train_ds.py sets where a configuration does not say."""
_BASES = {  # the sizes of the language model, and layers of the projection if it is an MLP, else 0
    "lisa-7b": ("7b", 0, "LLaVA 7B 1.1"),
    "lisa-13b": ("13b-2", 0, "LLaVA LLaMA 2 13B"),
    "lisa-7b-v0": ("7b", 0, "LLaVA 7B 1.1"),
    "lisa-13b-v0": ("13b-2", 0, "LLaVA LLaMA 2 13B"),
    "lisa-7b-llava1.5": ("7b-2", 2, "LLaVA 1.5 7B"),
    "lisa-13b-llava1.5": ("13b-2", 2, "LLaVA 1.5 13B"),
}
SIZES = {
    name: {**LLAMA[size], **PUBLISHED, **({"vision_tower": TOWERS[True]} if depth else {})}
    for name, (size, depth, _) in _BASES.items()
}


def config_of(
    text: Mapping[str, Any],
    vision: Mapping[str, Any],
    sam: Mapping[str, Any],
    source_config: Mapping[str, Any],
    seg_id: int,
    depth: int = 0,
) -> DeixisConfig:
    """The configuration of a LISA with these models; `depth`: layers of the projection if it is an MLP, else 0."""
    return llava_config(
        text,
        vision,
        source_config["mm_vision_select_layer"],
        "crop",  # the middle square, by transformers' CLIPImageProcessor; SAM has its own copy, 1024 px and padded
        mask_config=dict(sam),
        projection=ProjectionConfig(type="mlp", depth=depth) if depth else ProjectionConfig(type="linear", norm=False),
        sampler=SamplerConfig(type=None),
        # A mask is prompted by the state before `[SEG]`, where it was predicted (model/LISA.py:188-202).
        pointing=PointingConfig(backbone="sam", state="before"),
        notation=NOTATION,
        system="lisa",
        seg_token_id=seg_id,
    )


def _published(size: str, depth: int) -> DeixisConfig:
    text = {**LLAMA[size], "vocab_size": 32003}  # [SEG], <im_start>, <im_end>
    return config_of(text, CLIP_LARGE_336 if depth else CLIP_LARGE, SAM_HUGE, PUBLISHED, 32000, depth)


PRESETS = {
    name: Preset(partial(_published, size, depth), f"{base}, CLIP ViT-L/14{' 336' if depth else ''}, SAM ViT-H")
    for name, (size, depth, base) in _BASES.items()
}
