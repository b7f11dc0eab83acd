"""What Ferret and LISA have from LLaVA, on whose code both stand: Llama, CLIP before its last layer, a projection.

CLIP's vision model lies inside the weights, in a folder beside them, or where --clip or the configuration names it.
Knows neither regions nor masks.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from deixis.checkpoints.find import find_place, read_json
from deixis.checkpoints.hub import is_hub_id
from deixis.checkpoints.part_rules import clip_rules, count_layers, llama_rules
from deixis.checkpoints.rules import Part, Rule, leave, take
from deixis.checkpoints.sizes import CLIP_LARGE
from deixis.checkpoints.source import Tensors, open_source
from deixis.errors import CheckpointError
from deixis.systems.release import ConversionOptions

TOWER = "model.vision_tower.vision_tower."
EMBEDDINGS = "model.embed_tokens.weight"
TOWER_NAME = re.compile(r"clip-vit-\w+-patch(?P<patch>\d+)(?:-(?P<side>\d+)(?:px)?)?/?$")
"""Patch and side in the names of OpenAI's CLIPs; 224 px where there is no side."""


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


def text_config(source: Tensors, found: Mapping[str, Any], vocab_size: int) -> dict[str, Any]:
    """Fields of LlamaConfig from a published `config.json`, with the sizes that the tensors say."""
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    more = ("rms_norm_eps", "max_position_embeddings", "hidden_act", "bos_token_id", "eos_token_id", "pad_token_id")
    if absent := [name for name in names[:4] if found.get(name) is None]:
        raise CheckpointError(
            f"source '{source.label}': expected {absent[0]} in its config.json, got none; name the sizes by --preset"
        )
    scaling = found.get("rope_scaling") or {}
    rope = {"rope_theta": float(found.get("rope_theta", 10000.0)), "rope_type": scaling.get("type", "default")}
    own = {name: found[name] for name in (*names, *more) if found.get(name) is not None}
    rope |= {name: value for name, value in scaling.items() if name != "type"}
    return {
        "pad_token_id": 0,
        **own,
        "model_type": "llama",
        "vocab_size": vocab_size,
        "tie_word_embeddings": False,
        "rope_parameters": rope,
    }


def open_tower(
    source: Tensors,
    options: ConversionOptions,
    folders: Sequence[str],
    source_config: Mapping[str, Any],
    published: str,
) -> tuple[Part, dict]:
    """(the part with CLIP's vision model, its configuration): --clip, a folder of the source, or what it names.

    source_config: the source's configuration, whose `mm_vision_tower` names the tower; `published` where it does not.
    Raises CheckpointError where none is found, and for one that the checkpoint was not trained with, as far as names
    and shapes show.
    """
    named = str(source_config.get("mm_vision_tower") or published)
    inside = next((source.folder / f for f in (*folders, named) if (source.folder / f).is_dir()), None)
    name = str(options.clip or inside or named)
    is_named = options.clip is None and inside is None
    if is_named and not Path(name).exists() and not is_hub_id(name):
        raise CheckpointError(
            f"source '{source.label}': expected CLIP's vision model in it, or where its config.json says, '{name}', "
            f"got none; name it by --clip ({published}, unless it was trained with another)"
        )
    what = f"source '{source.label}': CLIP's vision model (--clip names another)" if is_named else "--clip"
    tower = open_source(find_place(name, what), "--clip")
    config = clip_config(tower.meta(), read_json(tower.folder / "config.json", "--clip"))
    if inside and options.clip:
        own = clip_config(open_source(inside, "source").meta(), {})
        sides, whose = (own["image_size"], own["patch_size"]), str(inside)
    elif inside:
        sides, whose = (config["image_size"], config["patch_size"]), name
    else:
        sides, whose = named_sides(named, published)
    check_tower(source, config, source_config["mm_vision_select_layer"], name, sides, whose)
    return Part(tower, clip_rules(), "CLIP"), config


def named_sides(*names: str) -> tuple[tuple[int, int], str]:
    """((side of an image, side of a patch), name) of the first name that tells: `clip-vit-large-patch14-336`."""
    match = next(match for name in names if (match := TOWER_NAME.search(name)))
    return (int(match["side"] or CLIP_LARGE["image_size"]), int(match["patch"])), match.string


def check_tower(
    source: Tensors, tower: Mapping[str, Any], layer: int, name: str, sides: tuple[int, int], whose: str
) -> None:
    """Raises CheckpointError unless a checkpoint can have been trained with this CLIP (fields of its configuration).

    The width is that of the projection; the layer that is read has to be there; images and patches have to be of the
    sides that `whose` has.
    """
    meta = source.meta()
    maps = (meta.get(f"model.mm_projector.{part}") for part in ("weight", "0.weight"))
    width = next((tensor.shape[1] for tensor in maps if tensor is not None), tower["hidden_size"])
    if tower["hidden_size"] != width:
        wanted = f"features of {width} channels, as mm_projector reads"
        raise _wrong_tower(source, name, wanted, str(tower["hidden_size"]))
    layers = tower["num_hidden_layers"]
    if not -layers - 1 <= layer <= layers:
        raise _wrong_tower(source, name, f"a layer {layer}, as mm_vision_select_layer says", f"{layers} layers")
    got = tower["image_size"], tower["patch_size"]
    if got != sides:
        words = [f"images of {side} px in patches of {patch} px" for side, patch in (sides, got)]
        raise _wrong_tower(source, name, f"{words[0]}, as {whose} has", words[1])


def _wrong_tower(source: Tensors, name: str, wanted: str, got: str) -> CheckpointError:
    return CheckpointError(
        f"CLIP's vision model '{name}': expected one with {wanted}, got {got}; '{source.label}' was trained with "
        "another one, name it by --clip"
    )


def clip_config(meta: Mapping[str, Tensor], found: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Fields of CLIPVisionConfig: sizes from the tensors, what these do not say from a `config.json`, else CLIP-L's."""
    own = found.get("vision_config", found)
    names = {name.removeprefix(prefix).removeprefix("vision_model."): t for name, t in meta.items()}
    try:
        patches = names["embeddings.patch_embedding.weight"].shape
        rows = names["embeddings.position_embedding.weight"].shape[0] - 1
        inner = names["encoder.layers.0.mlp.fc1.weight"].shape[0]
    except KeyError as error:
        raise CheckpointError(
            f"--clip: expected CLIP's vision model, with a tensor {error.args[0]}, got none"
        ) from None
    return {
        **{name: own.get(name, CLIP_LARGE[name]) for name in ("hidden_act", "layer_norm_eps", "projection_dim")},
        "model_type": "clip_vision_model",
        "hidden_size": patches[0],
        "intermediate_size": inner,
        "num_hidden_layers": count_layers(names, "encoder.layers."),
        "num_attention_heads": own.get("num_attention_heads") or patches[0] // 64,  # CLIP's heads are 64 wide
        "patch_size": patches[-1],
        "image_size": round(rows**0.5) * patches[-1],
    }


def image_tags(source_config: Mapping[str, Any]) -> tuple[str, ...]:
    """The tokens around an image that a LLaVA of this configuration was trained with, which have to be whole."""
    return ("<im_start>", "<im_end>") if source_config["mm_use_im_start_end"] else ()


def llava_rules() -> list[Rule]:
    """What becomes of LLaVA's own tensors."""
    return [
        *llama_rules(),
        take(r"model\.mm_projector\.(weight|bias)", r"projection.out.\1"),
        *clip_rules(TOWER.replace(".", r"\.")),
        leave(r"model\.vision_tower\..*", "CLIP's weights are read from their own folder"),
    ]
