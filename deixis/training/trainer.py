"""transformers' Trainer for stages of whole batches: learning rates by part, losses by name, whole checkpoints.

A loss or gradient that is not finite stops the run, with the samples that it came from, before a weight is changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import TrainerCallback
from transformers.trainer_utils import EvalLoopOutput

from deixis.errors import DataError
from deixis.training.flops import FlopCounter
from deixis.training.guidance import SAMPLE_IDS
from deixis.training.processes import gathered, is_first, process_count, process_index, wait_for_all
from deixis.training.run_folder import DONE, last_step
from deixis.training.sharding import ShardingTrainer, is_sharded, touching_all

NUMBER = "number"
"""Of a batch in its stream: a field beside those of `make`."""
SHOWN_IDS = 20
Saved = Callable[[Path, dict[str, Any]], None]
"""What is called with the folder of a checkpoint, and what was logged last before it."""


class PartTrainer(ShardingTrainer):
    """transformers' Trainer, with learning rates of single weights by `id`, and batches that say what they hold.

    flops: counts what it computes.

    Raises DataError for a loss or gradient that is not finite.
    """

    def __init__(self, rates: Mapping[int, float], flops: FlopCounter, **options: Any):
        super().__init__(**options)
        self.rates, self.flops = rates, flops
        self.model_accepts_loss_kwargs = False  # a batch's loss is its mean, and a step's the mean of its batches
        self.seen_ids: list[str] = []  # since the last step
        self.add_callback(FiniteGradients(self))

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        ids, number = inputs.pop(SAMPLE_IDS, ()), inputs.pop(NUMBER)
        if model.training:
            self.seen_ids += ids
            # dropout depends on the batch alone, not on what this process did before, or which one it is
            torch.manual_seed(np.random.SeedSequence([self.args.seed, number]).generate_state(1).item())
        result = super().compute_loss(model, inputs, *args, **kwargs)
        loss = result[0] if isinstance(result, tuple) else result
        if model.training and not bool(torch.isfinite(loss).all()):
            raise self.not_finite("loss", ids)
        if model.training and is_sharded():
            return touching_all(model, loss)
        return result

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        with self.flops.batch():
            return super().training_step(*args, **kwargs)

    def not_finite(self, what: str, ids: Sequence[str]) -> DataError:
        """The error of a step, with the ids of its samples, and where the run can go on from."""
        folder = Path(str(self.args.output_dir))
        before = last_step(folder)
        kept = f"the checkpoint of step {before} is kept in {folder}" if before else "there is no checkpoint yet"
        named = ", ".join(ids[:SHOWN_IDS]) + (f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else "")
        return DataError(
            f"step {self.state.global_step + 1}: expected a finite {what}, got nan or infinity from the samples "
            f"{named or 'of this step'}; {kept}; lower the learning rate, or look at these samples"
        )

    def get_train_dataloader(self) -> DataLoader:
        return self._loader(self.train_dataset)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        return self._loader(self.eval_dataset if eval_dataset is None else eval_dataset)

    def _loader(self, stream: Any) -> DataLoader:
        """Not prepared by accelerate, which would share out a second time what `BatchStream` has shared out."""
        return DataLoader(
            stream,
            collate_fn=first,
            num_workers=self.args.dataloader_num_workers,
            prefetch_factor=self.args.dataloader_prefetch_factor,
            pin_memory=self.args.dataloader_pin_memory,
        )

    @torch.no_grad()
    def evaluation_loop(
        self,
        dataloader: DataLoader,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """The mean loss over the batches of all processes."""
        # the network itself, not DDP around it, which only synchronises gradients; sharded weights need their engine
        model: Any = self.model_wrapped if self.is_deepspeed_enabled else self.model
        model.eval()
        stream: Any = dataloader.dataset
        nothing: Any = None
        losses: list[float] = []
        for batch in dataloader:
            is_new = batch[NUMBER] < stream.stop
            loss = self.compute_loss(model, self._prepare_inputs(batch))
            losses += [float(loss)] * is_new
        every = list(chain.from_iterable(gathered(losses)))
        return EvalLoopOutput(nothing, nothing, {f"{metric_key_prefix}_loss": fmean(every)}, len(every))

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


class FiniteGradients(TrainerCallback):
    """Stops before a step whose gradients are not finite: after it every weight would be nan."""

    def __init__(self, trainer: PartTrainer):
        self.trainer = trainer

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        # of all: clipping by an infinite norm makes finite ones 0, and nan of the infinite ones alone
        found = [weight.grad for weight in kwargs["model"].parameters() if weight.grad is not None]
        norm = get_total_norm([own.to_local() if isinstance(own, DTensor) else own for own in found])
        is_finite = bool(torch.isfinite(norm))
        # unsharded gradients are the same in every process
        if not (all(gathered(is_finite)) if is_sharded() else is_finite):
            raise self.trainer.not_finite("gradient", self.trainer.seen_ids)
        self.trainer.seen_ids.clear()


class BatchStream(IterableDataset):
    """This process's share of the batches `make(number)`, number = start, ..., stop - 1: each process takes every nth.

    Of n processes, each yields equally many, as all must do a step together; those behind the end repeat the last batch
    under a number of their own. Loader workers share what the process takes.
    """

    def __init__(self, make: Callable[[int], dict[str, Any]], start: int, stop: int):
        self.make, self.start, self.stop = make, start, stop
        self.index, self.count = process_index(), process_count()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        if worker:
            torch.set_num_threads(1)
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        end = self.start + -(-(self.stop - self.start) // self.count) * self.count
        for number in range(self.start + self.index, end, self.count)[first::step]:
            yield {**self.make(min(number, self.stop - 1)), NUMBER: number}


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
            every = gathered(self.sums)
            values = {name: [x for own in every for x in own.get(name, ())] for name in dict.fromkeys(chain(*every))}
            named = {name: round(fmean(own), 4) for name, own in values.items()}
            logs |= named
            state.log_history[-1] |= named
            self.sums.clear()


class AtomicSave(TrainerCallback):
    """Keeps half-written checkpoints from counting: a checkpoint without its `done` file is removed on resume.

    saved: called with each that is whole.
    """

    def __init__(self, saved: Saved | None = None):
        self.saved = saved

    def on_train_begin(self, args, state, control, **kwargs):
        # the state of a checkpoint holds the intervals that its run had
        state.logging_steps, state.save_steps, state.eval_steps = args.logging_steps, args.save_steps, args.eval_steps

    def on_save(self, args, state, control, **kwargs):
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        wait_for_all()  # each has written the state of its random numbers
        if is_first():
            (checkpoint / DONE).touch()
        wait_for_all()
        if self.saved is not None:
            self.saved(checkpoint, dict(state.log_history[-1]) if state.log_history else {"step": state.global_step})


class FirstStep(TrainerCallback):
    """Whether a step has begun: what fails before is the fault of the checkpoint that the Trainer resumes from."""

    has_begun = False

    def on_step_begin(self, args, state, control, **kwargs):
        self.has_begun = True
