"""What a recipe will train, and what that needs, before it begins: parameters, memory, steps, and the time of a few.

Memory is counted on the network without values (meta device), so that what does not fit is told before weights are
read. What activations add depends on the samples, and is measured on the first steps.
"""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn
from transformers import TrainerCallback

from deixis.errors import CheckpointError, UnsupportedError
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.parts import named_parts, part_of
from deixis.model.shrinking import small_bytes, small_layers
from deixis.systems import system_of
from deixis.systems.conversion import meta_network
from deixis.systems.needs import size_text
from deixis.training.new_model import new_model
from deixis.training.parts import How, check_parts, stage_parts, trained_whole
from deixis.training.processes import device
from deixis.training.recipe import checked_mixtures
from deixis.training.recipe_file import DATA, DenseStage, Recipe, Stage
from deixis.training.stage_network import first_seed, grow_for, stage_network, trained_parts
from deixis.training.stage_run import run_stage
from deixis.training.start import dense_heads, open_start, start_model

MEASURED_STEPS = 3
TRAINED_BYTES = 4  # a weight that is trained is float32
GRADIENT_BYTES = 4
OPTIMIZER_BYTES = 8  # two running means of AdamW


@dataclass(frozen=True)
class PartPlan:
    """Numbers of weights of a part: all that stand in memory, and those of them that are trained."""

    weights: int
    trained: int
    weight_bytes: int

    @property
    def nbytes(self) -> int:
        """Memory of weights, gradients and optimizer."""
        return self.weight_bytes + self.trained * (GRADIENT_BYTES + OPTIMIZER_BYTES)


@dataclass(frozen=True)
class StagePlan:
    """What a stage trains. parts: by name. steps: of the optimizer. samples: of its own data, those of one epoch."""

    stage: Stage
    parts: Mapping[str, PartPlan]
    steps: int
    samples: int | None

    @property
    def nbytes(self) -> int:
        """Memory of weights, gradients and optimizer; activations come on top."""
        return sum(part.nbytes for part in self.parts.values())


@dataclass(frozen=True)
class MeasuredSteps:
    """Seconds of a step, the first left out, and the peak of the device's memory in bytes; None where it is unknown."""

    seconds: float
    peak_bytes: int | None


def plan_recipe(recipe: Recipe, done: Collection[str] = ()) -> list[StagePlan]:
    """The plan of every stage that is not done, from configurations and lists of samples alone.

    Raises ConfigError, DataError and CheckpointError as `training.recipe.train` does before it begins.
    """
    network = network_without_values(recipe)
    mixtures = checked_mixtures(recipe, network, done)
    plans = []
    for stage in recipe.stages:
        grow_for(stage, network)
        if stage.name in done:
            continue
        mixture = mixtures.get(stage.name)
        steps = stage.steps
        if steps is None:
            assert mixture is not None, "a recipe without steps has data that end"
            steps = -(-(mixture.length or 0) // stage.batch[DATA]) // stage.accumulate
        parts = _parts(stage, network, getattr(torch, recipe.dtype).itemsize, recipe.quantization)
        plans.append(StagePlan(stage, parts, steps, None if mixture is None else sum(mixture.sizes)))
    return plans


def check_memory(plans: list[StagePlan], free_bytes: int | None) -> None:
    """Raises UnsupportedError, which says what to lower, for a stage that needs more than what is free."""
    for plan in plans:
        if free_bytes is None or plan.nbytes <= free_bytes:
            continue
        weights = sum(part.weight_bytes for part in plan.parts.values())
        largest = max(plan.parts, key=lambda name: plan.parts[name].trained)
        frozen = weights - sum(part.trained * TRAINED_BYTES for part in plan.parts.values())
        lower = [f"train {largest} by lora, or not at all (parts)"] if plan.nbytes - weights > frozen else []
        lower += ["dtype: bfloat16 for weights that are not trained"] if frozen > free_bytes // 4 else []
        raise UnsupportedError(
            f"stage {plan.stage.name}: expected at most {size_text(free_bytes)} of memory, which are free; its weights "
            f"need {size_text(weights)}, gradients and optimizer {size_text(plan.nbytes - weights)}, and activations "
            f"more; {' and '.join(lower) or 'take a smaller model or another device'}"
        )


def measure_steps(recipe: Recipe, plan: StagePlan) -> MeasuredSteps:
    """The time and memory of the first steps of a stage, on the weights that the recipe starts from."""
    model, processor = start_model(recipe)
    number, heads = recipe.stages.index(plan.stage), dense_heads(model)
    stage = replace(plan.stage, report_to=())
    mixture = checked_mixtures(replace(recipe, stages=(stage,)), model).get(stage.name)
    trained = trained_parts(stage, model)
    clock = _Clock()
    with TemporaryDirectory() as folder:
        seed = first_seed(recipe, number)
        network, batches = stage_network(stage, model, heads, processor, seed, Path(folder), mixture)
        run_stage(
            network, batches, plan.steps, stage, Path(folder), recipe.seed, callbacks=[clock], rates=trained.rates
        )
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _peak_of_process()
    return MeasuredSteps(clock.seconds, peak)


class _Clock(TrainerCallback):
    """Stops after the first step, in which much is prepared, and those that are measured."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @property
    def seconds(self) -> float:
        """Of a step."""
        took = [after - before for before, after in pairwise(self.times)]
        measured = took[1:] or took
        return sum(measured) / len(measured)

    def on_train_begin(self, args, state, control, **kwargs):
        self.times.append(time.perf_counter())

    def on_step_end(self, args, state, control, **kwargs):
        self.times.append(time.perf_counter())
        if len(self.times) > 1 + MEASURED_STEPS:
            control.should_training_stop, control.should_save, control.should_evaluate = True, False, False


def _peak_of_process() -> int | None:
    """Linux: the most memory that this process has held."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), None)


def network_without_values(recipe: Recipe) -> DeixisForConditionalGeneration:
    """The network that the recipe starts from, on the meta device. Raises ConfigError and CheckpointError."""
    if not isinstance(recipe.init, str):
        return new_model(recipe).without_values()
    opened = open_start(recipe.init)
    if opened.config is None:
        raise CheckpointError(f"init: expected a model that answers questions, got '{recipe.init}', a classifier")
    network = meta_network(opened.config)
    assert isinstance(network, DeixisForConditionalGeneration)
    return network


def _parts(
    stage: Stage, network: DeixisForConditionalGeneration, frozen_bytes: int, word: str | None
) -> dict[str, PartPlan]:
    parts, saved = named_parts(network), _saved_by_quantization(network, frozen_bytes, word)
    if isinstance(stage, DenseStage):
        how: dict[str, How] = dict.fromkeys(parts, "full")
        adapters, rank = {}, 0
    else:
        how, rank = dict(stage_parts(network, system_of(network.config), stage.parts)), stage.lora.rank
        adapters = check_parts(network, how, stage.lora)
    plans = {}
    for name, weights in parts.items():
        count = sum(weight.numel() for weight in weights.values())
        layers = [network.get_submodule(layer) for layer in adapters.get(name, ())]
        # two matrices beside each layer: (rank, in) and (out, rank)
        added = rank * sum(sum(layer.get_parameter("weight").shape) for layer in layers)
        whole = sum(weights[own].numel() for own in trained_whole(network, weights, how.get(name)))
        frozen = (count - whole) * frozen_bytes - (0 if whole else saved[name])
        plans[name] = PartPlan(count + added, whole + added, (whole + added) * TRAINED_BYTES + frozen)
    return plans


def _saved_by_quantization(network: nn.Module, frozen_bytes: int, word: str | None) -> Counter[str]:
    """The bytes by which the frozen weights of each part are smaller."""
    saved: Counter[str] = Counter()
    if word is None:
        return saved
    for name, layer in small_layers(network).items():
        nbytes = small_bytes(layer, word, device().type)
        saved[part_of(name)] += 0 if nbytes is None else layer.weight.numel() * frozen_bytes - nbytes
    return saved
