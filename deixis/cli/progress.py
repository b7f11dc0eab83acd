"""The progress of a run as one bar on stderr; nothing where stderr is no terminal."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn


class Stages:
    """A context in which a run reports its stages and their progress."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        remaining, silent = TimeRemainingColumn(), not console.is_terminal
        self._bars = Progress(*columns, remaining, console=console, transient=True, disable=silent)
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
def resumable(folder: Path) -> Generator[Stages]:
    """The stages of a run in `folder`; an interrupt says that the same command resumes it."""
    try:
        with Stages() as progress:
            yield progress
    except KeyboardInterrupt:
        typer.echo(f"\nstopped; the same command resumes {folder}", err=True)
        raise
