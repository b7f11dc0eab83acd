"""Runs a recipe: its network, from scratch or from trained weights, goes through its stages.

Stages run in order in `out/STAGE/`; a stage whose `model` folder is there is done. The last stage's `model` folder is
what `deixis.load` opens. `init: bundled` (or a folder) starts from trained weights instead of none. A stage with
`data` trains on samples from files (`deixis.samples.mixtures.mixture`), else on the generated world.
"""

import logging
from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path

import torch

from deixis.errors import ConfigError
from deixis.model.config import DeixisConfig
from deixis.model.extend import copy_modality
from deixis.model.network import DeixisForConditionalGeneration
from deixis.options import check_choice
from deixis.samples.mixtures.mixture import Mixture
from deixis.systems import system_of
from deixis.training.classifier import ClassifyRecipe, train_classifier
from deixis.training.dense import dense_cells
from deixis.training.instruct import PAIR, PAIRS, Instructor
from deixis.training.parts import ADAPTER, TrainedParts, check_parts, check_quantized, stage_parts
from deixis.training.processes import alone_together, by_first, device, process_count, share
from deixis.training.recipe_file import DATA, DenseStage, InstructStage, Recipe, Stage
from deixis.training.run_folder import MODEL, load_into, save, write_copy
from deixis.training.same_run import check_same_run, set_aside
from deixis.training.sample_batches import SampleBatches
from deixis.training.stage_network import first_seed, grow_for, held_out_batches, stage_network, trained_parts
from deixis.training.stage_run import run_stage
from deixis.training.start import dense_heads, start_model, with_adapter
from deixis.training.trainer import Saved
from deixis.world.generate import modalities_of

logger = logging.getLogger(__name__)


def train(recipe: Recipe | ClassifyRecipe, out: Path) -> Path:
    """Runs all stages under `out`; returns the folder of the trained model.

    Finished stages are skipped, an interrupted one is resumed, and so is the last one where its steps are more than
    they were; its earlier model stays as model-STEPS. Raises ConfigError where parts of the recipe do not fit each
    other, or `out` holds the run of another recipe; OutputError where another process trains in it. Nothing is
    written then.
    """
    out = Path(out)
    with alone_together(out):
        if not isinstance(recipe, ClassifyRecipe):
            return run_stages(recipe, out)
        if process_count() > 1:
            raise ConfigError("task: classify: expected one process, as a batch is normalised as a whole; got several")
        return train_classifier(recipe, out)


def run_stages(recipe: Recipe, out: Path, saved: Saved | None = None) -> Path:
    """As `train`, in a folder that is held already; `saved` is called with every checkpoint."""
    torch.manual_seed(recipe.seed)
    extended = check_same_run(recipe, out)
    model, processor = start_model(recipe)
    mixtures = checked_mixtures(recipe, model, finished_stages(recipe, out, extended))
    by_first(lambda: _begin(recipe, out, extended))
    heads = dense_heads(model)
    finished: Path | None = None  # the last stage whose weights are not in `model` yet
    for number, stage in enumerate(recipe.stages):
        if model_folder(stage, out).exists():
            logger.info("stage %s is done", stage.name)
            finished = model_folder(stage, out)
            grow_for(stage, model)
            continue
        if finished is not None:
            load_into(model, heads, finished)
            finished = None
        seed, folder = first_seed(recipe, number), out / stage.name
        torch.manual_seed(seed)  # of new adapters: whatever was trained, or resumed, before
        for modality, source in () if isinstance(stage, DenseStage) else stage.start_as.items():
            copy_modality(model, modality, source)
        trained = trained_parts(stage, model)
        network, batches = stage_network(stage, model, heads, processor, seed, folder, mixtures.get(stage.name))
        logger.info("stage %s: %s", stage.name, trained)
        steps = stage.steps or batches.steps // stage.accumulate
        held_out = held_out_batches(stage, model, processor, folder)
        run_stage(network, batches, steps, stage, folder, recipe.seed, rates=trained.rates, saved=saved, **held_out)
        if isinstance(network, Instructor):
            network.close()
        if isinstance(batches, SampleBatches):
            by_first(batches.skipped.report)
        start = recipe.init if isinstance(recipe.init, str) else None  # a network of parts lies in no folder
        before = start if number == 0 else str(model_folder(recipe.stages[number - 1], out))
        _finish(trained, recipe, before, heads, processor, folder)
    return model_folder(recipe.stages[-1], out)


def _begin(recipe: Recipe, out: Path, extended: tuple[str, ...]) -> None:
    set_aside(out, extended)  # before the copy: a copy with more steps and the old model would count as done
    write_copy(recipe, out)


def _finish(trained: TrainedParts, recipe: Recipe, before: str | None, heads, processor, folder: Path) -> None:
    """Writes the model and the adapters of a stage, whose network is plain again afterwards; before: its start."""
    by_first(lambda: trained.save_adapters(folder / ADAPTER, before))
    if recipe.quantization is None:
        trained.merge()

    def plain() -> DeixisForConditionalGeneration:
        return trained.network if recipe.quantization is None else with_adapter(recipe, folder / ADAPTER)

    by_first(lambda: save(plain(), heads, processor, folder / MODEL))


def model_folder(stage: Stage, out: Path) -> Path:
    """The folder of the model that a stage ends with, which is there once it has ended."""
    return out / stage.name / MODEL


def finished_stages(recipe: Recipe, out: Path, extended: Collection[str]) -> set[str]:
    """The names of the stages that are done in `out`, but for those that go on (`same_run.check_same_run`)."""
    return {stage.name for stage in recipe.stages if model_folder(stage, out).exists()} - set(extended)


def checked_mixtures(
    recipe: Recipe, network: DeixisForConditionalGeneration, done: Collection[str] = ()
) -> dict[str, Mixture]:
    """The data of each stage that has some of its own and is not `done`, opened; whether each stage fits the network.

    Raises ConfigError for a stage that does not, and DataError for data that are not there.
    """
    mixtures: dict[str, Mixture] = {}
    for number, stage in enumerate(recipe.stages):
        _check_modalities(stage, network.config.modalities)
        share(stage.accumulate, f"stage {stage.name}: ")
        if isinstance(stage, DenseStage):
            check_cells(stage, network.config)
            continue
        if stage.name in done:
            continue
        for name in chain(*stage.start_as.items()):
            check_choice("start_as", name, network.config.modalities)
        how = stage_parts(network, system_of(network.config), stage.parts)
        check_parts(network, how, stage.lora, stage.learning_rates)
        if recipe.quantization is not None:
            check_quantized(network, how, recipe.quantization, device().type)
        if stage.mixture is not None:
            mixtures[stage.name] = Mixture(stage.mixture, first_seed(recipe, number))
            _check_steps(stage, mixtures[stage.name])
        if stage.held_out_mixture is not None:
            Mixture(stage.held_out_mixture, 0)
    return mixtures


def _check_modalities(stage: Stage, modalities: Sequence[str]) -> None:
    """Raises ConfigError for a modality of the world in a stage's batch that the model does not take."""
    subjects = set(stage.batch) - {PAIR, DATA} | set(chain(*PAIRS) if PAIR in stage.batch else ())
    required = {modality for subject in subjects for modality in modalities_of(subject)}
    if missing := sorted(required - set(modalities)):
        raise ConfigError(f"stage {stage.name}: batch: the model takes no {missing[0]}, only {modalities}")


def check_cells(stage: DenseStage, config: DeixisConfig) -> None:
    """Raises ConfigError for a modality whose field has no cells with targets."""
    if without := next((name for name in stage.batch if name not in dense_cells(config)), None):
        raise ConfigError(
            f"stage {stage.name}: batch: expected modalities with mask features (signals.{without}.early_dim above 0, "
            f"frames that are not averaged); got {without}"
        )


def _check_steps(stage: InstructStage, mixture: Mixture) -> None:
    """Raises ConfigError for more steps than a mixture has samples for."""
    count, steps = stage.batch[DATA], stage.steps or 1
    if mixture.length is not None and (steps * stage.accumulate - 1) * count >= mixture.length:
        most = -(-mixture.length // count) // stage.accumulate
        raise ConfigError(
            f"stage {stage.name}: steps: expected at most {most}, as data end after "
            f"{mixture.length} samples, got {steps}; leave steps out, or give a part more epochs"
        )
