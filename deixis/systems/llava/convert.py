"""What Ferret and LISA have from LLaVA, on whose code both stand: Llama, CLIP before its last layer, a projection.

CLIP's vision model lies inside the weights, in a folder beside them, or where --clip or the configuration names it.
Knows neither regions nor masks.
"""

from collections.abc import Mapping
from typing import Any

from deixis.checkpoints.conversion_options import Asked, clip_config, open_tower
from deixis.checkpoints.part_rules import clip_rules, llama_rules
from deixis.checkpoints.rules import Part, Rule, leave, take
from deixis.checkpoints.sizes import CLIP_MEAN, CLIP_STD
from deixis.checkpoints.source import Tensors
from deixis.errors import CheckpointError
from deixis.model import DeixisConfig
from deixis.model.part_configs import EncoderConfig

TOWER = "model.vision_tower.vision_tower."
EMBEDDINGS = "model.embed_tokens.weight"


def vocabulary_size(source: Tensors) -> int:
    """Rows of the language model's embeddings. Raises ValueError where they are missing."""
    meta = source.meta()
    if EMBEDDINGS not in meta:
        raise CheckpointError(
            f"source '{source.label}': expected a tensor {EMBEDDINGS}, got none; a shard may be missing"
        )
    return meta[EMBEDDINGS].shape[0]


def vision_of(
    source: Tensors,
    asked: Asked,
    said: Mapping[str, Any],
    sizes: Mapping[str, Any],
    folders: tuple[str, ...],
    published: str,
) -> tuple[Mapping[str, Any], list[Part]]:
    """(configuration of CLIP's vision model, its weights where they are not inside the source).

    sizes: of CLIP where shapes do not tell. folders: where it may lie in the source. published: the papers' tower.
    """
    inside = {name: tensor for name, tensor in source.meta().items() if name.startswith(TOWER)}
    if inside:
        return clip_config(inside, sizes, TOWER), []
    tower, vision = open_tower(source, asked, folders, said, published)
    return vision, [tower]


def llava_rules() -> list[Rule]:
    """What becomes of LLaVA's own tensors."""
    return [
        *llama_rules(),
        take(r"model\.mm_projector\.(weight|bias)", r"projection.out.\1"),
        *clip_rules(TOWER.replace(".", r"\.")),
        leave(r"model\.vision_tower\..*", "CLIP's weights are read from their own folder"),
    ]


def llava_config(text: Mapping[str, Any], vision: Mapping[str, Any], layer: int, fit: str, **own: Any) -> DeixisConfig:
    """The configuration of a network on LLaVA's encoder, read at `layer`; `fit` brings pictures to its square."""
    sides = {"size_px": vision["image_size"], "patch_px": vision["patch_size"]}
    look = {"fit": fit, "mean": list(CLIP_MEAN), "std": list(CLIP_STD)}
    return DeixisConfig(
        vision_config=dict(vision),
        text_config=dict(text),
        image={"tokenizer": "patch", **sides, "early_dim": 0, **look},
        frozen=["encoder"],
        encoder=EncoderConfig(type="trunk", layer=layer, norm=False, positions="learned"),
        signal_token_ids={"image": text["vocab_size"]},
        **own,
    )
