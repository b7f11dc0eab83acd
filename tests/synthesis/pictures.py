"""Annotated images for tests of the template parts: objects with masks and boxes at known places."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from deixis.datasets.annotated import Annotated, Expression, Object, Relation
from deixis.datasets.runs.sources import Source
from deixis.datasets.source import DatasetConfig
from deixis.geometry import Reference, Region, mask_to_rle, parse_markup
from deixis.samples.sample import MediaReference, Sample, Skipped
from deixis.samples.validate import validate_record
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.parts.registry import PARTS

SIZE_HW = (120, 160)


def ellipse(x: float, y: float, across: float = 12, down: float = 9) -> np.ndarray:
    """(120, 160) bool, an ellipse around x, y."""
    rows, columns = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    return ((columns + 0.5 - x) / across) ** 2 + ((rows + 0.5 - y) / down) ** 2 <= 1


def region(x: float, y: float, across: float = 12, down: float = 9, masked: bool = True, **facts) -> Region:
    """A region with the box, and optionally the mask, of an ellipse."""
    box = (float(x - across), float(y - down), float(x + across), float(y + down))
    return Region(box=box, mask=mask_to_rle(ellipse(x, y, across, down)) if masked else None, **facts)


def picture(number: int, objects: Sequence[Object], **facts) -> Annotated:
    medium = MediaReference(f"coco/{number:012d}", "image", path=f"{number}.jpg", size_hw=SIZE_HW)
    return Annotated(f"coco/{number:012d}", "coco", "train", (medium,), tuple(objects), **facts)


def farm(number: int = 1, masked: bool = True, **facts) -> Annotated:
    """Two dogs and a horse in a row, a cat under the first dog, grass below: objects 0 to 4."""
    objects = (
        Object("dog", region(30, 30, masked=masked), synonyms=("hound",)),
        Object("dog", region(80, 30, masked=masked)),
        Object("horse", region(130, 30, 14, 12, masked=masked), attributes=("brown", "big")),
        Object("cat", region(30, 70, masked=masked)),
        Object("grass", region(80, 105, 70, 12, masked=masked), stuff=True),
    )
    return picture(number, objects, **facts)


def told(number: int = 1, **facts) -> Annotated:
    """The farm with relations, expressions and a caption, as in a set that does not annotate everything."""
    return farm(
        number,
        relations=(Relation(0, "chasing", 3), Relation(2, "has", 4), Relation(1, "next to", 2)),
        expressions=(
            Expression("The dog on the left.", (0,)),
            Expression("a brown horse eating grass", (2,), unique=False),
            Expression("both dogs", (0, 1)),
            Expression("the red tractor"),
        ),
        captions=("[Two dogs]{0,1} near [a horse]{2} and a {{farmer}}.", "A farm."),
        complete=False,
        **facts,
    )


def farms(count: int, **facts) -> list[Annotated]:
    return [farm(number, **facts) for number in range(1, count + 1)]


def made(
    part: str,
    items: Sequence[Annotated],
    quota: int = 10_000,
    seed: str = "7",
    annotators: Annotators = Annotators(),
    **options,
):
    """The samples of a part, each of which is checked; none is skipped."""
    kind = PARTS[part]
    found = list(kind.make(items, quota, seed, annotators, kind.options(**options)))
    assert [each for each in found if isinstance(each, Skipped)] == []
    for sample in found:
        check(sample)
    assert len({sample.id for sample in found}) == len(found)
    return found


def check(sample: Sample) -> None:
    """The sample is one of the format; its media need not be there."""
    signals = tuple(replace(medium, path=None, content=None) for medium in sample.signals)
    validate_record(replace(sample, signals=signals).to_json())


def turns(samples: Sequence[Sample]) -> Iterator[tuple[Sample, object]]:
    yield from ((sample, turn) for sample in samples for turn in sample.turns)


def marks(text: str) -> list[Reference]:
    return [piece for piece in parse_markup(text) if isinstance(piece, Reference)]


def direction(turn) -> str:
    """ "in", "out" or "both", by where the turn refers to regions."""
    asks, gives = (any(mark.indices for mark in marks(text)) for text in (turn.user, turn.assistant))
    return {(True, False): "in", (False, True): "out", (True, True): "both", (False, False): "none"}[asks, gives]


def read(format_name: str, path: Path, folder: Path) -> list[Annotated]:
    """The items of a real set, by its reader; its catalogue is kept in `folder`."""
    source = Source(format_name, format_name, DatasetConfig(path), folder / f"{format_name}-{path.stem}.sqlite")
    count = source.prepare()
    return [record for _, record in source.records(0, count) if isinstance(record, Annotated)]
