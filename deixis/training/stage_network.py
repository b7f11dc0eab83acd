"""What a stage trains, and on which batches: the parts of the network, the module with its losses, and the streams."""

from pathlib import Path
from typing import Any

from torch import nn

from deixis.conversation import System
from deixis.model.masks.cells import fine_cells, mask_cells
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.parts import named_parts
from deixis.model.processor import DeixisProcessor
from deixis.samples.mixtures.mixture import Mixture
from deixis.signals import MODALITIES
from deixis.signals.modality import load
from deixis.systems import system_of
from deixis.training.alignment import caption_processor, caption_system
from deixis.training.dense import DenseBatches, DensePretrainer, dense_cells
from deixis.training.drawings import FOLDER as DRAWINGS
from deixis.training.drawings import Drawings, drawn_samples
from deixis.training.instruct import InstructBatches, Instructor
from deixis.training.parts import TrainedParts, grow, stage_parts
from deixis.training.recipe_file import DATA, DenseStage, Recipe, Stage
from deixis.training.sample_batches import SampleBatches
from deixis.training.trainer import BatchStream

HELD_OUT = "held_out"  # folder of a stage, for the list of skipped samples that it is measured on
STAGE_STRIDE = 10_000_000  # distance between the first seeds of two stages, so that their streams do not overlap


def grow_for(stage: Stage, model: DeixisForConditionalGeneration) -> None:
    """Gives the network what it has after the stage beyond what it had before; `trained_parts` does so by itself."""
    if not isinstance(stage, DenseStage):
        grow(model, stage.parts or {})


def trained_parts(stage: Stage, model: DeixisForConditionalGeneration) -> TrainedParts:
    """The network with what the stage trains of it. Raises ConfigError for parts that it has not."""
    if isinstance(stage, DenseStage):
        return TrainedParts(model, dict.fromkeys(named_parts(model), "full"))
    how = stage_parts(model, system_of(model.config), stage.parts)
    return TrainedParts(model, how, stage.lora, stage.learning_rates)


def first_seed(recipe: Recipe, number: int) -> int:
    """The first seed of a stage's stream."""
    return (recipe.seed + 1 + number) * STAGE_STRIDE


def stage_network(
    stage: Stage, model, heads, processor, seed: int, folder: Path = Path(), mixture: Mixture | None = None
) -> tuple[nn.Module, Any]:
    """The module that a stage trains and the function that makes its batches; `folder` is the stage's own.

    mixture: of its data, where it has some.
    """
    config, (processor, system) = model.config, words_of(stage, model, processor)
    if isinstance(stage, DenseStage):
        specs = {name: processor.spec(name) for name in config.modalities}
        return DensePretrainer(model.field_encoder, heads), DenseBatches(specs, fine_cells(config), stage.batch, seed)
    fine, masks, counts = fine_cells(config), mask_cells(config), stage.world_batch
    guided = [name for name in fine if hasattr(load(MODALITIES[name].cells), "pool")] if stage.guide_weight > 0 else []
    guide_sizes = {name: (fine[name], config.signals[name].token_count) for name in guided} or None
    limit = stage.max_tokens
    captions = stage.alignment is not None
    own = (stage.questions, limit, seed, guide_sizes, stage.tasks, captions, stage.rewording)
    batches = InstructBatches(processor, system, dense_cells(config), masks, counts, *own)
    if mixture is not None:
        count, world = stage.batch[DATA], batches if counts else None
        own = (guide_sizes, folder, world, captions, stage.random_crop)
        batches = SampleBatches(mixture, processor, system, masks, count, limit, *own)
    instructor = Instructor(
        model,
        system,
        heads if stage.dense_weight > 0 else None,
        stage.dense_weight,
        stage.guide_weight,
        stage.checkpointing,
        stage.alignment,
        stage.contrast_weight,
    )
    return instructor, batches


def words_of(stage: Stage, model, processor: DeixisProcessor) -> tuple[DeixisProcessor, System]:
    """The processor and system by which a stage's samples become text: those of the model, or of captions alone."""
    system = system_of(model.config)
    if isinstance(stage, DenseStage) or stage.alignment is None:
        return processor, system
    return caption_processor(processor), caption_system(system)


def held_out_batches(stage: Stage, model, processor: DeixisProcessor, folder: Path) -> dict[str, Any]:
    """The arguments of `run_stage` for samples on which the stage is measured, where it names some."""
    if isinstance(stage, DenseStage) or (own := stage.held_out) is None:
        return {}
    assert stage.held_out_mixture is not None
    mixture, masks = Mixture(stage.held_out_mixture, seed=0), mask_cells(model.config)
    count, (processor, system) = stage.batch.get(DATA, sum(stage.batch.values())), words_of(stage, model, processor)
    captions = stage.alignment is not None
    batches = SampleBatches(
        mixture, processor, system, masks, count, stage.max_tokens, None, folder / HELD_OUT, captions=captions
    )
    samples = drawn_samples(mixture, own.drawings)
    return {
        "held_out": BatchStream(batches, 0, batches.steps or 0),
        "patience": own.patience,
        "keep": own.keep,
        "callbacks": [Drawings(model, processor, samples, folder / DRAWINGS)] if samples else [],
    }
