"""The parts that a build can have, by the kind that a recipe names; a new one is a file and an entry here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from deixis.datasets.annotated import Annotated
from deixis.samples.sample import Sample
from deixis.samples.skipped import Skipped
from deixis.synthesis.annotator_types import Annotators
from deixis.synthesis.parts import (
    boxed_turns,
    classes,
    descriptions,
    dialogues,
    maps,
    negatives,
    objects,
    plain_part,
    reasoning,
    relations,
    rewording,
)
from deixis.synthesis.question_options import DirectionOptions

Make = Callable[[Sequence[Annotated | Sample], int, str, Annotators, Any], Iterator[Sample | Skipped]]
"""Items, a quota, a seed, the models and the part's options in; at most `quota` samples, and what was skipped."""
DIRECTIONS = ("in", "out", "both")


@dataclass(frozen=True)
class Part:
    """A kind of part. title: shown by --list. options: a frozen dataclass whose fields all have defaults. needs: the
    fields of `Annotators` that are required. granularity: the level of detail in GRIT's terms. directions: whether
    regions are input, output, or both in one turn."""

    name: str
    title: str
    make: Make
    options: Any  # the dataclass of its options
    granularity: str
    directions: tuple[str, ...] = DIRECTIONS
    needs: tuple[str, ...] = ()


def _of_annotations(
    make: Make, items: Sequence[Annotated | Sample], quota: int, seed: str, annotators: Annotators, options: Any
) -> Iterator[Sample | Skipped]:
    """A part that takes annotations, without the dialogues among the items, which are said."""
    for item in items:
        if isinstance(item, Sample):
            yield Skipped(item.id, "expected annotations of objects, got a dialogue")
    yield from make([item for item in items if isinstance(item, Annotated)], quota, seed, annotators, options)


def _part(name: str, title: str, module: Any, options: type, granularity: str, **facts: Any) -> Part:
    return Part(name, title, partial(_of_annotations, module.make), options, granularity, **facts)


PARTS = {
    part.name: part
    for part in (
        _part("objects", "names of regions, regions of names", objects, DirectionOptions, "objects"),
        _part(
            "relations",
            "relations that the set tells, and how objects lie in the image",
            relations,
            relations.RelationsOptions,
            "relations",
        ),
        _part(
            "descriptions",
            "words of the set for regions, regions for words, grounded captions",
            descriptions,
            DirectionOptions,
            "descriptions",
        ),
        _part(
            "negatives",
            "what is not there, by the image and by hard negatives, as often yes as no",
            negatives,
            negatives.NegativesOptions,
            "objects",
            directions=("in", "out"),
        ),
        _part(
            "classes",
            "masks of classes, of referring expressions, of implicit questions",
            classes,
            classes.ClassesOptions,
            "objects, descriptions, reasoning",
            directions=("out",),
        ),
        _part(
            "maps",
            "captions and questions about depth maps and surface normals of images",
            maps,
            maps.MapsOptions,
            "scenes",
            directions=("out", "both"),
            needs=("depth",),
        ),
        _part(
            "dialogues",
            "dialogues about regions, written by a language model",
            dialogues,
            dialogues.DialoguesOptions,
            "objects, relations, descriptions, reasoning",
            needs=("language",),
        ),
        _part(
            "reasoning",
            "implicit questions about masks with explanations, written by a language model",
            reasoning,
            reasoning.ReasoningOptions,
            "reasoning",
            directions=("out",),
            needs=("language",),
        ),
        Part(
            "rewording",
            "samples with their questions in other words, by a language model",
            rewording.make,
            rewording.RewordingOptions,
            "as the samples",
            needs=("language",),
        ),
        Part(
            "boxed_turns",
            "dialogues whose answers get the boxes of what they name, from another set or a detector",
            boxed_turns.make,
            boxed_turns.BoxedTurnsOptions,
            "as the dialogues",
            directions=("out",),
        ),
        Part(
            "plain",
            "samples as their sets have them: dialogues as they are, annotations as plain questions",
            plain_part.make,
            plain_part.PlainOptions,
            "as the set",
        ),
    )
}
