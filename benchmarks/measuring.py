"""What benchmarks of the engine share: runs timed in turn, and how a measurement says where it was made."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence

import torch


def seconds_in_turn(calls: Sequence[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Seconds of `repeats` runs of each call, taken in turn, so that other work on the machine meets all.

    The first turn is not counted.
    """
    seconds: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for taken, call in zip(seconds, calls, strict=True):
            began = time.perf_counter()
            call()
            if turn:
                taken.append(time.perf_counter() - began)
    return seconds


def median_ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """The median of the ratios of runs that were made one after the other."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def circumstances(command: str, threads: int) -> list[str]:
    """Lines of a page: the command, the commit, and the machine."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return [
        f"* command: `{command}`",
        f"* commit: {commit.stdout.strip() or 'before the first'}; date: {time.strftime('%Y-%m-%d')}",
        f"* {threads} threads, {platform.machine()}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"load average {os.getloadavg()[0]:.1f} at the end",
        "",
    ]
