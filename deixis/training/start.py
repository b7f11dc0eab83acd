"""What training starts from: a new network of a recipe's sizes with a tokenizer of its own, or a trained one."""

import math
import re
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import AutoConfig

from deixis.errors import ConfigError, one_line
from deixis.model.config import DeixisConfig
from deixis.model.masks.cells import fine_cells
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.processor import DeixisProcessor, build_processor
from deixis.signals import MODALITIES
from deixis.systems.deixis.tokenizer import SPECIAL_TOKENS, build_tokenizer, number_tokens
from deixis.training.dense import DenseHeads
from deixis.training.recipe_file import Recipe
from deixis.world.generate import world_samples

SPLIT = {1: 4, 2: 2, 3: 1}  # axes of a position -> parts of a token, per axis, that a dense head predicts
TEXT_SEEDS = 150  # seeds of the world whose questions and answers the tokenizer is trained on


def start_model(recipe: Recipe) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network and processor that training starts from: fresh from `model`, or trained from `init`.

    Raises ConfigError where the sizes make no network.
    """
    if recipe.init is not None:
        from deixis.checkpoints import open_config_and_processor, open_pretrained
        from deixis.systems.official import conversion_hint

        with conversion_hint():
            opened = open_config_and_processor(recipe.init)
        if opened.packed:
            raise ConfigError(
                f"init: expected a model with whole weights, got '{recipe.init}', stored in {opened.packed}; start "
                "from the model that it was exported from"
            )
        return open_pretrained(opened, dtype=getattr(torch, recipe.dtype))
    texts = [t for s in range(TEXT_SEEDS) for sample in world_samples("train", recipe.seed + s) for t in _texts(sample)]
    tokenizer = build_tokenizer(texts, recipe.vocab_size)
    ids: dict[str, Any] = {name: tokenizer.convert_tokens_to_ids(token) for name, token in SPECIAL_TOKENS.items()}
    sizes = dict(recipe.model or {})
    if not isinstance(sizes.get("text_config"), dict) or not _modalities_of(sizes):
        raise ConfigError(f"model: expected text_config and, under signals, at least one of {', '.join(MODALITIES)}")
    sizes["text_config"] = sizes["text_config"] | {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if recipe.mask_weights is not None:
        sizes["mask_config"] = AutoConfig.from_pretrained(recipe.mask_weights, trust_remote_code=False)
    try:
        # The tokenizer is new, so its ids replace those that a preset's sizes name.
        sizes |= {
            "signal_token_ids": {name: tokenizer.convert_tokens_to_ids(f"<{name}>") for name in _modalities_of(sizes)},
            "region_token_id": ids["region"],
            "seg_token_id": ids["seg"],
            "number_tokens": number_tokens(tokenizer),
        }
        config = DeixisConfig(**sizes)
    except (ConfigError, StrictDataclassError) as error:
        raise ConfigError(f"model: {one_line(error)}") from None
    model = DeixisForConditionalGeneration(config)
    if recipe.mask_weights is not None and model.sam_pointing is not None:
        model.sam_pointing.load_sam(recipe.mask_weights)
    smooth_number_embeddings(model)
    return model, build_processor(config, tokenizer)


def _modalities_of(sizes: dict[str, Any]) -> list[str]:
    """The modalities that a recipe's model takes, in the order of `MODALITIES`."""
    signals = sizes.get("signals") or {}
    return [name for name in MODALITIES if signals.get(name) is not None] if isinstance(signals, dict) else []


def _texts(sample) -> list[str]:
    return [re.sub(r"\{[^}]*\}|[\[\]]", "", text) for turn in sample.turns for text in (turn.user, turn.assistant)]


@torch.no_grad()
def smooth_number_embeddings(model: DeixisForConditionalGeneration, waves: int = 24) -> None:
    """Sets the embeddings of the grid's numbers so that neighbours are alike: random mixtures of slow waves.

    Embeddings are tied to the output, so the model also starts out writing neighbouring numbers alike.
    """
    first, count = model.config.number_tokens
    if not count:
        return
    table = next(model.get_input_embeddings().parameters())
    turns = torch.linspace(0.25, waves / 2, waves)
    angles = 2 * math.pi * torch.arange(count)[:, None] / count * turns
    waves_of = torch.cat([angles.sin(), angles.cos()], 1)
    mixed = waves_of @ torch.randn(2 * waves, table.shape[1])
    table[first : first + count] = mixed / mixed.std() * table.std()


def dense_heads(model: DeixisForConditionalGeneration) -> nn.ModuleDict:
    """New pretraining heads for every modality of the network that has a fine level and a ground truth."""
    from deixis.world.dense_targets import CLASS_COUNTS

    dim, fine = model.config.vision_config.hidden_size, model.config.pointing.dim
    names = [name for name in fine_cells(model.config) if name in CLASS_COUNTS and model.config.has_fine]
    axes = {name: len(MODALITIES[name].axes) for name in names}
    return nn.ModuleDict({n: DenseHeads(dim, fine, CLASS_COUNTS[n], axes[n], SPLIT[axes[n]]) for n in names})
