"""SIGTERM and SIGHUP end a command as Ctrl-C does: through every `finally`, so that no half-written folder is left."""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

ENDING = ("SIGTERM", "SIGHUP")  # by name: Windows has no SIGHUP


@contextmanager
def ended_cleanly() -> Generator[None]:
    """While the block runs, the signals of `ENDING` raise SystemExit with the exit code of a shell (128 + number).

    One that is ignored (`nohup`) stays ignored.
    """
    owner = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN if os.getpid() == owner else signal.SIG_DFL)
        if os.getpid() != owner:  # a worker that was forked: its parent cleans up
            os.kill(os.getpid(), number)
        sys.exit(128 + number)

    before = {}
    for number in (getattr(signal, name) for name in ENDING if hasattr(signal, name)):
        if signal.getsignal(number) == signal.SIG_DFL:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
