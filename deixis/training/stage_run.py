"""Runs one stage of a recipe on transformers' Trainer: one loop for every stage, what differs is passed in.

Gives atomic checkpoints (a marker is written last), resume, TensorBoard logs of every loss by name, a progress bar.
The device is the Trainer's choice; on a CPU with bfloat16 the matrix products run in it.
"""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, no_type_check

import torch
from torch import nn
from transformers import TrainerCallback, TrainingArguments
from transformers.integrations import TensorBoardCallback
from transformers.trainer_utils import SchedulerType

from deixis.errors import CheckpointError, DeixisError, is_out_of_memory, one_line
from deixis.files.full_disk import full_disk_named
from deixis.options import Count, Natural, NonNegative, check_choice, check_fields
from deixis.training.run_folder import last_checkpoint, last_step
from deixis.training.trainer import AtomicSave, BatchStream, FirstStep, LossLog, PartTrainer, first

logger = logging.getLogger(__name__)


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
            f"{one_line(error)}); remove it, and the same command goes on from the one before"
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
