"""The parts that a build can have, by the kind that a recipe names; a new one is a file and an entry here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, no_type_check

from deixis.datasets.annotated import Annotated
from deixis.datasets.plain_questions import plain_samples
from deixis.options import Checked
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample, Skipped
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.draft import DirectionOptions
from deixis.synthesis.parts import (
    boxed_turns,
    classes,
    descriptions,
    dialogues,
    maps,
    negatives,
    objects,
    reasoning,
    relations,
    rewording,
)

Make = Callable[[Sequence[Annotated | Sample], int, str, Annotators, Any], Iterator[Sample | Skipped]]
"""Items, a quota, a seed, the models and the part's options in; at most `quota` samples, and what was skipped."""
DIRECTIONS = ("in", "out", "both")


@dataclass(frozen=True)
class Part:
    """A kind of part. title: shown by --list. options: a frozen dataclass whose fields all have defaults. needs: the
    fields of `Annotators` that are required. granularity: the level of detail in GRIT's terms. directions: whether
    regions are input, output, or both in one turn."""

    title: str
    make: Make
    options: Any  # the dataclass of its options
    granularity: str
    directions: tuple[str, ...] = DIRECTIONS
    needs: tuple[str, ...] = ()


@no_type_check
@dataclass(frozen=True)
class PlainOptions(Checked):
    """Options of plain parts. tasks: only these are used; all if none is named."""

    tasks: tuple[str, ...] = ()


def make_plain(
    items: Sequence[Annotated | Sample], quota: int, seed: str, annotators: Annotators, options: PlainOptions
) -> Iterator[Sample | Skipped]:
    """At most `quota` samples as their sets have them; an item gives all of its own before the next one is read."""
    for number in rng_for(seed, "plain").permutation(len(items)):
        item = items[number]
        for sample in [item] if isinstance(item, Sample) else plain_samples(item):
            if options.tasks and sample.task not in options.tasks:
                continue
            if quota <= 0:
                return
            quota -= 1
            yield replace(sample, split="train")


def _of_annotations(
    make: Make, items: Sequence[Annotated | Sample], quota: int, seed: str, annotators: Annotators, options: Any
) -> Iterator[Sample | Skipped]:
    """A part that takes annotations; dialogues among the items are skipped."""
    for item in items:
        if isinstance(item, Sample):
            yield Skipped(item.id, "expected annotations of objects, got a dialogue")
    yield from make([item for item in items if isinstance(item, Annotated)], quota, seed, annotators, options)


def _part(title: str, make: Callable[..., Any], *facts: Any, **more: Any) -> Part:
    return Part(title, partial(_of_annotations, make), *facts, **more)


PARTS = {
    "objects": _part("names of regions, regions of names", objects.make, DirectionOptions, "objects"),
    "relations": _part(
        "relations that the set tells, and how objects lie in the image",
        *(relations.make, relations.RelationsOptions, "relations"),
    ),
    "descriptions": _part(
        "words of the set for regions, regions for words, grounded captions",
        *(descriptions.make, DirectionOptions, "descriptions"),
    ),
    "negatives": _part(
        "what is not there, by the image and by hard negatives, as often yes as no",
        *(negatives.make, negatives.NegativesOptions, "objects", ("in", "out")),
    ),
    "classes": _part(
        "masks of classes, of referring expressions, of implicit questions",
        *(classes.make, classes.ClassesOptions, "objects, descriptions, reasoning", ("out",)),
    ),
    "maps": _part(
        "captions and questions about depth maps and surface normals of images",
        *(maps.make, maps.MapsOptions, "scenes", ("out", "both"), ("depth",)),
    ),
    "dialogues": _part(
        "dialogues about regions, written by a language model",
        *(dialogues.make, dialogues.DialoguesOptions, "objects, relations, descriptions, reasoning"),
        needs=("language",),
    ),
    "reasoning": _part(
        "implicit questions about masks with explanations, written by a language model",
        *(reasoning.make, reasoning.ReasoningOptions, "reasoning", ("out",), ("language",)),
    ),
    "rewording": Part(
        "samples with their questions in other words, by a language model",
        *(rewording.make, rewording.RewordingOptions, "as the samples"),
        needs=("language",),
    ),
    "boxed_turns": Part(
        "dialogues whose answers get the boxes of what they name, from another set or a detector",
        *(boxed_turns.make, boxed_turns.BoxedTurnsOptions, "as the dialogues", ("out",)),
    ),
    "plain": Part(
        "samples as their sets have them: dialogues as they are, annotations as plain questions",
        *(make_plain, PlainOptions, "as the set"),
    ),
}
