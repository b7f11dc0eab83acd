"""Answers per second of the bundled model: eight mixed questions in one batch against the same eight one by one.

Questions of the world's test split, one per task: names and colours of regions, boxes, masks, spans, points of point
clouds; each about its own file. Nothing is cached between runs, so both encode and prefill everything. A second row
replaces one of the eight by a long answer (a caption with boxes): a batch takes as long as its longest answer. Run from
the repository:

    python -m benchmarks.batch_throughput --threads 2 --out benchmarks/results/NAME.md
"""

import argparse
import statistics
from pathlib import Path

from benchmarks.measuring import command_line, median_ratio, publish, seconds_in_turn
from deixis.conversation import open_signals, question_sample
from deixis.evaluation.benchmarks.world.benchmark import World
from deixis.inference import Answer, Model, load
from deixis.samples.sample import Sample

TARGET = 2
MIXED = ("region_name", "colour", "phrase_box", "phrase_mask", "span_name", "event_span", "cloud_name")
MIXED += ("cloud_phrase_mask",)
ONE_LONG = (*MIXED[:-1], "grounded_caption")


def batches(names: tuple[str, ...], count: int) -> list[list[Sample]]:
    """`count` batches with one question per name."""
    examples = list(World().examples(Path(), {"tasks": ",".join(names), "limit": str(count)}))
    samples = [question_sample(e.text, e.media, e.regions) for e in examples]
    with open_signals(samples) as questions:  # of values in memory, which stay open
        of_task = {name: [q for q, e in zip(questions, examples, strict=True) if e.part == name] for name in names}
    return [[of_task[name][number] for name in names] for number in range(count)]


def one_by_one(model: Model, groups: list[list[Sample]]) -> list[Answer]:
    answers = []
    for question in (question for group in groups for question in group):
        model.clear_cache()
        answers += model.answer([question])
    return answers


def together(model: Model, groups: list[list[Sample]]) -> list[Answer]:
    answers = []
    for group in groups:
        model.clear_cache()
        answers += model.answer(group)
    return answers


def measure(names: tuple[str, ...], count: int, repeats: int) -> tuple[list[float], list[float], int, int]:
    """(seconds one by one, seconds batched) of every repeat, number of questions, and number of equal answers."""
    model, groups = load(device="cpu"), batches(names, count)
    pairs = zip(one_by_one(model, groups), together(model, groups), strict=True)
    same = sum(one.raw == other.raw for one, other in pairs)
    slow, fast = seconds_in_turn([lambda: one_by_one(model, groups), lambda: together(model, groups)], repeats)
    return slow, fast, len(names) * count, same


def report(rows: dict[str, tuple[list[float], list[float], int, int]], options: argparse.Namespace) -> None:
    ratio = median_ratio(*rows["eight mixed questions"][:2])
    about = (
        f"The bundled model, float32, CPU, {options.batches} batches of eight, {options.repeats} repeats after a "
        f"warm-up, medians. Target: {TARGET} times the throughput; "
        f"{'reached' if ratio >= TARGET else 'missed'} with {ratio:.2f}."
    )
    table = ["| questions | one by one, per second | batched, per second | ratio | equal answers |"]
    table += ["|:---|---:|---:|---:|---:|"]
    for name, (slow, fast, count, same) in rows.items():
        rates = " | ".join(f"{count / statistics.median(seconds):.1f}" for seconds in (slow, fast))
        table.append(f"| {name} | {rates} | {median_ratio(slow, fast):.2f} | {same} of {count} |")
    publish(options, "Eight mixed questions in a batch against one by one", about, table)


def main() -> None:
    options = command_line(__doc__, batches=8, repeats=7, threads=2)
    tasks = {"eight mixed questions": MIXED, "seven, and a long answer": ONE_LONG}
    report({name: measure(names, options.batches, options.repeats) for name, names in tasks.items()}, options)


if __name__ == "__main__":
    main()
