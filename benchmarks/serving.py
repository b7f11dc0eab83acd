"""Questions per second of the bundled model as a server: sixteen clients at once against one question after another.

Questions of the world's test split about images, sounds and point clouds in memory. Short answers are names, boxes,
spans and masks, about a file each, and then eight questions about every file; long ones are captions with boxes. Every
form answers the same questions, from an empty cache: `Model.ask`, one after another; sixteen clients whose questions
are answered one at a time; and sixteen clients whose questions are batched as they come (continuous batching). A client
asks its next question when it has the whole answer to its last. Run from the repository:

    python -m benchmarks.serving --threads 2 --out benchmarks/results/NAME.md
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.batch_throughput import MIXED, batches
from benchmarks.measuring import command_line, median_ratio, publish
from deixis.conversation import open_signals, question_sample
from deixis.evaluation.benchmarks.world.benchmark import World
from deixis.inference import GenerationOptions, Model, load
from deixis.samples.sample import Sample
from deixis.serving.own_thread import in_own_thread
from deixis.serving.scheduler import Scheduler

TARGET = 2
LONG = ("grounded_caption",)
OWN_FILES, SAME_FILES, LONG_ANSWERS = "short, a file each", "short, eight about a file", "long, a file each"
APART = 10
"""Seeds between two scenes: those that lack what a question needs are passed over."""
FORMS = {"one after another": None, "16 clients, one at a time": 1, "16 clients, batched": 16}
"""Rows of the batch; None: `Model.ask`, without a server."""


def about_own_files(names: Sequence[str], count: int) -> list[Sample]:
    """So many questions, the tasks in turn, each about its own file."""
    questions = []
    for number in range(count):
        options = {"tasks": names[number % len(names)], "limit": "1", "seed-offset": str(APART * number)}
        (example,) = World().examples(Path(), options)
        questions.append(question_sample(example.text, example.media, example.regions))
    with open_signals(questions) as opened:  # of values in memory, which stay open
        return opened


@dataclass
class Taken:
    """Seconds of a run, and of each of its questions, until its first words and to its end."""

    seconds: float = 0.0
    first_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)  # the answers, in the order in which they came


def ask_in_turn(model: Model, questions: Sequence[Sample]) -> Taken:
    """One question after another through `Model.answer`, which `Model.ask` is."""
    taken, began = Taken(), time.perf_counter()
    for question in questions:
        asked = time.perf_counter()
        taken.raw.append(model.answer([question])[0].raw)
        taken.whole_s.append(time.perf_counter() - asked)
    taken.seconds = time.perf_counter() - began
    taken.first_s = taken.whole_s  # nothing is seen before
    return taken


async def client(scheduler: Scheduler, questions: Iterator[Sample], taken: Taken) -> None:
    """Asks one question after another until none is left."""
    for question in questions:
        asked, first = time.perf_counter(), None
        async for event in scheduler.submit(question, GenerationOptions()):
            first = first or time.perf_counter()
            if event.answer is not None:
                taken.raw.append(event.answer.raw)
        assert first is not None, "the last event is the answer"
        taken.first_s.append(first - asked)
        taken.whole_s.append(time.perf_counter() - asked)


def ask_at_once(model: Model, questions: Sequence[Sample], clients: int, batch_rows: int) -> Taken:
    """The questions of `clients` who ask at the same time."""
    taken, left = Taken(), iter(questions)

    async def all_clients() -> None:
        await asyncio.gather(*(client(scheduler, left, taken) for _ in range(clients)))

    scheduler = Scheduler(model, batch_rows=batch_rows)
    try:
        began = time.perf_counter()
        asyncio.run(all_clients())
        taken.seconds = time.perf_counter() - began
    finally:
        scheduler.close()
    return taken


def measure(model: Model, questions: Sequence[Sample], clients: int, repeats: int) -> dict[str, list[Taken]]:
    """The runs of every form, interleaved, without the first, which warms up."""
    runs: dict[str, list[Taken]] = {name: [] for name in FORMS}
    for turn in range(repeats + 1):
        for name, rows in FORMS.items():
            model.clear_cache()
            # each computes in one thread, as a program that only asks, and a server, does
            if rows is None:
                taken = in_own_thread(lambda: ask_in_turn(model, questions))
            else:
                taken = ask_at_once(model, questions, clients, rows)
            if turn:
                runs[name].append(taken)
    return runs


def table_of(runs: dict[str, list[Taken]], answers: str) -> list[str]:
    """The rows of one kind of answers."""
    plain = [taken.seconds for taken in runs["one after another"]]
    rows = []
    for name, taken in runs.items():
        count, seconds = len(taken[0].whole_s), [own.seconds for own in taken]
        spread = [np.percentile([s for own in taken for s in each(own)], [50, 95]) for each in (_whole_s, _first_s)]
        times = " | ".join(f"{p50:.2f}, {p95:.2f}" for p50, p95 in spread)
        rows.append(
            f"| {answers} | {name} | {count / statistics.median(seconds):.1f} | {median_ratio(plain, seconds):.2f} | "
            f"{times} |"
        )
    return rows


def _whole_s(taken: Taken) -> list[float]:
    return taken.whole_s


def _first_s(taken: Taken) -> list[float]:
    return taken.first_s


def same_answers(runs: dict[str, list[Taken]]) -> int:
    """Answers of batched clients that are among those of the questions asked one after another."""
    alone = sorted(runs["one after another"][0].raw)
    for raw in runs["16 clients, batched"][0].raw:
        if raw in alone:
            alone.remove(raw)
    return len(runs["one after another"][0].raw) - len(alone)


def _batched_ratio(runs: dict[str, list[Taken]]) -> float:
    return median_ratio(*([own.seconds for own in runs[name]] for name in ("one after another", "16 clients, batched")))


def report(results: dict[str, dict[str, list[Taken]]], options: argparse.Namespace) -> None:
    short = results[OWN_FILES]
    ratios = [_batched_ratio(results[name]) for name in (OWN_FILES, SAME_FILES)]
    about = (
        f"The bundled model, float32, CPU, {options.clients} clients, {options.repeats} repeats after a warm-up, "
        "medians; percentiles over the questions of all repeats. First words: what a client sees first; `Model.ask` "
        f"shows all at once. Target: {TARGET} times the throughput of one question after another on short answers; "
        f"{'reached' if min(ratios) >= TARGET else 'missed'} with {ratios[0]:.2f} about a file each and "
        f"{ratios[1]:.2f} about files that are asked about eight times."
    )
    table = ["| answers | form | per second | ratio | whole answer, s: p50, p95 | first words, s: p50, p95 |"]
    table += ["|:---|:---|---:|---:|---:|---:|"]
    for name, runs in results.items():
        table += table_of(runs, name)
    count = len(short["one after another"][0].raw)
    same = f"{same_answers(short)} of {count} short answers about a file each are the same batched"
    publish(options, "Sixteen clients at once against one question after another", about, table, same)


def main() -> None:
    options = command_line(__doc__, questions=96, long=32, clients=16, repeats=5, threads=2)
    model, asked = in_own_thread(lambda: (load(device="cpu"), asked_questions(options)))
    results = {name: measure(model, own, options.clients, options.repeats) for name, own in asked.items()}
    report(results, options)


def asked_questions(options: argparse.Namespace) -> dict[str, list[Sample]]:
    """The questions of each kind of answers."""
    groups = batches(MIXED, -(-options.questions // len(MIXED)))
    return {
        OWN_FILES: about_own_files(MIXED, options.questions),
        SAME_FILES: [question for group in groups for question in group][: options.questions],
        LONG_ANSWERS: about_own_files(LONG, options.long),
    }


if __name__ == "__main__":
    main()
