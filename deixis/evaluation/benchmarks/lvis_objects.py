"""Objects of LVIS to be told from one other name, with a point, a box and a stroke on each: Ferret's LVIS-ROC anew.

Ferret's file was never published, only its form (`deixis.datasets.grounding.ferret_lvis`). This draws one object a
picture from LVIS's own annotations, by a seed: a name of those in the picture, a thing of that name, the other name, a
point and a stroke that lie in its mask. So all who say their seed ask the same. Of two names that hold one another
("chair" and "armchair") an answer would tell nothing under the official rule, so they are never offered together.

Source: Ferret (You et al., ICLR 2024), section 5.1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from deixis.datasets.annotated import Annotated, Thing
from deixis.datasets.detection.lvis import LVIS, names_by_address, thing_of_category
from deixis.datasets.files.json_stream import json_items
from deixis.datasets.object_names import is_single
from deixis.datasets.plain_questions import plain_text
from deixis.datasets.source import Place
from deixis.errors import DataError
from deixis.evaluation.benchmarks.records import records
from deixis.geometry import Region
from deixis.geometry.mask_patches import mask_patch
from deixis.samples.drawn_shapes import point_in, scribble_in
from deixis.samples.rng import rng_of
from deixis.samples.sample import Sample, Turn
from deixis.samples.skipped import Skipped

ANY, THERE = "any", "there"
FORMS = ("point", "box", "free_shape")
MIN_PIXELS = 100  # a stroke of less can hardly be drawn by hand
QUESTION = "Is the object {{0}} of the image a {} or a {}?"


@dataclass(frozen=True)
class Draw:
    """Which objects: how many, by which seed. others: the other name is ANY of LVIS's that the object has not, or, if
    there is one, that of another thing THERE. subset: only pictures of this set of COCO's; "" for all."""

    count: int
    seed: int
    others: str = ANY
    subset: str = "val2017"


def lvis_objects(annotations: Path, images: Path | None, draw: Draw) -> tuple[Sample | Skipped, ...]:
    """Three samples (`FORMS`) of each object, in the order of the pictures in the file, and what could not be read.

    `Turn.choices` are the two names, the right one first for every other object; `Turn.references` its synonyms. What
    was drawn last is kept in memory. Raises ValueError for a file without objects to draw.
    """
    return _kept(annotations, images, draw, annotations.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _kept(annotations: Path, images: Path | None, draw: Draw, _: int) -> tuple[Sample | Skipped, ...]:
    names = [thing_of_category(category) for _, category in json_items(annotations, "categories")]
    subset = _pictures_of(annotations, draw.subset)
    skipped: list[Skipped] = []
    found: list[tuple[Annotated, Thing, str]] = []
    for record in records(LVIS, Place(annotations, images, split="val")):
        if isinstance(record, Skipped):
            skipped.append(record)
        elif isinstance(record, Annotated) and record.signals[0].id in subset:
            found += _object(record, names, draw)
    if not found:
        raise DataError(f"{annotations}: expected objects with masks in pictures of {draw.subset or 'COCO'}, got none")
    chance = {item.id: rng_of(draw.seed, item.id, "chosen").random() for item, _, _ in found}
    chosen = set(sorted(chance, key=lambda name: chance[name])[: draw.count])
    kept = [drawn for drawn in found if drawn[0].id in chosen]
    return (*skipped, *(sample for number, drawn in enumerate(kept) for sample in _samples(number, *drawn, draw.seed)))


def _pictures_of(annotations: Path, subset: str) -> set[str]:
    """The ids of the pictures of a subset: LVIS's val holds pictures of COCO's train2017 too."""
    return {
        f"coco/{image['id']:012d}"
        for _, image in json_items(annotations, "images")
        if any(subset in name for name in names_by_address(image))
    }


def _object(item: Annotated, names: Sequence[Thing], draw: Draw) -> Iterator[tuple[Annotated, Thing, str]]:
    """The object of a picture, with another name; none where nothing in it is large enough."""
    rng = rng_of(draw.seed, item.id, "object")
    by_name: dict[str, list[Thing]] = {}
    for thing in item.things:
        if is_single(thing) and thing.region.mask is not None and _pixels(thing) >= MIN_PIXELS:
            by_name.setdefault(thing.name, []).append(thing)
    if not by_name:
        return
    things = by_name[_one(sorted(by_name), rng)]
    thing = things[int(rng.integers(len(things)))]
    there = {other.name for other in item.things if other.name and _apart(thing, other)}
    everywhere = {other.name for other in names if _apart(thing, other)}
    options = there if draw.others == THERE and there else everywhere
    if options:
        yield item, thing, _one(sorted(options), rng)


def _samples(number: int, item: Annotated, thing: Thing, other: str, seed: int) -> Iterator[Sample]:
    patch = mask_patch(thing.region.mask)
    rng = rng_of(seed, item.id, "shapes")
    regions = {
        "point": Region(point=point_in(patch, rng)),
        "box": Region(box=thing.region.box),
        "free_shape": Region(mask=scribble_in(patch, rng).to_rle()),
    }
    choices = tuple(map(plain_text, (thing.name, other) if number % 2 == 0 else (other, thing.name)))
    turn = Turn(
        QUESTION.format(*choices),
        plain_text(thing.name),
        references=tuple(map(plain_text, thing.synonyms)),
        choices=choices,
    )
    for form in FORMS:
        yield Sample(
            id=f"lvis_roc/{item.signals[0].id}/{form}",
            source="lvis",
            task="refer",
            split="val",
            turns=(turn,),
            signals=item.signals,
            regions=(regions[form],),
            licence=item.licence,
        )


def _apart(thing: Thing, other: Thing) -> bool:
    """Whether no name of one holds a name of the other."""
    own, its = ([name.lower() for name in (one.name, *one.synonyms)] for one in (thing, other))
    return not any(first in second or second in first for first in own for second in its)


def _pixels(thing: Thing) -> int:
    return int(mask_patch(thing.region.mask).pixels.sum())


def _one(names: Sequence[str], rng: np.random.Generator) -> str:
    return names[int(rng.integers(len(names)))]
