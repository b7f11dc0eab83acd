"""What Ferret and LISA have from LLaVA, on whose code both stand: Llama, CLIP before its last layer, a projection.

CLIP's vision model lies inside the weights, in a folder beside them, or where --clip or the configuration names it.
Knows neither regions nor masks.
"""

from collections.abc import Mapping
from typing import Any

from deixis.checkpoints.conversion_options import ConversionOptions, clip_config, open_tower
from deixis.checkpoints.part_rules import clip_rules, llama_rules
from deixis.checkpoints.rules import Part, Rule, leave, take
from deixis.checkpoints.source import Tensors
from deixis.errors import CheckpointError

TOWER = "model.vision_tower.vision_tower."
EMBEDDINGS = "model.embed_tokens.weight"


def vocabulary_size(source: Tensors) -> int:
    """Rows of the language model's embeddings. Raises CheckpointError where they are missing."""
    meta = source.meta()
    if EMBEDDINGS not in meta:
        raise CheckpointError(
            f"source '{source.label}': expected a tensor {EMBEDDINGS}, got none; a shard may be missing"
        )
    return meta[EMBEDDINGS].shape[0]


def vision_of(
    source: Tensors,
    options: ConversionOptions,
    source_config: Mapping[str, Any],
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
    tower, vision = open_tower(source, options, folders, source_config, published)
    return vision, [tower]


def llava_rules() -> list[Rule]:
    """What becomes of LLaVA's own tensors."""
    return [
        *llama_rules(),
        take(r"model\.mm_projector\.(weight|bias)", r"projection.out.\1"),
        *clip_rules(TOWER.replace(".", r"\.")),
        leave(r"model\.vision_tower\..*", "CLIP's weights are read from their own folder"),
    ]
