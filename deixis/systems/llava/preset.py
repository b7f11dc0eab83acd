"""The configuration that Ferret and LISA share: LLaVA's language model on CLIP, read before its last layer."""

from collections.abc import Mapping
from typing import Any

from deixis.checkpoints.sizes import CLIP_MEAN, CLIP_STD
from deixis.model import DeixisConfig
from deixis.model.part_configs import EncoderConfig


def llava_config(text: Mapping[str, Any], vision: Mapping[str, Any], layer: int, fit: str, **own: Any) -> DeixisConfig:
    """The configuration of a network on LLaVA's encoder, read at `layer`; `fit` brings images to its square."""
    sides = {"size_px": vision["image_size"], "patch_px": vision["patch_size"]}
    look = {"fit": fit, "mean": list(CLIP_MEAN), "std": list(CLIP_STD)}
    return DeixisConfig(
        vision_config=dict(vision),
        text_config=dict(text),
        signals={"image": {"tokenizer": "patch", **sides, "early_dim": 0, **look}},
        encoder=EncoderConfig(type="trunk", layer=layer, norm=False, positions="learned"),
        signal_token_ids={"image": text["vocab_size"]},
        **own,
    )
