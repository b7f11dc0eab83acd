"""Training recipes: one YAML file, parsed once into frozen dataclasses that check every field.

A recipe names the network or the trained model to start from, the stages and the seed. No network is built and no data
set is opened here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, no_type_check

from deixis.errors import ConfigError
from deixis.files.yaml_text import read_yaml
from deixis.model.config import DeixisConfig
from deixis.model.parts import PARTS
from deixis.options import (
    Bounds,
    Checked,
    Count,
    Natural,
    NonNegative,
    check_choice,
    check_fields,
    check_known,
    read_options,
)
from deixis.samples.mixtures.mixture import MixtureRecipe, Part, Replay, read_parts
from deixis.signals import MODALITIES
from deixis.systems.releases import PRESETS
from deixis.training.alignment import Alignment
from deixis.training.classifier import TASK as CLASSIFY
from deixis.training.classifier import ClassifyRecipe, parse_classify
from deixis.training.instruct import PAIR, PAIRS
from deixis.training.parts import How, LoraOptions
from deixis.training.recipe_changes import changed
from deixis.training.stage_run import TrainingOptions
from deixis.world.dense_targets import CLASS_COUNTS
from deixis.world.generate import WORLD, task_weights

DATA = "data"  # in a batch: samples of the stage's own data, beside rows of the world


@no_type_check
@dataclass(frozen=True, kw_only=True)
class DenseStage(TrainingOptions):
    """A stage of dense pretraining (`training.dense`). Raises ConfigError for a field that does not fit."""

    name: str
    batch: dict[str, Count]
    """Signals per step, by modality."""
    steps: Count
    task: Literal["dense"] = "dense"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_name(self.name)
        _check_batch(self.batch, tuple(CLASS_COUNTS))


@no_type_check
@dataclass(frozen=True, kw_only=True)
class HeldOut(Checked):
    """Samples that are not trained on, whose loss is measured at every checkpoint.

    Raises ConfigError where a field does not fit, or `patience` stands beside `keep: last`.
    """

    path: str
    """A folder, a shard, or a name with a star for one split."""
    samples: Count = 200
    """How many are used at most."""
    patience: Count | None = None
    """Checkpoints without a better loss after which the stage stops. None: it does not."""
    drawings: Natural = 0
    """How many of them are asked and drawn at every checkpoint (`training.drawings`)."""
    keep: Literal["best", "last"] = "best"
    """Which checkpoint's weights the stage ends with: those of the least loss on these samples, or the last, where what
    is learnt at the end of the schedule (written numbers) is no matter of this loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.keep == "last" and self.patience is not None:
            raise ConfigError(f"patience: expected beside keep: best; got {self.patience} beside keep: last")


@no_type_check
@dataclass(frozen=True, kw_only=True)
class InstructStage(TrainingOptions):
    """A stage of instruction tuning (`training.instruct`), on the world, on `data` (samples in files), or on both.

    Raises ConfigError where a field does not fit, or contradicts another one.
    """

    name: str
    batch: dict[str, Count]
    """Rows per step: by modality, of "pair" (two modalities in a row), and samples of "data"."""
    steps: Count | None = None
    """None: as many as `data` has samples for, where all its parts have epochs."""
    task: Literal["instruct"] = "instruct"
    questions: Count = 8
    """In a row of the world."""
    tasks: dict[str, NonNegative] = field(default_factory=dict)
    """Weights of the world's tasks that differ from its own (`world.generate.task_weights`); 0 leaves a task out."""
    rewording: bool = True
    """Whether the world's questions come in all their wordings; false: each in one."""
    max_tokens: Natural = 400
    """Of a row: its signals and all turns about them."""
    dense_weight: NonNegative = 0.0
    """Weight of the dense losses, which the world alone has targets for."""
    guide_weight: NonNegative = 0.0
    """Weight of the attention guidance (`training.guidance`)."""
    alignment: Alignment | None = None
    """Samples are captions of their signals, which are learnt without question or prompt ("caption"), told from the
    other captions of the batch ("contrast"), or both (`training.alignment`)."""
    contrast_weight: NonNegative = 1.0
    start_as: dict[str, str] = field(default_factory=dict)
    """Modalities whose queries, maps and tags in the projection begin as copies of those of another (OneLLM, section
    3.2)."""
    parts: dict[str, How] | None = None
    """What is trained of the network (`model.parts`): whole, by low-rank adapters, or by an expert that is added to the
    projection (`model.extend.add_expert`); all else is frozen. None: what the model's system trains."""
    lora: LoraOptions = field(default_factory=LoraOptions)
    learning_rates: dict[str, NonNegative] = field(default_factory=dict)
    """Of parts that have their own."""
    data: tuple[Part, ...] | None = None
    replay: Replay | None = None
    random_crop: Annotated[float, Bounds(above=0, most=1)] = 1.0
    """The least side of the random part of an image that a sample of `data` shows, relative to the whole; 1: the
    whole. A part holds all regions of the sample."""
    held_out: HeldOut | None = None
    """What the stage is measured on, and by default ends with the best weights by."""
    checkpointing: bool = False
    """Whether activations are computed twice instead of kept, in a fraction of the memory (gradient checkpointing)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_name(self.name)
        _check_batch(self.batch, (*WORLD, PAIR, DATA))
        if (self.data is None) == (DATA in self.batch):
            has, lacks = ("batch", "stage") if self.data is None else ("stage", "batch")
            raise ConfigError(
                "data: expected the sets of samples in the stage, and in its batch the number of samples per step; "
                f"got data in the {has} and none in the {lacks}"
            )
        if self.data is None and self.replay is not None:
            raise ConfigError("replay: expected beside the field data; got no data")
        if self.data is not None and self.dense_weight:
            raise ConfigError(f"dense_weight: expected 0 beside data, without dense targets; got {self.dense_weight}")
        check_known("start_as.", self.start_as, tuple(MODALITIES))
        _check_tasks(self.tasks, self.world_batch)
        if self.alignment is not None and set(self.batch) != {DATA} and not self._captions_alone:
            raise ConfigError(
                "alignment: expected a batch of data alone, with captions, or of the world with one question, its "
                f"caption (questions: 1, weights of tasks above 0 for caption alone); got {', '.join(self.batch)}"
            )
        check_known("parts.", self.parts or {}, tuple(PARTS))
        check_known("learning_rates.", self.learning_rates, tuple(PARTS))
        if self.parts is not None and not self.parts:
            raise ConfigError(f"parts: expected at least one of {', '.join(PARTS)} to train; got none")
        if self.checkpointing and self.guide_weight:
            raise ConfigError(
                "checkpointing: expected false beside guide_weight, which looks at each layer once; got true"
            )
        if self.steps is None and not (self.data and all(part.epochs is not None for part in self.data)):
            raise ConfigError("steps: expected a number of steps, or data whose parts all have epochs; got none")

    @property
    def _captions_alone(self) -> bool:
        """Whether every row of the world is a signal with its caption."""
        if DATA in self.batch or PAIR in self.batch or self.questions != 1:
            return False
        weights = (task_weights(name, self.tasks) for name in self.batch)
        return all({task for task, weight in own.items() if weight} == {"caption"} for own in weights)

    @property
    def mixture(self) -> MixtureRecipe | None:
        """The mixture of the stage's own data."""
        return None if self.data is None else MixtureRecipe(self.data, self.replay)

    @property
    def world_batch(self) -> dict[str, int]:
        """Rows per step of the generated world."""
        return {name: count for name, count in self.batch.items() if name != DATA}

    @property
    def held_out_mixture(self) -> MixtureRecipe | None:
        """The samples that the stage is measured on, each once."""
        own = self.held_out
        return None if own is None else MixtureRecipe((Part(own.path, epochs=1, cap=own.samples),))


Stage = DenseStage | InstructStage
TASKS: dict[str, type[DenseStage] | type[InstructStage]] = {"dense": DenseStage, "instruct": InstructStage}


@no_type_check
@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training recipe: a new network from `model`, or a trained one from `init`, goes through its stages in order.

    Raises ConfigError where a field does not fit, `model` and `init` are not one of the two or a new network with the
    weights of parts, or two stages share a name.
    """

    stages: tuple[Stage, ...]
    seed: Natural = 0
    model: str | dict[str, Any] | None = None
    """A preset by its name, or fields of `DeixisConfig`; beside a name under `preset` they change its own."""
    vocab_size: Natural = 1024
    """Of the tokenizer that is trained for a new language model."""
    init: str | dict[str, str] | None = None
    """A trained model: "bundled", a folder or a hub id; or, beside `model`, the weights of its parts (`model.parts`),
    each "bundled", a folder, a file or a hub id."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of weights while they are not trained; those that are trained are float32."""
    quantization: Literal["int8", "int4"] | None = None
    """Of the layers that a trained model's `init` stands in memory with, beside which adapters are trained (QLoRA)."""

    def __post_init__(self) -> None:
        check_fields(self)
        is_whole = isinstance(self.init, str)
        if (self.model is None) != is_whole:
            raise ConfigError(
                "model: expected either `model`, with the weights of parts in `init` or without, or a trained model in "
                f"`init`; got {'both' if is_whole else 'neither'}"
            )
        if not is_whole:
            check_known("init.", self.init or {}, tuple(PARTS))
        if self.quantization and (not is_whole or len(self.stages) > 1):
            raise ConfigError(
                "quantization: expected beside a trained model in `init` and one stage, after which adapters are added "
                f"to the model's own weights; got {len(self.stages)} stages{'' if is_whole else ' of a new network'}"
            )
        unmixed = [stage.name for stage in self.stages if not stage.bf16]
        if self.dtype == "bfloat16" and unmixed:
            raise ConfigError(f"stage {unmixed[0]}: bf16: expected true beside dtype bfloat16; got false")
        names = [stage.name for stage in self.stages]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ConfigError(f"stages: expected a name per stage that no other has; got {twice!r} twice")
        if isinstance(self.model, str):
            check_choice("model", self.model, tuple(PRESETS))
        else:
            check_known("model.", self.model or {}, ("preset", *DeixisConfig.__annotations__))

    @property
    def uses_world(self) -> bool:
        """Whether the generated world is needed: for a tokenizer's vocabulary, or for the signals of a stage."""
        return self.has_new_words or any(set(stage.batch) - {DATA} for stage in self.stages)

    @property
    def has_new_words(self) -> bool:
        """Whether the language model is new, with a tokenizer that is trained on the world's words."""
        return not isinstance(self.init, str) and "language_model" not in (self.init or {})


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe | ClassifyRecipe:
    """The recipe in a YAML file, with `changes` as in `recipe_changes.changed`.

    Raises ConfigError where a field is missing, unknown or wrong; the message names file, stage and field.
    """
    return parse_recipe(changed(read_yaml(path), changes), f"{path}: ")


def parse_recipe(values: Any, where: str = "") -> Recipe | ClassifyRecipe:
    """The recipe in plain values; with `task: classify` at the top, that of a classifier of point clouds.

    Raises ConfigError where a field is missing, unknown or wrong; the message begins with `where`.
    """
    if isinstance(values, Mapping) and values.get("task") == CLASSIFY:
        return parse_classify(values, where)
    if isinstance(values, Mapping) and "parts" in values:
        raise ConfigError(f"{where}expected a recipe of training; got one of region data, for deixis data build")
    if not isinstance(values, Mapping) or (values.get("model") is None and values.get("init") is None):
        raise ConfigError(f"{where}expected a recipe with `stages` and `model` or `init`")
    stages = values.get("stages")
    if not isinstance(stages, list) or not stages or not all(isinstance(stage, Mapping) for stage in stages):
        raise ConfigError(f"{where}stages: expected a list of at least one stage, each with its fields; got {stages!r}")
    return read_options(Recipe, {**values, "stages": tuple(_parse_stage(stage, where) for stage in stages)}, where)


def _parse_stage(values: Mapping[str, Any], where: str) -> Stage:
    where = f"{where}stage {values.get('name')}: "
    task = values.get("task")
    check_choice(f"{where}task", task, tuple(TASKS))
    values = dict(values)
    # A dense stage refuses these by name, as it does any other unknown field.
    if task == "instruct" and values.get("data") is not None:
        values["data"] = read_parts(f"{where}data", values["data"])
    if task == "instruct" and values.get("replay") is not None:
        values["replay"] = Replay.of(values["replay"], f"{where}replay")
    if task == "instruct" and values.get("held_out") is not None:
        values["held_out"] = read_options(HeldOut, values["held_out"], f"{where}held_out.")
    if task == "instruct" and values.get("lora") is not None:
        values["lora"] = read_options(LoraOptions, values["lora"], f"{where}lora.")
    return read_options(TASKS[str(task)], values, where)


def _check_name(name: str) -> None:
    if not name or Path(name).name != name:
        raise ConfigError(f"name: expected a name fit for a folder; got {name!r}")


def _check_tasks(tasks: Mapping[str, float], batch: Mapping[str, int]) -> None:
    """Raises ConfigError for an unknown task, and for a modality of the batch that is left without any."""
    asked = [name for name in WORLD if name in batch or (PAIR in batch and name in chain(*PAIRS))]
    if tasks and not asked:
        raise ConfigError(f"tasks: expected rows of the world in the batch, whose tasks they are; got {list(batch)}")
    check_known("tasks.", tasks, tuple(dict.fromkeys(task for name in WORLD for task in task_weights(name))))
    if without := next((name for name in asked if not any(task_weights(name, tasks).values())), None):
        raise ConfigError(f"tasks: expected a task of {without} with a weight above 0; got none")


def _check_batch(batch: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if not batch:
        raise ConfigError(f"batch: expected a count for some of {', '.join(known)}; got none")
    check_known("batch.", batch, known)
