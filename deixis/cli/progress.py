"""The progress of a run on stderr: a bar on a terminal, elsewhere (a log, a batch job) a line every few seconds."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer
from types import TracebackType

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from deixis.cli.terminal import console, say

EVERY_S = 5.0
"""Between two lines."""
PATIENCE_S = 10.0
"""Before the one line that says what takes so long."""


class Bars(Progress):
    """rich's bars, or lines; of numbers, or with `in_bytes` of bytes."""

    def __init__(self, in_bytes: bool = False):
        screen = console(stderr=True)
        count = DownloadColumn() if in_bytes else MofNCompleteColumn()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn())
        super().__init__(*columns, console=screen, transient=True, disable=not screen.is_terminal)
        self._size: Callable[[int], str] = decimal if in_bytes else str
        self._over = Event()
        self._writer = Thread(target=self._write_lines, daemon=True)

    def start(self) -> None:
        super().start()
        if self.disable:
            self._writer.start()

    def stop(self) -> None:
        super().stop()
        self._over.set()
        if self._writer.is_alive():
            self._writer.join()

    def _write_lines(self) -> None:
        while not self._over.wait(EVERY_S):
            told = [self._line(task.description, task.completed, task.total) for task in self.tasks if task.visible]
            if told:
                say(", ".join(told), err=True)

    def _line(self, title: str, done: float, total: float | None) -> str:
        if total is None:
            return f"{title}: {self._size(int(done))}" if done else title
        return f"{title}: {self._size(int(done))} of {self._size(int(total))}"


@contextmanager
def byte_bars(first: str) -> Generator[tuple[Callable[[str, int, int], None], Callable[[str], None]]]:
    """Progress of files that are written: functions of (step, bytes done, total bytes), and of a line to tell at once.

    first: what is done before the first of them is called.
    """
    with Bars(in_bytes=True) as bars:
        tasks = {"": bars.add_task(first, total=None)}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                bars.update(tasks[""], visible=False)
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield report, lambda line: bars.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def training_log() -> Generator[None]:
    """What the training says of its stages is logged while the block runs, not only what it warns of."""
    log = logging.getLogger("deixis.training")
    before = log.level
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(before)


class Stages:
    """A context in which a run reports its stages and their progress."""

    def __init__(self) -> None:
        self._bars = Bars()
        self._task = None

    def __enter__(self) -> "Stages":
        self._bars.start()
        return self

    def __exit__(self, error_type: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def stage(self, title: str, total: int | None) -> None:
        """Begins a stage; without a total it only counts."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(title, total=total)

    def advance(self, count: int) -> None:
        """Advances the bar by `count`."""
        if self._task is not None:
            self._bars.advance(self._task, count)


@contextmanager
def waiting(what: str) -> Generator[None]:
    """Says on stderr what is waited for while the block runs: on a terminal at once, elsewhere after `PATIENCE_S`."""
    screen = console(stderr=True)
    if screen.is_terminal:
        with screen.status(what):
            yield
        return
    timer = Timer(PATIENCE_S, say, (f"{what} ...",), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def resumable(folder: Path) -> Generator[Stages]:
    """The stages of a run in `folder`; what stops it says that the same command resumes it."""
    with stop_told(f"the same command resumes {folder}"), Stages() as progress:
        yield progress


@contextmanager
def stop_told(resuming: str) -> Generator[None]:
    """An interrupt of the block, and a signal that ends it, says how it is resumed."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        say(f"\nstopped; {resuming}", err=True)
        raise
