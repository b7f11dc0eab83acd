"""The folder of a run: the copy of its recipe, checkpoints, and the model with which each stage ends.

RUN/recipe.yaml
RUN/STAGE/checkpoint-STEP/   whole where it holds `done`
RUN/STAGE/model/             the stage is done where it is there
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from torch import nn
from transformers.trainer_utils import get_last_checkpoint

from deixis.errors import CheckpointError, one_line
from deixis.files.state import stored
from deixis.files.whole import whole_file, whole_folder
from deixis.model.processor import DeixisProcessor
from deixis.options import plain_values

logger = logging.getLogger(__name__)
T = TypeVar("T")
COPY = "recipe.yaml"
MODEL = "model"
DONE = "done"
HEADS = "dense_heads.safetensors"  # of the pretraining, in the folder of a model
SHARD_SIZE = "14MB"


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


def save(model, heads: nn.ModuleDict, processor: DeixisProcessor, folder: Path) -> None:
    """Writes network, processor and heads to a temporary name, then renames: the folder is whole or not there."""
    from safetensors.torch import save_file

    with whole_folder(folder) as part:
        model.save_pretrained(part, max_shard_size=SHARD_SIZE)
        processor.save_pretrained(part)
        save_file({k: v.contiguous() for k, v in heads.state_dict().items()}, part / HEADS)


def load_into(model, heads: nn.ModuleDict, folder: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from deixis.checkpoints import open_pretrained

    trained, _ = open_pretrained(folder, dtype=torch.float32)
    model.load_state_dict(trained.state_dict())
    path = folder / HEADS
    try:
        heads.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"'{path}': expected the heads of the stage before, got a damaged file ({one_line(error)}); "
            f"remove '{folder}', and the same command trains that stage again"
        ) from None
