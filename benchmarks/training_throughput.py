"""Questions per second that the bundled model is trained on: packed rows against a row for each question.

The plain form makes a row of every question: its image is prepared and encoded for it alone, in the loop of the
training, as the published code does. Ours prepares and encodes an image once, with all questions about it in one row,
where each attends to the image and itself; and a loader makes the next batches meanwhile. Both train the same network
with AdamW on the same questions of the generated world, with the same losses. Run from the repository:

    python -m benchmarks.training_throughput --threads 2 --out benchmarks/results/NAME.md
"""

import argparse
import statistics
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from benchmarks.measuring import command_line, median_ratio, publish, seconds_in_turn
from deixis.conversation import Row, collate, mask_targets, render
from deixis.inference import Model, load
from deixis.model.masks.cells import mask_cells
from deixis.samples.sample import Sample
from deixis.systems import system_of
from deixis.training.dense import signal_of, training_facts
from deixis.training.trainer import NUMBER, BatchStream, first
from deixis.world.generate import question_rng, sample_questions_about

TARGET = 3
FIRST_SEED = 77_000_000


class Batches:
    """`make(step)`: `images` images of the world with `questions` questions each, in packed rows or one row each."""

    def __init__(self, model: Model, images: int, questions: int):
        self.processor, self.system = model.processor, system_of(model.network.config)
        self.cells = mask_cells(model.network.config)
        self.images, self.questions = images, questions

    def packed(self, step: int) -> dict[str, Any]:
        return self._collated([self._row(signal, samples) for signal, samples in self._drawn(step)])

    def plain(self, step: int) -> dict[str, Any]:
        return self._collated([self._row(s, [own]) for s, samples in self._drawn(step) for own in samples])

    def _drawn(self, step: int) -> Iterator[tuple[Any, list[Sample]]]:
        for number in range(self.images):
            seed = FIRST_SEED + step * self.images + number
            facts = training_facts("image", seed)
            yield (
                signal_of(facts.media[0]),
                sample_questions_about(facts, question_rng("train", seed, "image"), self.questions),
            )

    def _row(self, signal: Any, samples: Iterable[Sample]) -> Row:
        prepared = [self.processor.prepare(signal)]
        row = Row(prepared)
        for sample in samples:
            rendered = render(sample, prepared, self.processor, self.system.label_rule)
            row.add(rendered, mask_targets(rendered, sample.regions, prepared, self.cells, self.system))
        return row

    def _collated(self, rows: list[Row]) -> dict[str, Any]:
        return collate(rows, self.processor.tokenizer.pad_token_id, self.system)


def trained(model: Model, batches: Iterable[dict[str, Any]]) -> list[float]:
    """The losses of steps of AdamW without a step width, so that the other form begins from the same weights."""
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=0.0, weight_decay=0.0)
    losses = []
    for batch in batches:
        batch.pop(NUMBER, None)
        loss = model.network(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def measure(options: argparse.Namespace) -> tuple[list[list[float]], float]:
    """(seconds of every repeat: plain, packed, packed with a loader; largest relative difference of the losses)."""
    model = load(device="cpu", dtype=torch.float32)
    model.network.train()
    make = Batches(model, options.images, options.questions)
    steps = range(options.steps)
    pairs = zip(trained(model, map(make.plain, steps)), trained(model, map(make.packed, steps)), strict=True)
    difference = max(abs(plain - packed) / plain for plain, packed in pairs)

    def loaded() -> DataLoader:
        return DataLoader(
            BatchStream(make.packed, 0, options.steps), collate_fn=first, num_workers=1, prefetch_factor=4
        )

    calls = [
        lambda: trained(model, map(make.plain, steps)),
        lambda: trained(model, map(make.packed, steps)),
        lambda: trained(model, loaded()),
    ]
    return seconds_in_turn(calls, options.repeats), difference


def main() -> None:
    options = command_line(__doc__, images=4, questions=8, steps=4, repeats=3, threads=2)
    (plain, packed, loaded), difference = measure(options)
    ratio = median_ratio(plain, loaded)
    count = options.images * options.questions * options.steps
    about = (
        f"The bundled model, float32, CPU, {options.steps} steps of {options.images} images with {options.questions} "
        f"questions each, {options.repeats} repeats after a warm-up, medians. Losses differ by at most "
        f"{difference:.1e} of their size. Target: {TARGET} times the plain loop; "
        f"{'reached' if ratio >= TARGET else 'missed'} with {ratio:.2f}."
    )
    table = ["| form | questions per second | ratio |", "|:---|---:|---:|"]
    for name, seconds in {"a row each": plain, "packed": packed, "packed, with a loader": loaded}.items():
        table.append(f"| {name} | {count / statistics.median(seconds):.1f} | {median_ratio(plain, seconds):.2f} |")
    publish(options, "Training on packed rows against a row for each question", about, table)


if __name__ == "__main__":
    main()
