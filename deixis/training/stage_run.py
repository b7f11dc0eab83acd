"""Runs one stage of a recipe on transformers' Trainer: one loop for every stage, what differs is passed in.

Gives atomic checkpoints (a marker is written last), resume, TensorBoard logs of every loss by name, a progress bar.
The device is the Trainer's choice; on a CPU with bfloat16 the matrix products run in it.
"""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, no_type_check

import torch
import yaml
from torch import nn
from torch.utils.data import IterableDataset, get_worker_info
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.integrations import TensorBoardCallback
from transformers.trainer_utils import SchedulerType, get_last_checkpoint

from deixis.errors import CheckpointError, DeixisError, is_out_of_memory
from deixis.files.full_disk import full_disk_named
from deixis.files.state import stored
from deixis.files.whole import whole_file
from deixis.options import Count, Natural, NonNegative, check_choice, check_fields, plain_values

logger = logging.getLogger(__name__)
T = TypeVar("T")
COPY = "recipe.yaml"  # of the recipe, in the folder of its run
MODEL = "model"  # the folder that a stage ends with, in its own
DONE = "done"  # in a checkpoint that is whole


@no_type_check
@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a stage is optimised, logged and saved; fields of a stage in a recipe beside its task and data.

    Raises ConfigError for a field that does not fit.
    """

    learning_rate: NonNegative = 1e-3
    warmup_steps: Natural = 100
    weight_decay: NonNegative = 0.02
    schedule: str = "cosine"
    """Of the learning rate, a name of transformers' `SchedulerType`."""
    max_grad_norm: NonNegative = 1.0
    save_steps: Count = 500
    log_steps: Count = 20
    workers: Natural = 1
    """Processes that load batches; 0 loads them in the training process."""
    bf16: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_choice("schedule", self.schedule, [schedule.value for schedule in SchedulerType])


class PartTrainer(Trainer):
    """transformers' Trainer, with learning rates of single weights by `id`."""

    def __init__(self, rates: Mapping[int, float], **options: Any):
        super().__init__(**options)
        self.rates = rates

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        given = self.optimizer is not None
        optimizer = super().create_optimizer(model)
        if self.rates and not given:
            split = []
            for group in optimizer.param_groups:
                own: dict[float, list[nn.Parameter]] = {}
                for weight in group["params"]:
                    own.setdefault(self.rates.get(id(weight), group["lr"]), []).append(weight)
                split += [{**group, "params": weights, "lr": rate} for rate, weights in own.items()]
            optimizer.param_groups[:] = split
        return optimizer


class BatchStream(IterableDataset):
    """Batches `make(step)` for step = start, start + 1, ..., stop - 1, shared out among the loader's workers."""

    def __init__(self, make: Callable[[int], dict[str, Any]], start: int, stop: int):
        self.make, self.start, self.stop = make, start, stop

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        if worker:
            torch.set_num_threads(1)
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in range(self.start + first, self.stop, step):
            yield self.make(number)


def first(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The collator of a stream of whole batches."""
    return items[0]


class LossLog(TrainerCallback):
    """Adds the model's dictionary of losses, averaged since the last log, to what is logged.

    It must precede the callbacks that write logs, which write the values that they are given.
    """

    def __init__(self, model: nn.Module):
        self.sums: dict[str, list[float]] = {}
        model.register_forward_hook(self._record)

    def _record(self, module: nn.Module, args: Any, output: Any) -> None:
        if module.training:
            for name, value in output["losses"].items():
                self.sums.setdefault(name, []).append(float(value))

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs is not None and "loss" in logs:
            named = {name: round(sum(values) / len(values), 4) for name, values in self.sums.items()}
            logs |= named
            state.log_history[-1] |= named
            self.sums.clear()


class AtomicSave(TrainerCallback):
    """Keeps half-written checkpoints from counting: a checkpoint without its `done` file is removed on resume."""

    def on_train_begin(self, args, state, control, **kwargs):
        # the state of a checkpoint holds the intervals that its run had
        state.logging_steps, state.save_steps = args.logging_steps, args.save_steps

    def on_save(self, args, state, control, **kwargs):
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (folder / DONE).touch()


class FirstStep(TrainerCallback):
    """Whether a step has begun: what fails before is the fault of what the Trainer resumes from."""

    has_begun = False

    def on_step_begin(self, args, state, control, **kwargs):
        self.has_begun = True


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint under `folder`; halves left by a kill are removed."""
    while folder.is_dir() and (found := get_last_checkpoint(str(folder))):
        if (Path(found) / DONE).exists():
            return Path(found)
        logger.warning("removing the unfinished checkpoint %s", found)
        shutil.rmtree(found)
    return None


def last_step(folder: Path) -> int:
    """The step of the newest whole checkpoint under `folder`; 0 without one."""
    steps = (path.parent.name.removeprefix("checkpoint-") for path in folder.glob(f"checkpoint-*/{DONE}"))
    return max((int(step) for step in steps if step.isdecimal()), default=0)


def write_copy(recipe: Any, out: Path) -> None:
    """Writes the recipe of a run into its folder."""
    with whole_file(out / COPY) as part:
        part.write_text(yaml.safe_dump(plain_values(recipe), sort_keys=False), encoding="utf-8")


def read_copy(out: Path, read: Callable[[Path], T]) -> T:
    """`read` of the recipe of an earlier run. Raises DataError where it is damaged."""
    with stored(out / COPY, f"put the recipe there again, or remove the folder '{out}' to begin again"):
        return read(out / COPY)


def run_stage(
    model: nn.Module,
    make: Callable[[int], dict],
    steps: int,
    options: TrainingOptions,
    folder: Path,
    seed: int,
    optimizer: torch.optim.Optimizer | None = None,
    schedule_options: dict[str, Any] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    rates: Mapping[int, float] | None = None,
) -> None:
    """Trains `model` for `steps` on the batches `make(step)`, resuming from the newest checkpoint if there is one.

    `model(**batch)` must give {"loss", "losses"}. `optimizer` instead of AdamW; `schedule_options` of the schedule;
    rates: learning rates of weights that have their own, by `id`.
    """
    resume = last_checkpoint(folder)
    start = last_step(folder)
    arguments = _arguments(options, folder, steps, seed, schedule_options)
    board = TensorBoardCallback()
    board.logging_dir = str(folder / "logs")
    trainer = PartTrainer(
        rates=rates or {},
        model=model,
        args=arguments,
        train_dataset=BatchStream(make, start, steps),
        data_collator=first,
        callbacks=[LossLog(model), *callbacks, board, AtomicSave()],
        optimizers=(optimizer, None),
    )
    begun = FirstStep()
    trainer.add_callback(begun)
    try:
        with full_disk_named(folder), redirect_stdout(sys.stderr):  # where the bar is: stdout is the caller's
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    except DeixisError as error:
        # PyTorch puts the traceback of a loader's process into the message, before the sentence.
        kind = type(error)
        raise kind(str(error).rpartition(f"{kind.__module__}.{kind.__qualname__}: ")[2].strip()) from error
    except Exception as error:
        if resume is None or begun.has_begun or is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"'{resume}': expected a checkpoint to go on from, got a damaged one ({type(error).__name__}: "
            f"{' '.join(str(error).split())}); remove it, and the same command goes on from the one before"
        ) from error


def _arguments(
    options: TrainingOptions, folder: Path, steps: int, seed: int, schedule_options: dict[str, Any] | None
) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=1,
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup_steps,
        lr_scheduler_type=options.schedule,
        lr_scheduler_kwargs=schedule_options or {},
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        adam_beta2=0.98,
        bf16=options.bf16,
        logging_steps=options.log_steps,
        save_steps=options.save_steps,
        save_total_limit=2,
        dataloader_num_workers=options.workers,
        dataloader_prefetch_factor=4 if options.workers else None,
        remove_unused_columns=False,
        ignore_data_skip=True,
        accelerator_config={"dispatch_batches": False, "split_batches": False},  # else it cuts tensors at batch rows
        disable_tqdm=False,  # else the bar goes where the messages of transformers are turned down
        report_to=[],  # TensorBoard is added below, behind the callback that names the losses
        seed=seed,
        use_cpu=not torch.cuda.is_available() and not torch.backends.mps.is_available(),
    )
