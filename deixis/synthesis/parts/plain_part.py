"""Samples as their sets have them: dialogues as they are, annotations as plain questions; in an order drawn at random.

For what is mixed in beside new data: replayed dialogues, captions, a set in the words of
`deixis.datasets.plain_questions`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from deixis.datasets.annotated import Annotated
from deixis.datasets.plain_questions import plain_samples
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample
from deixis.samples.skipped import Skipped
from deixis.synthesis.annotator_types import Annotators


@dataclass(frozen=True)
class PlainOptions:
    """Options of plain parts. tasks: only these are kept; all if none is named."""

    tasks: tuple[str, ...] = ()


def make(
    items: Sequence[Annotated | Sample], quota: int, seed: str, annotators: Annotators, options: PlainOptions
) -> Iterator[Sample | Skipped]:
    """At most `quota` samples; an item gives all that it has before the next one is looked at."""
    for number in rng_for(seed, "plain").permutation(len(items)):
        item = items[number]
        for sample in [item] if isinstance(item, Sample) else plain_samples(item):
            if options.tasks and sample.task not in options.tasks:
                continue
            if quota <= 0:
                return
            quota -= 1
            yield replace(sample, split="train")
