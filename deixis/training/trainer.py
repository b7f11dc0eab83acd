"""transformers' Trainer for stages of whole batches: learning rates by part, losses by name, whole checkpoints.

A loss or gradient that is not finite stops the run, with the samples that it came from, before a weight is changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import IterableDataset, get_worker_info
from transformers import Trainer, TrainerCallback

from deixis.errors import DataError
from deixis.training.guidance import SAMPLE_IDS
from deixis.training.run_folder import DONE, last_step

SHOWN_IDS = 20


class PartTrainer(Trainer):
    """transformers' Trainer, with learning rates of single weights by `id`, and batches that say what they hold.

    Raises DataError for a loss or gradient that is not finite.
    """

    def __init__(self, rates: Mapping[int, float], **options: Any):
        super().__init__(**options)
        self.rates = rates
        self.model_accepts_loss_kwargs = False  # a batch's loss is its mean, and a step's the mean of its batches
        self.seen_ids: list[str] = []  # since the last step
        self.add_callback(FiniteGradients(self))

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        self.seen_ids += (ids := inputs.pop(SAMPLE_IDS, ()))
        result = super().compute_loss(model, inputs, *args, **kwargs)
        loss = result[0] if isinstance(result, tuple) else result
        if model.training and not bool(torch.isfinite(loss).all()):
            raise self.not_finite("loss", ids)
        return result

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
        # clipping divides all gradients by their common norm, so that one of them shows for all
        gradient = next((w.grad for w in kwargs["model"].parameters() if w.grad is not None), None)
        if gradient is not None and not bool(torch.isfinite(gradient).all()):
            raise self.trainer.not_finite("gradient", self.trainer.seen_ids)
        self.trainer.seen_ids.clear()


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
        state.logging_steps, state.save_steps, state.eval_steps = args.logging_steps, args.save_steps, args.eval_steps

    def on_save(self, args, state, control, **kwargs):
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (folder / DONE).touch()


class FirstStep(TrainerCallback):
    """Whether a step has begun: what fails before is the fault of the checkpoint that the Trainer resumes from."""

    def __init__(self, trainer: PartTrainer, resume: Path | None):
        self.trainer, self.resume, self.has_begun = trainer, resume, False

    def on_step_begin(self, args, state, control, **kwargs):
        if not self.has_begun and self.resume is not None:
            # once more: the loader was made after the Trainer restored the generators, and has drawn from them
            self.trainer._load_rng_state(str(self.resume))
        self.has_begun = True
