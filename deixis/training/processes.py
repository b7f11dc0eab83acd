"""The processes of a training, each of which runs the same code on batches of its own: which one this is, and what the
first does for all.

They are started by torchrun, accelerate launch or Ray, whose environment accelerate reads; without one there is a
single process. Everything is written by the first process; the folder of a run is on a disk that all of them see.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

from deixis.errors import ConfigError
from deixis.files.locks import alone_in

T = TypeVar("T")


def on_cpu() -> bool:
    """Whether there is no accelerator to train on."""
    return not torch.cuda.is_available() and not torch.backends.mps.is_available()


def device() -> torch.device:
    """The device that this process trains on."""
    found = _state().device
    assert found is not None, "a group of processes has joined"
    return found


def _state() -> PartialState:
    """Joins the group of processes at the first call."""
    return PartialState(cpu=on_cpu())


def process_count() -> int:
    return _state().num_processes


def process_index() -> int:
    """From 0, over all machines."""
    return _state().process_index


def is_first() -> bool:
    return process_index() == 0


def wait_for_all() -> None:
    _state().wait_for_everyone()


def by_first(act: Callable[[], object]) -> None:
    """Runs `act` in the first process, after all have read what it may change and before any goes on."""
    wait_for_all()
    if is_first():
        act()
    wait_for_all()


@contextmanager
def alone_together(folder: Path) -> Generator[None]:
    """The first process holds a folder for all, as `files.locks.alone_in`, until all are done with it."""
    with alone_in(folder) if is_first() else nullcontext():
        wait_for_all()
        yield
        wait_for_all()


def gathered(own: T) -> list[T]:
    """What each process has, in their order; all must call it."""
    return gather_object([own]) if process_count() > 1 else [own]


def share(accumulate: int, where: str = "", count: int | None = None) -> int:
    """How many of the `accumulate` batches of a step each process takes, of `count` (default: those that there are).

    Raises ConfigError where they are not equally many; the message begins with `where`.
    """
    count = process_count() if count is None else count
    own, left = divmod(accumulate, count)
    if left:
        raise ConfigError(
            f"{where}accumulate: expected a multiple of {count}, for so many processes share the batches of a step; "
            f"got {accumulate}"
        )
    return own


def leave() -> None:
    """Leaves the group of processes, at the end of all work."""
    _state().destroy_process_group()
