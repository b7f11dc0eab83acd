"""A network that a recipe begins from sizes: a preset or fields of `DeixisConfig`, with the weights of named parts.

    model: lisa-7b
    init: {language_model: out/llava, projection: out/llava, encoder: out/clip, masks: sam_vit_h_4b8939.pth}

Configuration, tokenizer and the plan of every part are made and checked here from small files and the headers of
weights; values are read when the network is built. A part without a source begins as new.
"""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerFast

from deixis.checkpoints import BUNDLED, bundled_folder
from deixis.checkpoints.assembly import assembled
from deixis.checkpoints.config_file import CONFIG, check_foreign
from deixis.checkpoints.rules import Plan
from deixis.checkpoints.source import Tensors, open_source
from deixis.checkpoints.tokenizer import begun_tokenizer
from deixis.errors import ConfigError, one_line
from deixis.geometry import Notation
from deixis.model.config import DeixisConfig
from deixis.model.meta import on_meta
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.parts import named_parts
from deixis.model.processor import DeixisProcessor, build_processor
from deixis.options import check_choice, read_options
from deixis.signals import MODALITIES
from deixis.systems.deixis.preset import merged
from deixis.systems.deixis.tokenizer import build_tokenizer, number_tokens
from deixis.systems.part_layouts import part_plan, vocabulary_rows
from deixis.systems.releases import PRESETS, RELEASES
from deixis.training.recipe_file import Recipe
from deixis.world.generate import WORLD, modalities_of, world_samples

logger = logging.getLogger(__name__)
PRESET = "preset"  # in `model`: the name of a preset whose fields the others change
TEXT_SIGNALS = 450  # of the world whose questions and answers a tokenizer is trained on, over all its subjects
ENDS = ("bos_token_id", "eos_token_id", "pad_token_id")
SIZES_FROM = {"text_config": "language_model", "vision_config": "encoder", "mask_config": "masks"}
"""Fields of a configuration that, where `model` has none, are those of a part's source."""


@dataclass(frozen=True)
class NewModel:
    """A network that is not built yet. plans: of its parts, from their sources. stop: see `Beginning`."""

    config: DeixisConfig
    processor: DeixisProcessor
    plans: Sequence[Plan] = ()
    stop: str | None = None

    def without_values(self) -> DeixisForConditionalGeneration:
        """The network on the meta device."""
        with on_meta():
            return DeixisForConditionalGeneration(self.config)

    def build(self, dtype: torch.dtype = torch.float32) -> DeixisForConditionalGeneration:
        """The network, with the values of its sources."""
        if not self.plans:
            return DeixisForConditionalGeneration(self.config).to(dtype)
        network = assembled(self.config, self.plans, dtype)
        ids = {name: getattr(self.processor.tokenizer, name) for name in ENDS}
        network.generation_config = GenerationConfig(**ids, **({"stop_strings": [self.stop]} if self.stop else {}))
        logger.info("%s", _account(network, self.plans))
        return network


def new_model(recipe: Recipe) -> NewModel:
    """The network that a recipe with `model` begins from.

    Raises ConfigError where its sizes make no network, CheckpointError where the weights of a part do not fit it.
    """
    places = recipe.init if isinstance(recipe.init, Mapping) else {}
    sources = {part: open_source(_folder_of(place), f"init.{part}") for part, place in places.items()}
    sizes = _with_sizes_of(sources, model_fields(recipe.model))
    if not isinstance(sizes.get("text_config"), Mapping) or not _modalities_of(sizes):
        raise ConfigError(f"model: expected text_config and, under signals, at least one of {', '.join(MODALITIES)}")
    system = sizes.get("system") or "deixis"
    if "language_model" not in sources:
        if system != "deixis":
            raise ConfigError(f"init.language_model: expected the weights that a {system} begins from; got none")
        known = set(_modalities_of(sizes))
        subjects = tuple(name for name in WORLD if known >= set(modalities_of(name))) or tuple(WORLD)
        tokenizer = build_tokenizer(
            _world_texts(recipe.seed, math.ceil(TEXT_SIGNALS / len(subjects)), subjects), recipe.vocab_size
        )
        config = _config(sizes, tokenizer, len(tokenizer))
        model = NewModel(config, build_processor(config, tokenizer))
    else:
        model = _on_language_model(sizes, sources["language_model"])
    if not sources:
        return model
    network = model.without_values()
    parts = named_parts(network)
    for part in sources:
        if part not in parts:
            raise ConfigError(f"init: expected parts that the model has, of {', '.join(parts)}; got {part!r}")
    return replace(model, plans=[part_plan(part, source, sources, network) for part, source in sources.items()])


def _folder_of(place: str) -> str | Path:
    return bundled_folder() if place == BUNDLED else place


def model_fields(model: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of `DeixisConfig` in a recipe's `model`: those of a preset, with the changes beside its name."""
    given = {PRESET: model} if isinstance(model, str) else dict(model or {})
    name = given.pop(PRESET, None)
    if name is None:
        return given
    check_choice("model.preset", name, list(PRESETS))
    config = PRESETS[name].config()
    if not isinstance(config, DeixisConfig):
        raise ConfigError(f"model: expected a model that answers questions; got {name!r}, a classifier")
    own = {key: value for key, value in config.to_dict().items() if key in DeixisConfig.__annotations__}
    if "num_hidden_layers" in (given.get("text_config") or {}):
        own["text_config"].pop("layer_types", None)  # one for each layer, which transformers fills in
    return merged(own, given)


def _on_language_model(sizes: dict[str, Any], source: Tensors) -> NewModel:
    """The network around a pretrained language model, whose tokenizer gets the tokens of the system."""
    system = sizes.get("system") or "deixis"
    check_choice("model.system", system, [name for name, release in RELEASES.items() if release.beginning])
    beginning = RELEASES[system].beginning
    assert beginning is not None, "a system without one is refused above"
    placeholders = [f"<{name}>" for name in _modalities_of(sizes)]
    tokenizer = begun_tokenizer(source.folder, beginning.tokens, placeholders)
    tokenizer.chat_template = beginning.template(tokenizer)
    # placeholders are never looked up, so they need no rows of the embeddings
    words = max(index for token, index in tokenizer.get_vocab().items() if token not in placeholders)
    config = _config(sizes, tokenizer, words + 1)
    config.text_config.vocab_size = max(words + 1, vocabulary_rows(source, config) or 0)
    return NewModel(config, build_processor(config, tokenizer, **beginning.processor), stop=beginning.stop)


def _config(sizes: dict[str, Any], tokenizer: PreTrainedTokenizerFast, rows: int) -> DeixisConfig:
    """The configuration of these sizes, with the ids of the tokenizer in place of those that a preset names."""
    ends = {name: getattr(tokenizer, name) for name in ENDS if getattr(tokenizer, name) is not None}
    token_id = tokenizer.convert_tokens_to_ids
    try:
        notation = read_options(Notation, sizes.get("notation") or {}, "notation.")
        special = {"region_token_id": notation.region_token, "seg_token_id": notation.seg_token}
        own: dict[str, Any] = {
            **sizes,
            "text_config": {**sizes["text_config"], "vocab_size": rows, **ends},
            "signal_token_ids": {name: token_id(f"<{name}>") for name in _modalities_of(sizes)},
            "number_tokens": number_tokens(tokenizer),
            **{name: token_id(token) for name, token in special.items() if token},
        }
        return DeixisConfig(**own)
    except (ConfigError, StrictDataclassError) as error:
        raise ConfigError(f"model: {one_line(error)}") from None


def _with_sizes_of(sources: Mapping[str, Tensors], sizes: dict[str, Any]) -> dict[str, Any]:
    """The sizes of a recipe; where it gives none of a part, those in the `config.json` of the part's source."""
    found = {}
    uses_sam = (sizes.get("pointing") or {}).get("backbone") in ("sam", "sam2")
    for field, part in SIZES_FROM.items():
        if field == "mask_config" and not uses_sam:
            continue
        if sizes.get(field) is None and part in sources and (sources[part].folder / CONFIG).is_file():
            check_foreign(sources[part].folder)
            whole = AutoConfig.from_pretrained(sources[part].folder, trust_remote_code=False, local_files_only=True)
            own = whole if field == "mask_config" else getattr(whole, field, whole)
            found[field] = own.to_dict()
            if own.model_type == "sam2_video":  # SAM 2's files are those of its video model, which holds that of images
                names = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
                found[field] = {"model_type": "sam2", **{name: found[field][name] for name in names}}
    return {**sizes, **found}


def _modalities_of(sizes: Mapping[str, Any]) -> list[str]:
    """The modalities that a recipe's model takes, in the order of `MODALITIES`."""
    signals = sizes.get("signals") or {}
    return [name for name in MODALITIES if signals.get(name) is not None] if isinstance(signals, dict) else []


@lru_cache(maxsize=1)  # networks of one seed share them
def _world_texts(seed: int, count: int, subjects: tuple[str, ...]) -> tuple[str, ...]:
    """Questions and answers about these subjects of the generated world, without markup."""
    samples = (sample for s in range(count) for sample in world_samples("train", seed + s, subjects))
    turns = (text for sample in samples for turn in sample.turns for text in (turn.user, turn.assistant))
    return tuple(re.sub(r"\{[^}]*\}|[\[\]]", "", text) for text in turns)


def _account(network: DeixisForConditionalGeneration, plans: Sequence[Plan]) -> str:
    """Where the weights of each part are from, in millions, for the log."""
    filled = {name for plan in plans for name in plan.steps}
    words = []
    for part, weights in named_parts(network).items():
        old = sum(weight.numel() for name, weight in weights.items() if name in filled)
        new = sum(weight.numel() for weight in weights.values()) - old
        words.append(f"{part} {old / 1e6:.2f} M from init" * bool(old) + " and " * bool(old and new))
        words[-1] += f"{'' if old else f'{part} '}{new / 1e6:.2f} M new" * bool(new)
    return f"weights: {', '.join(words)}"
