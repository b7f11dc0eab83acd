"""Runs a recipe: its network, from scratch or from trained weights, goes through its stages.

Stages run in order in `out/STAGE/`; a stage whose `model` folder is there is done. The last stage's `model` folder is
what `deixis.load` opens. `init: bundled` (or a folder) starts from trained weights instead of none. A stage with
`data` trains on samples from files (`deixis.samples.mixtures.mixture`), else on the generated world.
"""

import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deixis.errors import ConfigError
from deixis.files.locks import alone_in
from deixis.model.masks.cells import fine_cells, mask_cells
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.parts import named_parts
from deixis.samples.mixtures.mixture import Mixture
from deixis.signals import MODALITIES
from deixis.signals.modality import load
from deixis.systems import system_of
from deixis.training.classifier import ClassifyRecipe, train_classifier
from deixis.training.dense import DenseBatches, DensePretrainer
from deixis.training.instruct import PAIR, PAIRS, InstructBatches, Instructor
from deixis.training.parts import ADAPTER, TrainedParts, check_parts, stage_parts
from deixis.training.recipe_file import DATA, DenseStage, InstructStage, Recipe, Stage
from deixis.training.run_folder import MODEL, load_into, save, write_copy
from deixis.training.same_run import check_same_run, set_aside
from deixis.training.sample_batches import SampleBatches
from deixis.training.stage_run import run_stage
from deixis.training.start import dense_heads, start_model

logger = logging.getLogger(__name__)
STAGE_STRIDE = 10_000_000  # distance between the first seeds of two stages, so that their streams do not overlap


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
            load_into(model, heads, finished)
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
