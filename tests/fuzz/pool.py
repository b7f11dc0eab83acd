"""Workers with limits: a case that takes too long or ends its process is reported, and a new worker takes the next.

Time is counted as processor time of the worker, so that a busy machine is no hang; a worker that waits for something
else is given `WALL_S`.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from signal import SIGUSR1
from typing import Any, Protocol, TypeVar

ROOT = Path(__file__).parents[2]
CPU_S, WALL_S, START_S = 10.0, 60.0, 300.0
TICK_S, DUMP_S = 0.2, 1.0
FINE = ("answered", "refused")
R = TypeVar("R", bound="Runner")


@dataclass(frozen=True)
class Outcome:
    """What came of a case. kind: "answered" or "refused", else a failure: "traceback", "hang", "memory", "crash",
    "forbidden", "sentence" or "failed". text: the sentence, or all that is known."""

    kind: str
    text: str
    cpu_s: float = 0.0

    @property
    def is_fine(self) -> bool:
        return self.kind in FINE


class Runner(Protocol):
    """What runs cases, one at a time."""

    def run(self, target: str, folder: Path, arguments: dict[str, Any]) -> Outcome:
        """What came of a case."""
        ...


class Worker:
    """One process of `worker.py`, started at the first case and again after each that it did not survive.

    model: the folder of the toy model, which the targets of signals, states and questions need.
    """

    def __init__(self, model: Path | None = None, cpu_s: float = CPU_S, wall_s: float = WALL_S):
        self.model, self.cpu_s, self.wall_s = model, cpu_s, wall_s
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, target: str, folder: Path, arguments: dict[str, Any]) -> Outcome:
        """What came of a case."""
        if self.process is not None and self.process.poll() is not None:  # it ended after its last answer
            self._end()
        if self.process is None:
            self._start()
        request = {"target": target, "folder": str(folder), "arguments": arguments}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        answer, why = self._answer(self.cpu_s, self.wall_s)
        if answer:
            return Outcome(**json.loads(answer))
        log = self._end(dump=why != "")
        return Outcome("hang" if why else "crash", f"{why or f'exit code {self.process_code}'}\n{log}")

    def close(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self._end()

    def _start(self) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `_end`
        # one thread, and few heaps: the address space is limited
        alone = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "0"}
        words = [sys.executable, "-m", "tests.fuzz.worker", *([str(self.model)] if self.model else [])]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, **alone},
            cwd=ROOT,
            start_new_session=True,
        )
        if self._answer(START_S, START_S)[0] != b"ready\n":
            raise RuntimeError(f"the worker of the fuzz tests did not start:\n{self._end()}")

    def _answer(self, cpu_s: float, wall_s: float) -> tuple[bytes, str]:
        """(the next line, empty where the process ended or took too long, and why it took too long)."""
        began, spent = time.monotonic(), _cpu_s(self.process.pid)
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not selector.select(TICK_S):
                used, waited = _cpu_s(self.process.pid) - spent, time.monotonic() - began
                if used > cpu_s or waited > wall_s:
                    return b"", f"{used:.1f} s of processor time in {waited:.1f} s"
        return self.process.stdout.readline(), ""

    def _end(self, dump: bool = False) -> str:
        """Kills the process; the end of what it wrote to stderr, with its stack if `dump`."""
        if dump:
            self.process.send_signal(SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that ends by itself has an exit code that tells why
            self.process.wait(timeout=DUMP_S)
        self.process.kill()
        self.process_code = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self.process = None
        self.log.seek(0)
        with self.log as log:
            return log.read()[-6000:].decode(errors="replace")


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far; 0 of one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def open_workers(count: int, model: Path | None = None) -> Iterator[list[Worker]]:
    """So many workers, ended at the end."""
    workers = [Worker(model) for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.close()


def run_cases(
    cases: Iterable[Any], do: Callable[[Any, R], Outcome], workers: Sequence[R]
) -> Iterator[tuple[Any, Outcome]]:
    """(case, what came of it) of every case, as they are done, by one of the workers each."""
    idle: SimpleQueue[R] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def one(case: Any) -> tuple[Any, Outcome]:
        worker = idle.get()
        try:
            return case, do(case, worker)
        finally:
            idle.put(worker)

    waiting = set()
    with ThreadPoolExecutor(len(workers)) as pool:
        for case in cases:
            waiting.add(pool.submit(one, case))
            if len(waiting) >= 2 * len(workers):
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (task.result() for task in done)
        yield from (task.result() for task in waiting)
