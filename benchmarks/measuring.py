"""Shared by the benchmarks: the command line, interleaved timing, and the page with the result and its environment."""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch


def command_line(description: str | None, **defaults: int | str | list[int]) -> argparse.Namespace:
    """The options of a benchmark by their defaults, and `--out`; sets the number of threads to `--threads`."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    for name, default in defaults.items():
        one, nargs = (default[0], "+") if isinstance(default, list) else (default, None)
        parser.add_argument(f"--{name}", type=type(one), nargs=nargs, default=default)
    parser.add_argument("--out", type=Path, help="also write the table to this Markdown file")
    options = parser.parse_args()
    torch.set_num_threads(getattr(options, "threads", 1))
    return options


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


def publish(options: argparse.Namespace, title: str, about: str, table: Sequence[str], *details: str) -> None:
    """Prints a measurement as a Markdown page, with command, commit and machine, and writes it to `--out`.

    table: its lines, the head first. details: lines on the environment besides those.
    """
    given = {name: value for name, value in vars(options).items() if name != "out"}
    words = (
        f"--{name} {' '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in given.items()
    )
    spec = sys.modules["__main__"].__spec__
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    lines = [
        f"# {title}",
        "",
        about,
        "",
        *(f"* {detail}" for detail in details),
        f"* command: `python -m {spec.name if spec else 'benchmarks'} {' '.join(words)}`",
        f"* commit: {commit.stdout.strip() or 'unknown'}; date: {time.strftime('%Y-%m-%d')}",
        f"* {given.get('threads', 1)} threads, {platform.machine()}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, load average {os.getloadavg()[0]:.1f} at the end",
        "",
        *table,
    ]
    page = "\n".join(lines) + "\n"
    print(page)
    if options.out:
        options.out.write_text(page)
