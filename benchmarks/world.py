"""Throughput of the world generator on one core: signals of a modality, and whole samples with questions.

Seconds are processor time over all threads, so that neither other load on the machine nor a second core changes them.
Run from the repository:

    python -m benchmarks.world --count 200 --out benchmarks/results/NAME.md
"""

import argparse
import time
from collections.abc import Callable

from benchmarks.measuring import command_line, publish
from deixis.world.audio import sample_audio_clip
from deixis.world.depth import sample_depth_map
from deixis.world.fmri_facts import fmri_facts
from deixis.world.generate import world_samples
from deixis.world.motion import sample_motion
from deixis.world.normal import sample_normal_map
from deixis.world.render import render, sample_cloud
from deixis.world.scene import sample_scene
from deixis.world.video import sample_clip

TARGET_PER_S = 60  # images of 128 px per second and core, so that training never waits
CASES: dict[str, Callable[[int], object]] = {
    "image of 128 px": lambda seed: render(sample_scene("train", seed), 128),
    "image of 128 px, 2 x 2 rays per pixel": lambda seed: render(sample_scene("train", seed), 128, supersample=2),
    "audio of 4 to 8 s": lambda seed: sample_audio_clip("train", seed),
    "cloud of 2048 points": lambda seed: sample_cloud(sample_scene("train", seed)),
    "depth map of 128 px": lambda seed: sample_depth_map(sample_scene("train", seed)),
    "normal map of 128 px": lambda seed: sample_normal_map(sample_scene("train", seed)),
    "video of 16 frames of 96 px": lambda seed: sample_clip("train", seed),
    "motion trace of 8 to 10 s": lambda seed: sample_motion("train", seed),
    "simulated fMRI response, with what it is to": lambda seed: fmri_facts("train", seed),
    "image with 6 questions, 2 x 2 rays": lambda seed: world_samples("train", seed, ("image",)),
    "audio with 6 questions": lambda seed: world_samples("train", seed, ("audio",)),
    "cloud with 6 questions": lambda seed: world_samples("train", seed, ("point_cloud",)),
    "motion trace with 6 questions": lambda seed: world_samples("train", seed, ("imu",)),
    "simulated fMRI response with 6 questions": lambda seed: world_samples("train", seed, ("fmri",)),
    "depth map with 6 questions": lambda seed: world_samples("train", seed, ("depth",)),
    "normal map with 6 questions": lambda seed: world_samples("train", seed, ("normal",)),
    "video with 6 questions": lambda seed: world_samples("train", seed, ("video",)),
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


def report(rates: dict[str, tuple[float, float]], options: argparse.Namespace) -> None:
    rate = rates["image of 128 px"][0]
    about = (
        f"{options.count} seeds of each, one process, one thread. Target: {TARGET_PER_S} images of 128 px per second; "
        f"{'reached' if rate >= TARGET_PER_S else 'missed'} with {rate:.0f}."
    )
    table = ["| what | per second of processor time | per second of wall time |", "|:---|---:|---:|"]
    table += [f"| {name} | {busy:.0f} | {elapsed:.0f} |" for name, (busy, elapsed) in rates.items()]
    publish(options, "The world on one core", about, table)


def main() -> None:
    options = command_line(__doc__, count=100)
    report(measure(options.count), options)


if __name__ == "__main__":
    main()
