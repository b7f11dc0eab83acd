"""Shared by the converters of the four systems: their arguments, their results, and common steps.

`ConversionOptions` holds the arguments of the user, `Found` everything that a converter reads of a source before
anything is written.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import CLIPVisionConfig, PreTrainedTokenizerFast

from deixis.checkpoints.find import find_place, read_json
from deixis.checkpoints.hub import is_hub_id
from deixis.checkpoints.part_rules import clip_rules, count_layers
from deixis.checkpoints.rules import Part
from deixis.checkpoints.sizes import CLIP_LARGE
from deixis.checkpoints.source import Tensors, open_source
from deixis.checkpoints.tokenizer import find_tokenizer, read_tokenizer
from deixis.errors import CheckpointError, InputError
from deixis.model import DeixisConfig
from deixis.model.tokenizers.pointmlp import PointMLPConfig

MARKS = {
    "onellm": ("llma.",),
    "ferret": ("model.region_geo_sampler.",),
    "lisa": ("model.visual_model.", "visual_model.", "model.text_hidden_fcs.", "text_hidden_fcs."),
    "pointmlp": ("local_grouper_list.", "module.local_grouper_list.", "full.local_", "elite.local_"),
}
"""Prefixes of tensor names that identify a system."""
TOWER_SIZES = re.compile(r"clip-vit-\w+-patch(?P<patch>\d+)(?:-(?P<side>\d+)(?:px)?)?/?$")
"""Patch and side in the names of OpenAI's CLIPs; 224 px where there is no side."""
NAMES = {"onellm": "OneLLM", "ferret": "Ferret", "lisa": "LISA", "pointmlp": "PointMLP"}


USES = {
    "onellm": ("preset", "tokenizer"),
    "ferret": ("base", "clip", "preset", "tokenizer"),
    "lisa": ("clip", "preset", "sam", "tokenizer"),
    "pointmlp": ("classes", "preset"),
}
"""The arguments that a conversion of each system uses."""


@dataclass(frozen=True)
class ConversionOptions:
    """Arguments of a conversion besides source and result; None where not given."""

    clip: str | None = None
    sam: str | None = None
    base: str | None = None
    preset: str | None = None
    tokenizer: str | None = None
    classes: str | None = None


@dataclass(frozen=True)
class Found:
    """config: of the network. parts: sources with rules. tokenizer, template: None where there is none.

    processor: arguments of `DeixisProcessor` that the configuration does not say. stop: where answers end, if that is
    no token. notes: sentences for the card. classes: names of what a classifier tells apart, where they are known;
    unit_sphere: whether its clouds are brought into the unit sphere first.
    """

    config: DeixisConfig | PointMLPConfig
    parts: Sequence[Part]
    tokenizer: PreTrainedTokenizerFast | None = None
    processor: Mapping[str, Any] = field(default_factory=dict)
    stop: str | None = None
    notes: Sequence[str] = ()
    classes: Sequence[str] = ()
    unit_sphere: bool = True


def check_options(system: str, options: ConversionOptions) -> None:
    """Raises InputError for an argument that a conversion of this system does not use."""
    given = [name for name, value in vars(options).items() if value is not None]
    if odd := next((name for name in given if name not in USES[system]), None):
        raise InputError(
            f"--{odd}: a conversion of {NAMES[system]} does not use it; it takes "
            f"{', '.join(f'--{name}' for name in USES[system])}"
        )


def systems_of_names(names: Iterable[str]) -> list[str]:
    """The systems that tensors of these names may be of; none where no name is a mark of one."""
    names = list(names)
    return [system for system, marks in MARKS.items() if any(name.startswith(marks) for name in names)]


def check_system(source: Tensors, system: str) -> None:
    """Raises CheckpointError where the names of the tensors are those of another system, or of LoRA not yet merged."""
    names = source.meta()
    if lora := next((name for name in names if "lora_" in name), None):
        raise CheckpointError(
            f"source '{source.label}': expected merged weights, got LoRA's beside them ({lora}); merge them first, as "
            "the published merge_lora_weights_and_save_hf_model.py does"
        )
    found = systems_of_names(names)
    if system in found:
        return
    if found:
        got = f"a {NAMES[found[0]]} checkpoint; convert it as {found[0]}"
    else:
        got = f"one without (its first tensor is {next(iter(names))})"
    raise CheckpointError(
        f"source '{source.label}': expected a {NAMES[system]} checkpoint, with tensors {MARKS[system][0]}*, got {got}"
    )


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


def published_config(
    source: Tensors, options: ConversionOptions, sizes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The source's `config.json`, or the sizes that --preset names where it has none.

    Raises InputError for an unknown preset, CheckpointError where there is neither.
    """
    if options.preset is not None and options.preset not in sizes:
        raise InputError(f"--preset: expected one of {', '.join(sizes)} for this system; got '{options.preset}'")
    found = read_json(source.folder / "config.json", "source")
    if options.preset is not None:
        return {**found, **sizes[options.preset]}
    if not found:
        raise CheckpointError(
            f"source '{source.label}': expected its sizes in config.json beside the weights, got none; name them by "
            f"--preset ({', '.join(sizes)})"
        )
    return found


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
    match = next(match for name in names if (match := TOWER_SIZES.search(name)))
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
    heads = own.get("num_attention_heads")
    names = {name.removeprefix(prefix).removeprefix("vision_model."): t for name, t in meta.items()}
    try:
        patches = names["embeddings.patch_embedding.weight"].shape
        rows = names["embeddings.position_embedding.weight"].shape[0] - 1
        inner = names["encoder.layers.0.mlp.fc1.weight"].shape[0]
    except KeyError as error:
        raise CheckpointError(
            f"--clip: expected CLIP's vision model, with a tensor {error.args[0]}, got none"
        ) from None
    known = CLIPVisionConfig().to_dict().keys()
    return {
        **{name: CLIP_LARGE[name] for name in ("hidden_act", "layer_norm_eps", "projection_dim")},
        **{
            name: own[name]
            for name in ("hidden_act", "layer_norm_eps", "projection_dim")
            if name in own and name in known
        },
        "model_type": "clip_vision_model",
        "hidden_size": patches[0],
        "intermediate_size": inner,
        "num_hidden_layers": count_layers(names, "encoder.layers."),
        "num_attention_heads": heads or patches[0] // 64,  # CLIP's heads are 64 wide
        "patch_size": patches[-1],
        "image_size": round(rows**0.5) * patches[-1],
    }


def image_tags(source_config: Mapping[str, Any]) -> tuple[str, ...]:
    """The tokens around an image that a LLaVA of this configuration was trained with, which have to be whole."""
    return ("<im_start>", "<im_end>") if source_config["mm_use_im_start_end"] else ()


def source_tokenizer(
    source: Tensors, options: ConversionOptions, whole: Sequence[str], vocab_size: int, kinds: Sequence[str]
) -> PreTrainedTokenizerFast | None:
    """The tokenizer that --tokenizer names or the source holds, with a placeholder a kind; None: there is none."""
    place = source.folder if options.tokenizer is None else Path(options.tokenizer)
    file = find_tokenizer(place) if place.exists() else None
    if file is None and options.tokenizer is not None:
        raise CheckpointError(
            "--tokenizer: expected a tokenizer.model or tokenizer.json, or a folder with one; got "
            f"'{options.tokenizer}'"
        )
    return None if file is None else read_tokenizer(file, whole, vocab_size, [f"<{kind}>" for kind in kinds])
