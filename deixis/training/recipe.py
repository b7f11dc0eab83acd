"""Runs a recipe: its network, from scratch or from trained weights, goes through its stages.

Stages run in order in `out/STAGE/`; a stage whose `model` folder is there is done. The last stage's `model` folder is
what `deixis.load` opens. `init: bundled` (or a folder) starts from trained weights instead of none. A stage with
`data` trains on samples from files (`deixis.samples.mixtures.mixture`), else on the generated world.
"""

import logging
import math
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import AutoConfig

from deixis.errors import CheckpointError, ConfigError
from deixis.files.locks import alone_in
from deixis.files.whole import whole_folder
from deixis.model.config import DeixisConfig
from deixis.model.masks.cells import fine_cells, mask_cells
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.parts import named_parts
from deixis.model.processor import DeixisProcessor, build_processor
from deixis.samples.mixtures.mixture import Mixture
from deixis.signals import MODALITIES
from deixis.signals.modality import load
from deixis.systems import system_of
from deixis.systems.deixis.tokenizer import SPECIAL_TOKENS, build_tokenizer, number_tokens
from deixis.training.classifier import ClassifyRecipe, train_classifier
from deixis.training.dense import DenseBatches, DenseHeads, DensePretrainer
from deixis.training.instruct import PAIR, PAIRS, InstructBatches, Instructor
from deixis.training.parts import ADAPTER, TrainedParts, check_parts, stage_parts
from deixis.training.recipe_file import DATA, DenseStage, InstructStage, Recipe, Stage
from deixis.training.same_run import check_same_run, set_aside
from deixis.training.sample_batches import SampleBatches
from deixis.training.stage_run import MODEL, run_stage, write_copy
from deixis.world.generate import world_samples

logger = logging.getLogger(__name__)
SPLIT = {1: 4, 2: 2, 3: 1}  # axes of a position -> parts of a token, per axis, that a dense head predicts
STAGE_STRIDE = 10_000_000  # distance between the first seeds of two stages, so that their streams do not overlap
SHARD_SIZE = "14MB"
HEADS = "dense_heads.safetensors"  # of the pretraining, beside the model
TEXT_SEEDS = 150  # seeds of the world whose questions and answers the tokenizer is trained on


def train(recipe: Recipe | ClassifyRecipe, out: Path) -> Path:
    """Runs all stages under `out`; returns the folder of the trained model.

    Finished stages are skipped, an interrupted one is resumed, and so is the last one where its steps are more than
    they were; its earlier model stays as model-STEPS. Raises ConfigError where parts of the recipe do not fit each
    other, or `out` holds the run of another recipe; OutputError where another process trains in it. Nothing is
    written then.
    """
    out = Path(out)
    with alone_in(out):
        return train_classifier(recipe, out) if isinstance(recipe, ClassifyRecipe) else _train_stages(recipe, out)


def _train_stages(recipe: Recipe, out: Path) -> Path:
    torch.manual_seed(recipe.seed)
    extended = check_same_run(recipe, out)
    model, processor = start_model(recipe)
    mixtures: dict[str, Mixture] = {}
    for number, stage in enumerate(recipe.stages):
        _check_modalities(stage, model.config.modalities)
        is_done = _trained(stage, out).exists() and stage.name not in extended
        if isinstance(stage, InstructStage) and not is_done:
            how = stage_parts(model, system_of(model.config), stage.parts)
            check_parts(model, how, stage.lora, stage.learning_rates)
        if isinstance(stage, InstructStage) and stage.mixture and not is_done:
            mixtures[stage.name] = Mixture(stage.mixture, _first_seed(recipe, number))
            _check_steps(stage, mixtures[stage.name])
    set_aside(out, extended)  # before the copy: a copy with more steps and the old model would count as done
    write_copy(recipe, out)
    heads = dense_heads(model)
    finished: Path | None = None  # the last stage whose weights are not in `model` yet
    for number, stage in enumerate(recipe.stages):
        if _trained(stage, out).exists():
            logger.info("stage %s is done", stage.name)
            finished = _trained(stage, out)
            continue
        if finished is not None:
            _load_into(model, heads, finished)
            finished = None
        seed, folder = _first_seed(recipe, number), out / stage.name
        trained = _trained_parts(stage, model)
        network, batches = _stage(stage, model, heads, processor, seed, folder, mixtures.get(stage.name))
        logger.info("stage %s: %s", stage.name, trained)
        run_stage(network, batches, stage.steps or batches.steps, stage, folder, recipe.seed, rates=trained.rates)
        if isinstance(network, Instructor):
            network.close()
        if isinstance(batches, SampleBatches):
            batches.skipped.report()
        trained.save_adapters(folder / ADAPTER)
        trained.merge()
        save(model, heads, processor, _trained(stage, out))
    return _trained(recipe.stages[-1], out)


def _trained(stage: Stage, out: Path) -> Path:
    """The folder of the model that a stage ends with, which is there once it has ended."""
    return out / stage.name / MODEL


def _trained_parts(stage: Stage, model: DeixisForConditionalGeneration) -> TrainedParts:
    """The network with what the stage trains of it. Raises ConfigError for parts that it has not."""
    if isinstance(stage, DenseStage):
        return TrainedParts(model, dict.fromkeys(named_parts(model), "full"))
    how = stage_parts(model, system_of(model.config), stage.parts)
    return TrainedParts(model, how, stage.lora, stage.learning_rates)


def _first_seed(recipe: Recipe, number: int) -> int:
    """The first seed of a stage's stream."""
    return (recipe.seed + 1 + number) * STAGE_STRIDE


def _check_modalities(stage: Stage, modalities: Sequence[str]) -> None:
    """Raises ConfigError for a modality of the world in a stage's batch that the model does not take."""
    required = set(stage.batch) - {PAIR, DATA} | set(chain(*PAIRS) if PAIR in stage.batch else ())
    if missing := sorted(required - set(modalities)):
        raise ConfigError(f"stage {stage.name}: batch: the model takes no {missing[0]}, only {modalities}")


def _check_steps(stage: InstructStage, mixture: Mixture) -> None:
    """Raises ConfigError for more steps than a mixture has samples for."""
    count, steps = stage.batch[DATA], stage.steps or 1
    if mixture.length is not None and (steps - 1) * count >= mixture.length:
        raise ConfigError(
            f"stage {stage.name}: steps: expected at most {-(-mixture.length // count)}, as data end after "
            f"{mixture.length} samples, got {steps}; leave steps out, or give a part more epochs"
        )


def _stage(
    stage: Stage, model, heads, processor, seed: int, folder: Path = Path(), mixture: Mixture | None = None
) -> tuple[nn.Module, Any]:
    """The module that a stage trains and the function that makes its batches; `folder` is the stage's own.

    mixture: of its data, where it has some.
    """
    config, system = model.config, system_of(model.config)
    if isinstance(stage, DenseStage):
        specs = {name: processor.spec(name) for name in config.modalities}
        return DensePretrainer(model.field_encoder, heads), DenseBatches(specs, stage.batch, seed)
    fine, masks, counts = fine_cells(config), mask_cells(config), stage.world_batch
    guided = [name for name in fine if hasattr(load(MODALITIES[name].cells), "pool")] if stage.guide_weight > 0 else []
    guide_sizes = {name: (fine[name], config.signals[name].token_count) for name in guided} or None
    limit = stage.max_tokens
    batches = InstructBatches(processor, system, fine, masks, counts, stage.questions, limit, seed, guide_sizes)
    if mixture is not None:
        count, world = stage.batch[DATA], batches if counts else None
        batches = SampleBatches(mixture, processor, system, masks, count, limit, guide_sizes, folder, world)
    heads = heads if stage.dense_weight > 0 else None
    return Instructor(model, system, heads, stage.dense_weight, stage.guide_weight), batches


def start_model(recipe: Recipe) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network and processor that training starts from: fresh from `model`, or trained from `init`.

    Raises ConfigError where the sizes make no network.
    """
    if recipe.init is not None:
        from deixis.checkpoints import open_pretrained
        from deixis.systems.official import conversion_hint

        with conversion_hint():
            return open_pretrained(recipe.init, dtype=torch.float32)
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
        raise ConfigError(f"model: {' '.join(str(error).split())}") from None
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


def save(model, heads: nn.ModuleDict, processor: DeixisProcessor, folder: Path) -> None:
    """Writes network, processor and heads to a temporary name, then renames: the folder is whole or not there."""
    from safetensors.torch import save_file

    with whole_folder(folder) as part:
        model.save_pretrained(part, max_shard_size=SHARD_SIZE)
        processor.save_pretrained(part)
        save_file({k: v.contiguous() for k, v in heads.state_dict().items()}, part / HEADS)


def _load_into(model, heads: nn.ModuleDict, folder: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from deixis.checkpoints import open_pretrained

    trained, _ = open_pretrained(folder, dtype=torch.float32)
    model.load_state_dict(trained.state_dict())
    path = folder / HEADS
    try:
        heads.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"'{path}': expected the heads of the stage before, got a damaged file ({' '.join(str(error).split())}); "
            f"remove '{folder}', and the same command trains that stage again"
        ) from None
