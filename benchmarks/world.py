"""Throughput of the world generator on one core: rendered scenes, audio, point clouds, whole samples with questions.

Seconds are processor time over all threads, so that neither other load on the machine nor a second core changes them.
Run from the repository:

    python -m benchmarks.world --count 200 --out benchmarks/results/NAME.md
"""

import argparse
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from deixis.world.audio import sample_audio_clip
from deixis.world.generate import world_samples
from deixis.world.render import render, sample_cloud
from deixis.world.scene import sample_scene

TARGET_PER_S = 60  # images of 128 px per second and core, so that training never waits
CASES: dict[str, Callable[[int], object]] = {
    "image of 128 px": lambda seed: render(sample_scene("train", seed), 128),
    "image of 128 px, 2 x 2 rays per pixel": lambda seed: render(sample_scene("train", seed), 128, supersample=2),
    "sound of 4 to 8 s": lambda seed: sample_audio_clip("train", seed),
    "cloud of 2048 points": lambda seed: sample_cloud(sample_scene("train", seed)),
    "image with 6 questions, 2 x 2 rays": lambda seed: world_samples("train", seed, ("image",)),
    "sound with 6 questions": lambda seed: world_samples("train", seed, ("audio",)),
    "cloud with 6 questions": lambda seed: world_samples("train", seed, ("point_cloud",)),
}


def measure(count: int) -> dict[str, tuple[float, float]]:
    """Case -> (per second of processor time, per second of wall time) over seeds 0 to `count` - 1."""
    rates = {}
    for name, make in CASES.items():
        make(0)  # meshes of the classes are made once
        clock, processor = time.perf_counter(), time.process_time()
        for seed in range(count):
            make(seed)
        rates[name] = count / (time.process_time() - processor), count / (time.perf_counter() - clock)
    return rates


def report(rates: dict[str, tuple[float, float]], count: int) -> str:
    """The measurement as a Markdown page."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    rate = rates["image of 128 px"][0]
    lines = [
        "# The world on one core",
        "",
        f"{count} seeds of each, one process, one thread. Target: {TARGET_PER_S} images of 128 px per second; "
        f"{'reached' if rate >= TARGET_PER_S else 'missed'} with {rate:.0f}.",
        "",
        f"* command: `python -m benchmarks.world --count {count}`",
        f"* commit: {commit.stdout.strip() or 'unknown'}; date: {time.strftime('%Y-%m-%d')}",
        f"* {platform.machine()}, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f} at the end",
        "",
        "| what | per second of processor time | per second of wall time |",
        "|:---|---:|---:|",
        *(f"| {name} | {busy:.0f} | {elapsed:.0f} |" for name, (busy, elapsed) in rates.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", type=Path, help="also write the table to this Markdown file")
    options = parser.parse_args()
    page = report(measure(options.count), options.count)
    print(page)
    if options.out:
        options.out.write_text(page)


if __name__ == "__main__":
    main()
