"""The universal projection against its plain published form, at OneLLM's sizes: seconds, ratio, largest difference.

257 tokens of 1024 channels and 30 queries through 3 experts of 8 blocks to 30 tokens of 4096. "sparse by sample"
routes a whole signal to one expert, so that the others are not computed. Run from the repository:

    python -m benchmarks.projection --threads 2 --out benchmarks/results/NAME.md
"""

import argparse
import statistics
from typing import Any

import torch

from benchmarks.measuring import command_line, median_ratio, publish, seconds_in_turn
from benchmarks.plain.projection import PlainProjection
from deixis.model.encoder.projection import LlamaExpert, UniversalProjection

DIM, OUT_DIM, TOKENS, QUERIES, EXPERTS, BLOCKS, HEADS, MULTIPLE_OF = 1024, 4096, 257, 30, 3, 8, 16, 256
CASES = (("sigmoid", "token"), ("sparse", "token"), ("sparse", "sample"))
Row = tuple[str, int, list[float], list[float], float]


def projection(router: str, route: str) -> UniversalProjection:
    """A projection of OneLLM's sizes with random weights."""
    torch.manual_seed(0)
    expert = lambda: LlamaExpert(DIM, BLOCKS, HEADS, MULTIPLE_OF, 1e-5)  # noqa: E731
    options: dict[str, Any] = {
        "queries": QUERIES,
        "experts": EXPERTS,
        "router": router,
        "route": route,
        "router_ratio": 4.0,
    }
    network = UniversalProjection(DIM, OUT_DIM, ("image",), expert, keep_tokens=False, maps="own", **options)
    return network.eval()


@torch.no_grad()
def measure(batches: tuple[int, ...], repeats: int) -> list[Row]:
    """Rows (router, signals, plain seconds sorted, ours sorted, max abs difference where both compute the same)."""
    rows = []
    for router, route in CASES:
        ours = projection(router, route)
        plain = PlainProjection(ours)
        for batch in batches:
            tokens = torch.randn(batch, TOKENS, DIM)
            same = route == "token"
            gap = (plain(tokens, "image") - ours(tokens, "image")).abs().max().item() if same else float("nan")
            calls = [lambda t=tokens, p=plain: p(t, "image"), lambda t=tokens, o=ours: o(t, "image")]
            rows.append((f"{router} by {route}", batch, *seconds_in_turn(calls, repeats), gap))
    return rows


def report(rows: list[Row], options: argparse.Namespace) -> None:
    about = (
        f"{TOKENS} tokens and {QUERIES} queries of {DIM} channels, {EXPERTS} experts of {BLOCKS} blocks, to {OUT_DIM}; "
        f"float32, CPU, no gradient. {options.repeats} interleaved runs of each after a warm-up; median."
    )
    table = ["| router | signals | published, s | ours, s | ratio | max abs difference |"]
    table += ["|---|---:|---:|---:|---:|---:|"]
    for name, batch, plain, ours, gap in rows:
        difference = "other rule" if gap != gap else f"{gap:.1e}"
        slow, fast, ratio = statistics.median(plain), statistics.median(ours), median_ratio(plain, ours)
        table.append(f"| {name} | {batch} | {slow:.3f} | {fast:.3f} | {ratio:.2f} | {difference} |")
    publish(options, "Universal projection: ours against the published form", about, table)


def main() -> None:
    options = command_line(__doc__, batches=[1, 4], repeats=5, threads=2)
    report(measure(tuple(options.batches), options.repeats), options)


if __name__ == "__main__":
    main()
