"""Runs one stage of a recipe on transformers' Trainer: one loop for every stage, what differs is passed in.

Gives atomic checkpoints (a marker is written last), resume, TensorBoard logs of every loss by name, a progress bar.
The device is the Trainer's choice; matrix products run in bfloat16 where the device is fast in it.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, no_type_check

import torch
from torch import nn
from transformers import EarlyStoppingCallback, TrainerCallback, TrainingArguments
from transformers.integrations import TensorBoardCallback, get_reporting_integration_callbacks
from transformers.trainer import TRAINER_STATE_NAME

from deixis.errors import CheckpointError, ConfigError, DeixisError, UnsupportedError, is_out_of_memory, one_line
from deixis.files.full_disk import full_disk_named
from deixis.model.devices import multiplies_bfloat16
from deixis.options import Bounds, Count, Natural, NonNegative, check_choice, check_fields
from deixis.training.processes import by_first, device, on_cpu, share
from deixis.training.run_folder import last_checkpoint, last_step
from deixis.training.sharding import copied, is_sharded, take_back
from deixis.training.speed import SpeedLog
from deixis.training.trainer import (
    AtomicSave,
    BatchStream,
    FirstStep,
    LossLog,
    PartTrainer,
    Saved,
)

logger = logging.getLogger(__name__)
WITH_MINIMUM = "cosine_with_min_lr"
Share = Annotated[float, Bounds(least=0, below=1)]
SCHEDULES = ("linear", "cosine", WITH_MINIMUM, "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup")
SCHEDULES += ("inverse_sqrt",)
"""Those of transformers that a number of steps, of warmup and a least rate describe."""
TRACKERS = ("comet_ml", "mlflow", "swanlab", "trackio", "wandb")


@no_type_check
@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a stage is optimised, logged and saved; fields of a stage in a recipe beside its task and data.

    Raises ConfigError for a field that does not fit.
    """

    learning_rate: NonNegative = 1e-3
    min_learning_rate: NonNegative = 0.0
    """Where the schedule "cosine_with_min_lr" ends."""
    warmup_steps: NonNegative = 100
    """In which the learning rate rises from 0; below 1, a share of all steps."""
    weight_decay: NonNegative = 0.02
    betas: tuple[Share, Share] = (0.9, 0.98)
    """Of AdamW."""
    schedule: str = "cosine"
    """Of the learning rate, one of `SCHEDULES`."""
    max_grad_norm: NonNegative = 1.0
    save_steps: Count = 500
    log_steps: Count = 20
    workers: Natural = 1
    """Processes that load batches; 0 loads them in the training process."""
    bf16: bool = True
    """Matrix products in bfloat16, with losses and weights in float32; float32 alone on a CPU that is slow in it."""
    accumulate: Count = 1
    """Batches per step, whose gradients are averaged; processes share them equally."""
    report_to: tuple[str, ...] = ()
    """Trackers beside TensorBoard, names of transformers' `report_to` such as "trackio" and "wandb"."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_choice("schedule", self.schedule, SCHEDULES)
        if self.min_learning_rate and self.schedule != WITH_MINIMUM:
            raise ConfigError(f"min_learning_rate: expected beside schedule {WITH_MINIMUM}; got {self.schedule}")
        if self.warmup_steps >= 1 and self.warmup_steps != int(self.warmup_steps):
            raise ConfigError(f"warmup_steps: expected a whole number, or a share below 1; got {self.warmup_steps}")
        for name in self.report_to:
            check_choice("report_to", name, TRACKERS)


def run_stage(
    model: nn.Module,
    make: Callable[[int], dict],
    steps: int,
    options: TrainingOptions,
    folder: Path,
    seed: int,
    optimizer: torch.optim.Optimizer | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    rates: Mapping[int, float] | None = None,
    held_out: Iterable[dict[str, Any]] | None = None,
    patience: int | None = None,
    keep: Literal["best", "last"] = "best",
    saved: Saved | None = None,
) -> None:
    """Trains `model` for `steps` on the batches `make(step)`, resuming from the newest checkpoint if there is one.

    `model(**batch)` must give {"loss", "losses"}. optimizer: instead of AdamW. rates: learning rates of weights that
    have their own, by `id`. held_out: batches whose loss is measured at every checkpoint; the model ends with the
    weights of the best (or last, by `keep`), and stops after `patience` checkpoints without a better one. saved: called
    in every process with each checkpoint once it is whole.
    """
    own_batches, plain = share(options.accumulate), model
    if is_sharded():
        model, rates = copied(model, rates or {})
    by_first(lambda: last_checkpoint(folder))  # removes halves
    resume = last_checkpoint(folder)
    start = last_step(folder)
    if resume is not None and patience is not None and _stopped_early(resume, patience):
        steps = start  # it was killed afterwards: there is nothing to train, but the best weights to go back to
    arguments = _arguments(model, options, folder, steps, seed, own_batches, None if held_out is None else keep)
    begun, speed = FirstStep(), SpeedLog(model)
    # logs are written behind the callbacks that name the losses, and a checkpoint is whole after all others
    every = [LossLog(model), speed, begun, *callbacks, *_logs(options, folder), *_early_stop(patience)]
    trainer = PartTrainer(
        rates=rates or {},
        flops=speed.flops,
        model=model,
        args=arguments,
        train_dataset=BatchStream(make, start * options.accumulate, steps * options.accumulate),
        eval_dataset=held_out,
        callbacks=[*every, AtomicSave(saved)],
        optimizers=(optimizer, None),
    )
    try:
        with full_disk_named(folder), redirect_stdout(sys.stderr):  # where the bar is: stdout is the caller's
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        if is_sharded():
            take_back(plain, trainer.model)
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


def _logs(options: TrainingOptions, folder: Path) -> list[TrainerCallback]:
    """TensorBoard and other trackers. Raises UnsupportedError where one is not installed."""
    board = TensorBoardCallback()
    board.logging_dir = str(folder / "logs")
    try:
        return [board] + [own() for own in get_reporting_integration_callbacks(list(options.report_to))]
    except (ImportError, RuntimeError) as error:
        raise UnsupportedError(f"report_to: {one_line(error)}") from None


def _stopped_early(checkpoint: Path, patience: int) -> bool:
    try:
        callbacks = json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))["stateful_callbacks"]
        own = callbacks[EarlyStoppingCallback.__name__]["attributes"]
        return own["early_stopping_patience_counter"] >= patience
    except (OSError, ValueError, LookupError, TypeError):  # a damaged one is told of when the Trainer reads it
        return False


def _early_stop(patience: int | None) -> list[TrainerCallback]:
    return [] if patience is None else [EarlyStoppingCallback(patience)]


def runs_mixed(model: nn.Module, options: TrainingOptions) -> bool:
    """Whether a stage's matrix products run in bfloat16; where they do not although they should, it is logged."""
    if not options.bf16 or multiplies_bfloat16(device()):
        return options.bf16
    # beside weights that are held in bfloat16, only mixed precision brings the types of a product together
    if any(weight.dtype == torch.bfloat16 for weight in model.parameters()):
        logger.warning("this processor multiplies bfloat16 slowly: dtype: float32 would be faster, if it fits")
        return True
    logger.info("bf16: this processor multiplies bfloat16 slowly: matrix products run in float32")
    return False


def _arguments(
    model: nn.Module,
    options: TrainingOptions,
    folder: Path,
    steps: int,
    seed: int,
    own_batches: int,
    kept: Literal["best", "last"] | None,
) -> TrainingArguments:
    measured: dict[str, Any] = {
        "eval_strategy": "steps",
        "eval_steps": options.save_steps,
        "load_best_model_at_end": kept == "best",
        "metric_for_best_model": "loss",
        "greater_is_better": False,
        "prediction_loss_only": True,
        "restore_callback_states_from_checkpoint": True,  # how often there was no better one
    }
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=own_batches,
        label_names=["labels"],
        **(measured if kept is not None else {}),
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup_steps,
        lr_scheduler_type=options.schedule,
        lr_scheduler_kwargs={"min_lr": options.min_learning_rate} if options.schedule == WITH_MINIMUM else {},
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        adam_beta1=options.betas[0],
        adam_beta2=options.betas[1],
        bf16=runs_mixed(model, options),
        logging_steps=options.log_steps,
        save_steps=options.save_steps,
        save_total_limit=2,
        dataloader_num_workers=options.workers,
        dataloader_prefetch_factor=4 if options.workers else None,
        remove_unused_columns=False,
        ignore_data_skip=True,
        ddp_find_unused_parameters=True,  # a batch without images gives their part no gradient
        disable_tqdm=False,  # else the bar goes where the messages of transformers are turned down
        report_to=[],  # trackers are added behind the callback that names the losses
        seed=seed,
        use_cpu=on_cpu(),
    )
