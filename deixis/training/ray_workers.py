"""Training by the workers of a Ray cluster (Ray Train): the processes of `training.processes`, started by Ray.

A worker that is lost is replaced, and all go on from the last checkpoint in the folder of the run, which every machine
sees. Checkpoints are reported to Ray where they lie, not copied. An error that comes again ends the run at once.
"""

import logging
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from torch.distributed import DistError

from deixis.cluster import LOCAL, connect, has_gpus
from deixis.errors import ConfigError, DeixisError, InputError, UnsupportedError, is_out_of_memory, one_line
from deixis.files.locks import LOCK, alone_in
from deixis.training.classifier import ClassifyRecipe
from deixis.training.processes import is_first, share
from deixis.training.ray_board import Lines, board_shown
from deixis.training.recipe import model_folder, run_stages
from deixis.training.recipe_file import Recipe

MOST_LOST = 5
"""Times that workers are lost and replaced in a run; the same command goes on."""
OF_RAY = ("checkpoint_manager_snapshot.json", ".validate_storage_marker")
"""Files that Ray writes into the folder of a run: a later run would look there for checkpoints that are gone."""


@dataclass(frozen=True)
class RayWorkers:
    """How many processes train, and the cluster that starts them: an address, or `LOCAL`."""

    count: int
    address: str = LOCAL

    def check(self, recipe: Recipe | ClassifyRecipe) -> None:
        """Raises ConfigError for a recipe that so many processes cannot train."""
        if isinstance(recipe, ClassifyRecipe):
            raise ConfigError("--ray: expected a recipe of stages; got one of a classifier, which one process trains")
        for stage in recipe.stages:
            share(stage.accumulate, f"stage {stage.name}: ", self.count)


def train_on_ray(recipe: Recipe | ClassifyRecipe, out: Path, workers: RayWorkers) -> Path:
    """Runs all stages under `out` as `training.recipe.train` does, and raises what that raises.

    Raises InputError where there is no such cluster, or where it is too small; UnsupportedError where workers are lost
    again and again.
    """
    workers.check(recipe)
    assert isinstance(recipe, Recipe)
    connect(workers.address)
    out, with_gpus = Path(os.path.abspath(out)), has_gpus("--ray", workers.count, "workers")
    with alone_in(out), _without_files_of_ray(out):  # held here, for the workers, any of which may be killed
        _fit(recipe, out, workers.count, with_gpus)
    return model_folder(recipe.stages[-1], out)


def _fit(recipe: Recipe, out: Path, count: int, with_gpus: bool) -> None:
    import ray
    import ray.train
    from ray.train.torch import TorchTrainer

    own: Any = ray.train  # whose types are those of its first version, where not said otherwise
    with board_shown() as board:
        trainer = TorchTrainer(
            partial(_work, recipe, out, Path.cwd(), board),
            scaling_config=own.ScalingConfig(num_workers=count, use_gpu=with_gpus),
            run_config=own.RunConfig(
                name=out.name,
                storage_path=str(out.parent),  # with the name, the folder of the run: its checkpoints are Ray's too
                failure_config=own.FailureConfig(max_failures=MOST_LOST),
            ),
        )
        failed: Exception | None = None
        try:
            with _ended_as_usual():
                trainer.fit()
        except own.TrainingFailedError as error:
            failed = error
        if (error := ray.get(board.error.remote())) is not None:
            raise error
    if failed is not None:
        raise _of_lost_workers(failed) or failed


@contextmanager
def _ended_as_usual() -> Generator[None]:
    """Interrupts and signals that end the process raise what they raise elsewhere.

    Ray answers an interrupt by a handler of its own, which stays, and makes SystemExit(1) of any SystemExit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ended: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        ended.append(number)
        sys.exit(1)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except SystemExit:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.raise_signal(ended[0] if ended else signal.SIGINT)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _of_lost_workers(error: Exception) -> UnsupportedError | None:
    """The sentence, where it is processes that went, not an error that one raised."""
    from ray.exceptions import RayActorError

    failures: Mapping[int, Exception] = getattr(error, "worker_failures", {})
    lost = [rank for rank, failure in failures.items() if isinstance(failure, RayActorError)]
    if not lost:
        return None
    return UnsupportedError(
        f"--ray: worker {lost[0]} was lost, as others before it, more than {MOST_LOST} times: killed, perhaps for want "
        f"of memory, or with its machine ({one_line(failures[lost[0]], 300)}); the same command goes on"
    )


@contextmanager
def _without_files_of_ray(out: Path) -> Generator[None]:
    def remove() -> None:
        for name in OF_RAY:
            (out / name).unlink(missing_ok=True)

    remove()
    try:
        yield
    finally:
        remove()


def _work(recipe: Recipe, out: Path, folder: Path, board: Any) -> None:
    """What every worker does. folder: to which paths in the recipe are relative."""
    import ray

    if ray.get(board.error.remote()) is not None:
        return  # Ray tries again whatever failed
    try:
        if not (out / LOCK).exists():
            raise InputError(
                f"--out: expected a folder that all machines see, got '{out}', unseen by {platform.node()}"
            )
        with suppress(OSError):  # of another machine, on which the recipe may name absolute paths
            os.chdir(folder)
        with _told(board) if is_first() else nullcontext():
            run_stages(recipe, out, _report)
    except Exception as error:
        if not _may_go_by(error):
            ray.get(board.fail.remote(_portable(error)))
        raise


@contextmanager
def _told(board: Any) -> Generator[None]:
    """The log of training, and its bar, go to the board; for the rest of this process, which does nothing else."""
    lines, log = Lines(board), logging.getLogger("deixis")
    log.addHandler(logging.StreamHandler(lines))
    log.setLevel(logging.INFO)
    log.propagate = False  # to Ray's own handler
    logging.getLogger("ray.train").setLevel(logging.ERROR)
    logging.getLogger().setLevel(logging.WARNING)  # of Ray's loggers that are named after their files
    with redirect_stderr(lines):
        yield


def _report(checkpoint: Path, metrics: dict[str, Any]) -> None:
    """Every worker reports; the checkpoint is that of the first."""
    from ray.train import Checkpoint, CheckpointUploadMode, report

    own = Checkpoint.from_directory(checkpoint) if is_first() else None
    report(metrics, checkpoint=own, checkpoint_upload_mode=CheckpointUploadMode.NO_UPLOAD)


def _may_go_by(error: BaseException) -> bool:
    """Whether it may come of another worker that was lost: PyTorch and Ray say no more than that a call failed."""
    from ray.exceptions import RayError

    if isinstance(error, DeixisError):  # whose cause may be the loss, while a checkpoint was read
        return isinstance(error.__cause__, RayError | DistError) or "gloo" in str(error.__cause__)
    return isinstance(error, RuntimeError | RayError) and not is_out_of_memory(error)


def _portable(error: Exception) -> Exception:
    """The error of a user as it is; a bug with its traceback, which does not travel, in words."""
    if isinstance(error, DeixisError | OSError) or is_out_of_memory(error):
        return error
    return RuntimeError(f"in a worker:\n{traceback.format_exc()}")
