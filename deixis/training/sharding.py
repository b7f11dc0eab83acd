"""Weights that processes share out among themselves (FSDP2, where accelerate's configuration says so).

Sharding changes a network for good, so a stage trains a copy, and the plain network takes its weights afterwards.
Checkpoints are those of one process, so that any number of processes goes on with them, sharded or not.
"""

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map
from transformers import Trainer
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME
from transformers.utils import SAFE_WEIGHTS_NAME

from deixis.errors import UnsupportedError
from deixis.training.processes import process_count


def is_sharded() -> bool:
    """Whether the launcher asks for it."""
    return process_count() > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def copied(model: nn.Module, rates: Mapping[int, float]) -> tuple[nn.Module, dict[int, float]]:
    """The copy to shard, and learning rates of single weights by the `id` that they have in it."""
    own = copy.deepcopy(model)
    pairs = zip(model.parameters(), own.parameters(), strict=True)
    return own, {id(new): rates[id(old)] for old, new in pairs if id(old) in rates}


def touching_all(model: nn.Module, loss: torch.Tensor) -> torch.Tensor:
    """The same loss, of which every trained weight is a part: gradients are reduced in groups, whose sizes must be
    equal in all processes, and a batch without images has no gradient for theirs.

    Those of a part that no process has used are 0 then, not none, and weight decay works on it. The layers of the
    language model, sharded by themselves, are in every batch.
    """
    whole = [weight for weight in model.parameters() if weight.requires_grad and not isinstance(weight, DTensor)]
    return loss + 0 * sum((weight.sum() for weight in whole), torch.zeros_like(loss))


@torch.no_grad()
def take_back(model: nn.Module, sharded: Any) -> None:
    """Copies the trained weights, one after the other, into the plain network of every process."""
    own = dict(sharded.named_parameters())
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            weight.copy_(_whole(own[name]))


class ShardingTrainer(Trainer):
    """transformers' Trainer, whose checkpoints of sharded weights are those of whole ones.

    Raises UnsupportedError for the first version of FSDP.
    """

    def __init__(self, **options: Any):
        super().__init__(**options)
        if is_sharded():
            _set_up(self.accelerator)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        if not is_sharded():
            super().save_model(output_dir, _internal_call)
            return
        trained = {name: weight for name, weight in self._named() if weight.requires_grad}
        state = {name: _whole(weight.detach()) for name, weight in trained.items()}
        if self.args.should_save:
            self._save(output_dir, state_dict=state)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not is_sharded():
            super()._save_optimizer_and_scheduler(output_dir)
            return
        optimizer, schedule = self._optimizer_and_schedule()
        state = tree_map(_whole, optimizer.state_dict())
        if self.args.should_save:
            torch.save(state, Path(output_dir) / OPTIMIZER_NAME)
            torch.save(schedule.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if is_sharded():
            self._load_weights(Path(resume_from_checkpoint))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_best_model(self) -> None:
        if is_sharded():
            self._load_weights(Path(str(self.state.best_model_checkpoint)))
        else:
            super()._load_best_model()

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or not is_sharded():
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        state = torch.load(Path(checkpoint) / OPTIMIZER_NAME, map_location="cpu", weights_only=True)
        optimizer, schedule = self._optimizer_and_schedule()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        for number, own in state["state"].items():
            state["state"][number] = {name: _sharded_as(value, weights[number]) for name, value in own.items()}
        optimizer.load_state_dict(state)
        schedule.load_state_dict(torch.load(Path(checkpoint) / SCHEDULER_NAME, weights_only=True))

    @torch.no_grad()
    def _load_weights(self, checkpoint: Path) -> None:
        kept = load_file(checkpoint / SAFE_WEIGHTS_NAME)
        for name, weight in self._named():
            if weight.requires_grad:
                weight.copy_(_sharded_as(kept[name], weight))

    def _optimizer_and_schedule(self) -> tuple[Any, Any]:
        return self.optimizer, self.lr_scheduler

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        model: Any = self.model
        return list(model.named_parameters())


def _set_up(accelerator: Accelerator) -> None:
    plugin: Any = accelerator.state.fsdp_plugin
    if plugin.fsdp_version != 2:
        raise UnsupportedError(f"fsdp_version: expected 2 in accelerate's configuration, got {plugin.fsdp_version}")
    plugin.cpu_ram_efficient_loading = False  # it reads frozen weights from the state, which holds trained ones alone


def _whole(value: Any) -> Any:
    """On the CPU, where it was sharded; all processes must call it."""
    return value.full_tensor().cpu().clone() if isinstance(value, DTensor) else value


def _sharded_as(value: Any, weight: torch.Tensor) -> Any:
    """The share of this process of a tensor that has the shape of a weight; other values as they are."""
    if not isinstance(weight, DTensor) or not isinstance(value, torch.Tensor) or value.shape != weight.shape:
        return value
    return distribute_tensor(value.to(weight.device), weight.device_mesh, weight.placements)
