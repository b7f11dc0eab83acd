"""The bundled model with full-precision and quantised weights: size, speed, agreement of answers, score.

Speed is answers per second of eight mixed questions in one batch, without caching between runs. Agreement is the share
of all answers of the evaluation that equal those in full precision, coordinates included. The score is the mean of a
few tasks of the world benchmark, on generated answers. Run from the repository:

    python -m benchmarks.quantisation --threads 2 --out benchmarks/results/NAME.md
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.batch_throughput import MIXED, batches, together
from benchmarks.measuring import command_line, publish, seconds_in_turn
from deixis.checkpoints.quantization import weight_bytes
from deixis.evaluation.benchmark import GENERATED
from deixis.evaluation.benchmarks.world.benchmark import World
from deixis.evaluation.reports.summary import summarise
from deixis.evaluation.runner import EvaluationRun, ModelAdapter, run_examples
from deixis.inference import Model, load

TASKS = ("region_name", "colour", "phrase_box", "phrase_mask", "span_name", "event_span", "cloud_name")
TASKS += ("cloud_phrase_mask",)


@dataclass
class Row:
    """One precision of the weights; `texts` are the generated answers, by task and question."""

    name: str
    megabytes: float
    rate: float
    scores: dict[str, float]
    texts: dict[str, str]

    @property
    def score(self) -> float:
        return statistics.mean(self.scores.values())

    def agreement(self, full: "Row") -> float:
        """The share of answers that equal those of `full`."""
        return statistics.mean(self.texts[key] == text for key, text in full.texts.items())


def measure(names: Sequence[str | None], dtypes: Sequence[torch.dtype], repeats: int, limit: int) -> list[Row]:
    """A row per quantisation (None: full precision), with weights and activations in the dtype beside it."""
    models: dict[str, Model] = {}
    for name, dtype in zip(names, dtypes, strict=True):
        precision = str(dtype).removeprefix("torch.")
        models[precision if name is None else f"{name}, {precision}"] = load(
            device="cpu", dtype=dtype, quantization=name
        )
    groups = batches(MIXED, 4)
    questions = sum(map(len, groups))
    timed = seconds_in_turn([lambda m=model: together(m, groups) for model in models.values()], repeats)
    rows = []
    for (name, model), seconds in zip(models.items(), timed, strict=True):
        run = EvaluationRun(World(), Path(), {"tasks": ",".join(TASKS), "limit": str(limit)}, GENERATED, batch=32)
        with TemporaryDirectory() as folder:
            answered, _ = run_examples(run, ModelAdapter(model, name), Path(folder))
        texts = {row.id: row.raw for row in answered}
        # the first of several metrics of a task
        scores = {row.part: row.score.value for row in summarise(run, name, answered, ()).scores[::-1]}
        rate = questions / statistics.median(seconds)
        rows.append(Row(name, weight_bytes(model.network) / 1e6, rate, scores, texts))
    return rows


def report(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """The first row is full precision."""
    about = (
        f"On the CPU. {options.repeats} repeats after a "
        f"warm-up, medians; scores on {options.limit} questions per task, {len(TASKS)} tasks of the world test split."
    )
    table: list[str] = [
        "| weights | MB | answers per second | equal answers | mean score | " + " | ".join(TASKS) + " |"
    ]
    table += ["|:---|" + "---:|" * (4 + len(TASKS))]
    for row in rows:
        scores = " | ".join(f"{row.scores[task]:.3f}" for task in TASKS)
        same = f"{row.agreement(rows[0]):.1%}"
        table.append(f"| {row.name} | {row.megabytes:.1f} | {row.rate:.1f} | {same} | {row.score:.3f} | {scores} |")
    publish(options, "The bundled model quantised", about, table)


def main() -> None:
    options = command_line(__doc__, repeats=5, limit=50, threads=2)
    full, half = torch.float32, torch.bfloat16
    weights = [(None, full), (None, half), ("int8", full), ("int8", half), ("int4", half)]
    report(measure(*zip(*weights, strict=True), options.repeats, options.limit), options)


if __name__ == "__main__":
    main()
