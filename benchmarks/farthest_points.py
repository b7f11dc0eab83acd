"""Farthest point sampling: this package's forms against the plain PyTorch loop. Seconds, ratio, equal indices.

On a CPU the public function uses the compiled form for these sizes, and its own PyTorch loop without Numba; that loop
is timed too. With `--device cuda` it uses the Triton kernel. Run from the repository:

    python -m benchmarks.farthest_points --threads 2 --out benchmarks/results/NAME.md
"""

import argparse
import statistics

import torch
from torch import Tensor

from benchmarks.measuring import command_line, publish, seconds_in_turn
from benchmarks.plain.farthest_points import farthest_point_sample
from deixis.ops import farthest, farthest_numba, farthest_points

CASES = [(1, 16_384, 1024), (8, 16_384, 1024), (1, 8192, 512), (32, 1024, 512)]
Row = tuple[int, int, int, list[list[float]], bool]


def measure(device: str, repeats: int) -> list[Row]:
    """Rows (sets, points, chosen, sorted seconds of plain, PyTorch loop and public function; all indices equal)."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for sets, number, count in CASES:
        points = torch.rand(sets, number, 3, generator=generator).to(device)
        start = torch.randint(0, number, (sets,), generator=generator).to(device)

        def finished(indices: Tensor) -> Tensor:
            return indices.cpu()  # waits for the device

        def run_plain(points: Tensor = points, count: int = count, start: Tensor = start) -> Tensor:
            return finished(farthest_point_sample(points, count, start))

        def run_loop(points: Tensor = points, count: int = count, start: Tensor = start) -> Tensor:
            return finished(farthest.farthest_torch(points, count, None, start))

        def run_ours(points: Tensor = points, count: int = count, start: Tensor = start) -> Tensor:
            return finished(farthest_points(points, count, start=start))

        calls = [run_plain, run_loop, run_ours]
        first, *others = [call() for call in calls]
        equal = all(torch.equal(first, other) for other in others)
        rows.append((sets, number, count, [sorted(taken) for taken in seconds_in_turn(calls, repeats)], equal))
    return rows


def report(rows: list[Row], options: argparse.Namespace) -> None:
    about = (
        f"Uniform points in a unit cube, float32, three axes, a given start per set. {options.repeats} interleaved "
        "runs of each after two warm-ups (compilation is not timed); medians and, in brackets, the best. `plain`: the"
        " usual PyTorch loop (`benchmarks/plain/farthest_points.py`); `loop`: this package's own PyTorch loop, for "
        "machines without Numba; `ours`: `deixis.ops.farthest_points`, which uses the compiled form at these sizes."
    )
    table = ["| sets | points | chosen | plain, s | loop, s | ours, s | plain / loop | plain / ours | same indices |"]
    table += ["|---:|---:|---:|---:|---:|---:|---:|---:|:---|"]
    for sets, number, count, seconds, equal in rows:
        plain, loop, ours = (statistics.median(taken) for taken in seconds)
        timed = [f"{statistics.median(taken):.4f} ({taken[0]:.4f})" for taken in seconds]
        ratios = [f"{plain / loop:.1f}", f"{plain / ours:.1f}"]
        cells = [str(sets), str(number), str(count), *timed, *ratios, "yes" if equal else "NO"]
        table.append(f"| {' | '.join(cells)} |")
    numba = farthest_numba.numba.__version__ if farthest_numba.AVAILABLE else "absent"
    details = f"{options.device}, numba {numba}"
    publish(options, "Farthest point sampling: compiled against plain", about, table, details)


def main() -> None:
    options = command_line(__doc__, device="cpu", repeats=9, threads=2)
    report(measure(options.device, options.repeats), options)


if __name__ == "__main__":
    main()
