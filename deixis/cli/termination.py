"""SIGTERM and SIGHUP end a command as Ctrl-C does: through every `finally`, so that no half-written folder is left.

And Ctrl-C ends it at any time: see `SWALLOWING`.
"""

import _thread
import os
import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

ENDING = ("SIGTERM", "SIGHUP")  # by name: Windows has no SIGHUP
SWALLOWING = ("trimesh",)
"""Packages that take any exception, an interrupt too, for a missing package or a method to replace by the next one."""
AGAIN_S = 0.005
"""After which an interrupt that came in such a package is tried again."""
PATIENCE_S = 10.0
"""After which it is raised there nevertheless."""


@contextmanager
def ended_cleanly() -> Generator[None]:
    """While the block runs, the signals of `ENDING` raise SystemExit with the exit code of a shell (128 + number).

    One that is ignored (`nohup`) stays ignored.
    """
    owner, first_s = os.getpid(), 0.0

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN if os.getpid() == owner else signal.SIG_DFL)
        if os.getpid() != owner:  # a worker that was forked: its parent cleans up
            os.kill(os.getpid(), number)
        sys.exit(128 + number)

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first_s
        first_s = first_s or time.monotonic()
        if os.getpid() == owner and time.monotonic() - first_s < PATIENCE_S and _is_swallowed(frame):
            again = Timer(AGAIN_S, _thread.interrupt_main)
            again.daemon = True
            again.start()
            return
        first_s = 0.0
        signal.default_int_handler(number, frame)

    before = {}
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    for number in (getattr(signal, name) for name in ENDING if hasattr(signal, name)):
        if signal.getsignal(number) == signal.SIG_DFL:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_swallowed(frame: FrameType | None) -> bool:
    """Whether a package of `SWALLOWING` runs where a signal came."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in SWALLOWING:
            return True
        frame = frame.f_back
    return False
