"""Shared by the benchmarks: interleaved timing, and a record of the environment of a measurement."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence

import torch


def seconds_in_turn(calls: Sequence[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Seconds of `repeats` interleaved runs of each call, so that other load on the machine affects all alike.

    The first run of each is a warm-up and is not counted.
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
    """The median ratio of paired runs."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def circumstances(command: str, threads: int) -> list[str]:
    """Markdown lines: the command, the commit, and the machine."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return [
        f"* command: `{command}`",
        f"* commit: {commit.stdout.strip() or 'unknown'}; date: {time.strftime('%Y-%m-%d')}",
        f"* {threads} threads, {platform.machine()}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"load average {os.getloadavg()[0]:.1f} at the end",
        "",
    ]
