"""Tasks done by processes of this machine, or by a Ray cluster: the same results, whoever does them.

A task is a picklable call that writes files of its own and returns little. Results come in the order of the tasks.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar

from deixis.cluster import connect
from deixis.errors import DataError, DeixisError

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Workers:
    """Who does the work: `processes` of this machine (1: this one itself), or `ray`, a cluster's address or "local"."""

    processes: int = 1
    ray: str | None = None


def map_ordered(do: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers) -> Iterator[Result]:
    """`do(task)` of every task, in order, as they are done.

    Raises whatever `do` raises; tasks under way then end and the others are not begun. Raises DataError where a
    process is killed, by want of memory for instance, and InputError where there is no such cluster.
    """
    if not tasks:
        return
    if workers.ray is not None:
        yield from _on_ray(do, tasks, workers.ray)
    elif workers.processes == 1 or len(tasks) < 2:
        yield from map(do, tasks)
    else:
        yield from _in_processes(do, tasks, workers.processes)


def _in_processes(do: Callable[[Task], Result], tasks: Sequence[Task], processes: int) -> Iterator[Result]:
    # fresh processes: a copy of this one would share its threads' locks, and GPU handles
    count = min(processes, len(tasks))
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_use_one_thread) as pool:
        futures = deque(pool.submit(do, task) for task in tasks)
        try:
            while futures:
                yield futures.popleft().result()
        except BrokenProcessPool:
            raise DataError(
                "a process was killed, perhaps for want of memory: run the same command again to go on, with fewer "
                "--workers"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _use_one_thread() -> None:
    """Processes share the cores among them: a model in each, on all cores, would make all of them wait."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def _on_ray(do: Callable[[Task], Result], tasks: Sequence[Task], address: str) -> Iterator[Result]:
    """By Ray Data: one block a task, results as rows. The nodes must see the same files at the same paths."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    connect(address)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    rows = ray.data.from_items([{"task": number} for number in range(len(tasks))], override_num_blocks=len(tasks))
    for row in rows.map(_RayTask(do, tasks), num_cpus=1).iter_rows():
        result = row["result"].value
        if isinstance(result, Exception):
            raise result
        yield result


@dataclass(frozen=True)
class _Held:
    """A result, or what stopped its task, as one value of a table."""

    value: Any


@dataclass(frozen=True)
class _RayTask:
    """The call for a row that names its task."""

    do: Callable[[Any], Any]
    tasks: Sequence[Any]

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            result = self.do(self.tasks[int(row["task"])])
        except (DeixisError, OSError) as error:  # raised again as itself, not as Ray wraps it
            result = error
        return {"result": _Held(result)}
