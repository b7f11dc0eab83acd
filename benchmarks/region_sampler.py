"""The folded region sampler against the plain published form, at Ferret's sizes: seconds, ratio, largest difference.

Both sample a 24 x 24 map of 1024 channels at 512 points per region and return a vector of 4096. Run from the
repository:

    python -m benchmarks.region_sampler --threads 2 --out benchmarks/results/NAME.md
"""

import argparse
import statistics

import torch
from torch import Tensor

from benchmarks.measuring import command_line, publish, seconds_in_turn
from benchmarks.plain.region_sampler import PlainRegionSampler, sample_map
from deixis.model.regions.sampler import RegionSampler
from deixis.ops import sample_grid

IN_DIM, OUT_DIM, POINTS, SIDE = 1024, 4096, 512, 24


@torch.no_grad()
def measure(regions: tuple[int, ...], repeats: int) -> list[tuple[int, list[float], list[float], float]]:
    """Rows (regions, plain seconds sorted, folded seconds sorted, max abs difference)."""
    torch.manual_seed(0)
    plain, folded = PlainRegionSampler(IN_DIM, OUT_DIM).eval(), RegionSampler(IN_DIM, OUT_DIM).eval()
    folded.load_state_dict(plain.state_dict())
    tokens = torch.randn(1, SIDE * SIDE, IN_DIM)  # as an encoder leaves them
    feature_map = tokens.transpose(1, 2).unflatten(2, (SIDE, SIDE))
    rows = []
    for count in regions:
        points = torch.rand(count, POINTS, 2)
        first = torch.zeros(count, dtype=torch.int64)

        def run_plain(points: Tensor = points) -> Tensor:
            return plain(sample_map(feature_map[0], points), points)

        def run_folded(points: Tensor = points, first: Tensor = first) -> Tensor:
            return folded(sample_grid(feature_map, points, first, align_corners=True), points)

        difference = (run_plain() - run_folded()).abs().max().item()
        rows.append((count, *map(sorted, seconds_in_turn([run_plain, run_folded], repeats)), difference))
    return rows


def report(rows: list[tuple[int, list[float], list[float], float]], options: argparse.Namespace) -> None:
    about = (
        f"{IN_DIM} to {OUT_DIM} channels, {POINTS} points per region, {SIDE} x {SIDE} map, float32, CPU, no gradient. "
        f"{options.repeats} interleaved runs of each after a warm-up; best and median."
    )
    columns = ("regions", "plain best, s", "folded best, s", "ratio", "plain median, s", "folded median, s", "ratio")
    table = [f"| {' | '.join(columns)} | max abs difference |", "|---:" * (len(columns) + 1) + "|"]
    for count, plain, folded, gap in rows:
        timed = []
        for slow, fast in ((plain[0], folded[0]), (statistics.median(plain), statistics.median(folded))):
            timed += [f"{slow:.3f}", f"{fast:.3f}", f"{slow / fast:.1f}"]
        table.append(f"| {count} | {' | '.join(timed)} | {gap:.1e} |")
    publish(options, "Region sampler: folded against plain", about, table)


def main() -> None:
    options = command_line(__doc__, regions=[1, 4, 16], repeats=9, threads=2)
    report(measure(tuple(options.regions), options.repeats), options)


if __name__ == "__main__":
    main()
