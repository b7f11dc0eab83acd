"""What training starts from: a new network of a recipe's sizes, with or without weights of parts, or a trained one."""

import math
from pathlib import Path

import torch
from torch import nn

from deixis.checkpoints import Opened, open_config_and_processor, open_pretrained
from deixis.checkpoints.quantization import open_quantized
from deixis.errors import ConfigError
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.processor import DeixisProcessor
from deixis.signals import MODALITIES
from deixis.training.dense import DenseHeads, dense_cells
from deixis.training.new_model import new_model
from deixis.training.processes import device
from deixis.training.recipe_file import Recipe

SPLIT = {"t": (4,), "xy": (2, 2), "xyt": (1, 2, 2), "xyz": ()}
"""The parts of a token that a dense head predicts, per axis of the grid, by the axes of a position."""


def start_model(recipe: Recipe) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network and processor that training starts from: new from `model`, or trained from `init`.

    Raises ConfigError where the sizes make no network, CheckpointError for weights that do not fit it,
    UnsupportedError where quantized ones have no kernels.
    """
    dtype = getattr(torch, recipe.dtype)
    if isinstance(recipe.init, str):
        opened = open_start(recipe.init)
        if recipe.quantization is not None:
            return open_quantized(opened, dtype, recipe.quantization, device())
        return open_pretrained(opened, dtype=dtype)
    model = new_model(recipe)
    network = model.build(dtype)
    if recipe.has_new_words:
        smooth_number_embeddings(network)
    return network, model.processor


def with_adapter(recipe: Recipe, adapter: Path) -> DeixisForConditionalGeneration:
    """The network that a recipe starts from, whole, with what was trained beside its quantized weights added."""
    assert isinstance(recipe.init, str), "quantization stands beside a trained model"
    network, _ = open_pretrained(open_start(recipe.init).with_adapter(adapter), dtype=getattr(torch, recipe.dtype))
    return network


def open_start(init: str) -> Opened:
    """The trained model that a recipe starts from, without its weights.

    Raises CheckpointError where there is none, and ConfigError for one whose weights are packed.
    """
    from deixis.systems.official import conversion_hint

    with conversion_hint():
        opened = open_config_and_processor(init)
    if opened.packed:
        raise ConfigError(
            f"init: expected a model with whole weights, got '{init}', stored in {opened.packed}; start from the model "
            "that it was exported from"
        )
    return opened


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
    names = list(dense_cells(model.config)) if model.config.has_fine else []
    axes = {name: MODALITIES[name].axes for name in names}
    return nn.ModuleDict({n: DenseHeads(dim, fine, CLASS_COUNTS[n], len(axes[n]), SPLIT[axes[n]]) for n in names})
