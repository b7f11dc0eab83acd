"""Binary classification of LVIS objects from a point, a box and a scribble: a reconstruction of Ferret's LVIS-ROC.

Ferret's file was never published, only its format (`deixis.datasets.grounding.ferret_lvis`). One object per image is
sampled from LVIS's annotations with a seed: a category, an object of it, a negative category, and a point and a
scribble inside the mask. Equal seeds give equal questions. Of two names that contain one another ("chair" and
"armchair") the official matching could not distinguish the answer, so they are never paired.

Source: Ferret (You et al., ICLR 2024), section 5.1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.detection.coco_variants import LVIS, names_by_address, object_of_category
from deixis.datasets.files.json_stream import json_items
from deixis.datasets.object_names import is_single
from deixis.datasets.plain_questions import plain_text
from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError
from deixis.evaluation.benchmarks.official_files import records
from deixis.geometry import Region
from deixis.geometry.mask_patches import mask_patch
from deixis.samples.drawn_shapes import point_in, scribble_in
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample, Skipped, Turn

ANY, THERE = "any", "there"
FORMS = ("point", "box", "free_shape")
MIN_PIXELS = 100  # a scribble in a smaller mask can hardly be drawn by hand
QUESTION = "Is the object {{0}} of the image a {} or a {}?"


@dataclass(frozen=True)
class Draw:
    """The sampling of objects: their number and the seed. others: the negative name is ANY category of LVIS, or, if
    there is one, that of another object in the image (THERE). subset: only images of this COCO set; "" for all.
    """

    count: int
    seed: int
    others: str = ANY
    subset: str = "val2017"


def lvis_objects(annotations: Path, images: Path | None, draw: Draw) -> tuple[Sample | Skipped, ...]:
    """Three samples (`FORMS`) per object, in the order of the images in the file, and what was skipped.

    `Turn.choices` are the two names, the correct one first for every other object; `Turn.references` its synonyms. The
    last result is cached. Raises DataError for a file without objects that can be sampled.
    """
    return _sampled(annotations, images, draw, annotations.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _sampled(annotations: Path, images: Path | None, draw: Draw, _: int) -> tuple[Sample | Skipped, ...]:
    names = [object_of_category(category) for _, category in json_items(annotations, "categories")]
    subset = _images_of(annotations, draw.subset)
    skipped: list[Skipped] = []
    found: list[tuple[Annotated, Object, Region, str]] = []
    for record in records(LVIS, DatasetConfig(annotations, images, split="val")):
        if isinstance(record, Skipped):
            skipped.append(record)
        elif isinstance(record, Annotated) and record.signals[0].id in subset:
            found += _object(record, names, draw)
    if not found:
        raise DataError(f"{annotations}: expected objects with masks in images of {draw.subset or 'COCO'}, got none")
    priority = {item.id: rng_for(draw.seed, item.id, "chosen").random() for item, *_ in found}
    chosen = set(sorted(priority, key=lambda name: priority[name])[: draw.count])
    selected = [sampled for sampled in found if sampled[0].id in chosen]
    return (*skipped, *(sample for n, sampled in enumerate(selected) for sample in _samples(n, *sampled, draw.seed)))


def _images_of(annotations: Path, subset: str) -> set[str]:
    """The ids of the images of a subset: LVIS's val contains images of COCO's train2017 too."""
    return {
        f"coco/{image['id']:012d}"
        for _, image in json_items(annotations, "images")
        if any(subset in name for name in names_by_address(image))
    }


def _object(item: Annotated, names: Sequence[Object], draw: Draw) -> Iterator[tuple[Annotated, Object, Region, str]]:
    """The sampled object of an image with a negative name; nothing if no object is large enough."""
    rng = rng_for(draw.seed, item.id, "object")
    by_name: dict[str, list[tuple[Object, Region]]] = {}
    for obj in item.objects:
        region = obj.region
        if (
            is_single(obj)
            and region is not None
            and region.mask is not None
            and mask_patch(region.mask).pixels.sum() >= MIN_PIXELS
        ):
            by_name.setdefault(obj.name, []).append((obj, region))
    if not by_name:
        return
    objects = by_name[_one(sorted(by_name), rng)]
    obj, region = objects[int(rng.integers(len(objects)))]
    there = {other.name for other in item.objects if other.name and _apart(obj, other)}
    everywhere = {other.name for other in names if _apart(obj, other)}
    options = there if draw.others == THERE and there else everywhere
    if options:
        yield item, obj, region, _one(sorted(options), rng)


def _samples(number: int, item: Annotated, obj: Object, region: Region, other: str, seed: int) -> Iterator[Sample]:
    patch = mask_patch(region.mask)
    rng = rng_for(seed, item.id, "shapes")
    regions = {
        "point": Region(point=point_in(patch, rng)),
        "box": Region(box=region.box),
        "free_shape": Region(mask=scribble_in(patch, rng).to_rle()),
    }
    choices = tuple(map(plain_text, (obj.name, other) if number % 2 == 0 else (other, obj.name)))
    synonyms = tuple(map(plain_text, obj.synonyms))
    turn = Turn(QUESTION.format(*choices), plain_text(obj.name), references=synonyms, choices=choices)
    for form in FORMS:
        name, of = f"lvis_roc/{item.signals[0].id}/{form}", (item.signals, (regions[form],))
        yield Sample(name, "lvis", "refer", "val", (turn,), *of, licence=item.licence)


def _apart(obj: Object, other: Object) -> bool:
    """Whether no name of one contains a name of the other."""
    own, its = ([name.lower() for name in (one.name, *one.synonyms)] for one in (obj, other))
    return not any(first in second or second in first for first in own for second in its)


def _one(names: Sequence[str], rng: np.random.Generator) -> str:
    return names[int(rng.integers(len(names)))]
