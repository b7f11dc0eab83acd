"""An image in symbols, for a language model that sees none: numbered objects with their places, relations, captions.

As in Ferret (You et al., ICLR 2024) and LLaVA, the writer knows the image by what people marked in it.
The numbers it sees are places in `Scene.shown`; those of the item never leave. Independent of prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.object_names import is_single, names_of
from deixis.errors import DataError
from deixis.geometry import Reference, Region, parse_markup
from deixis.samples.sample import Sample

GRID = 999
"""Places are whole numbers from 0 to this, whatever the image's size."""
MAX_LINES = 24  # of relations, and of descriptions
MAX_CAPTIONS = 5


@dataclass(frozen=True)
class Scene:
    """An image as the writer sees it. shown: numbers of the item's objects, by the number that the writer sees."""

    item: Annotated
    shown: tuple[int, ...]
    text: str

    def obj(self, number: int) -> Object:
        return self.item.objects[self.shown[number]]

    def names(self, number: int) -> tuple[str, ...]:
        """Everything that an object may be called: names, synonyms, and what expressions call it."""
        obj = self.obj(number)
        told = (expression.text for expression in self.item.expressions if expression.objects == (self.shown[number],))
        return (obj.full_name, obj.name, *obj.synonyms, *told)


def build_scene(item: Annotated | Sample, most: int, usable: Callable[[Object], bool] = is_single) -> Scene:
    """The scene of an item that is one image, with at most so many of its usable objects, the largest ones.

    Raises DataError for an item that is not one image, or has no such object.
    """
    if not isinstance(item, Annotated):
        raise DataError("expected annotations, got a dialogue")
    if len(item.signals) != 1 or item.signals[0].modality != "image":
        raise DataError(f"expected one image, got {', '.join(medium.modality for medium in item.signals) or 'none'}")
    found = [n for n, obj in enumerate(item.objects) if is_single(obj) and usable(obj) and _box(obj.region)]
    if not found:
        raise DataError("expected objects that can be referred to, got none")
    largest = sorted(found, key=lambda n: (-_area(item.objects[n].region), n))[:most]
    shown = tuple(sorted(largest))
    number_of = {obj: number for number, obj in enumerate(shown)}
    lines = [f"Things: number, name, what is known of it, its box as left top right bottom from 0 to {GRID}"]
    lines += [_thing_line(number, item.objects[obj], item.signals[0].size_hw) for obj, number in number_of.items()]
    rest = sorted({obj.full_name for n, obj in enumerate(item.objects) if n not in number_of and obj.name})
    if rest:
        lines.append(f"Also there, but without a number: {', '.join(rest[:MAX_LINES])}")
    lines += _more_lines(item)
    lines += _relation_lines(item, number_of)
    told = [line for expression in item.expressions if (line := _told(expression, number_of))]
    lines += ["Descriptions:", *told[:MAX_LINES]] if told else []
    captions = [_caption(caption, number_of) for caption in item.captions[:MAX_CAPTIONS]]
    lines += ["Captions:", *captions] if captions else []
    return Scene(item, shown, "\n".join(lines))


def _more_lines(item: Annotated) -> list[str]:
    """Of which names there may be more than is listed: groups, ignored and skipped objects, incomplete sets."""
    if not item.complete:
        return ["There may be more than is listed, of these names and of others"]
    names = {obj.full_name for obj in item.objects if obj.name} | set(item.vague)
    more = sorted(names - names_of(item).every)
    return [f"There may be more than is listed of: {', '.join(more)}"] if more else []


def _box(region: Region | None) -> tuple[float, ...] | None:
    return None if region is None else region.box


def _area(region: Region | None) -> float:
    left, top, right, bottom = _box(region) or (0, 0, 0, 0)
    return (right - left) * (bottom - top)


def _thing_line(number: int, obj: Object, size_hw: tuple[int, int] | None) -> str:
    known = f" ({', '.join(obj.attributes)})" if obj.attributes else ""
    return f"{number} {obj.full_name}{known}: {' '.join(map(str, _on_grid(obj.region.box, size_hw)))}"


def _on_grid(box_xyxy: tuple[float, ...], size_hw: tuple[int, int] | None) -> list[int]:
    """The box in whole steps of the grid; in pixels where the image's size is not told."""
    if size_hw is None:
        return [round(value) for value in box_xyxy]
    height, width = size_hw
    return [
        min(max(round(value / side * GRID), 0), GRID)
        for value, side in zip(box_xyxy, (width, height, width, height), strict=True)
    ]


def _relation_lines(item: Annotated, number_of: dict[int, int]) -> list[str]:
    lines = [
        f"{number_of[relation.subject]} {relation.predicate} {number_of[relation.object]}"
        for relation in item.relations
        if relation.subject in number_of and relation.object in number_of
    ]
    return ["Relations:", *dict.fromkeys(lines[:MAX_LINES])] if lines else []


def _told(expression: Expression, number_of: dict[int, int]) -> str | None:
    if not expression.objects or not all(obj in number_of for obj in expression.objects):
        return None
    return f"{', '.join(str(number_of[obj]) for obj in expression.objects)} is: {expression.text}"


def _caption(caption: str, number_of: dict[int, int]) -> str:
    """A caption whose numbers are those of the scene, without marks of objects that are not shown."""
    pieces = []
    for piece in parse_markup(caption):
        if not isinstance(piece, Reference):
            pieces.append(piece.text)
            continue
        numbers = [str(number_of[obj]) for obj in piece.indices if obj in number_of]
        phrase = piece.phrase or "it"
        pieces.append(f"[{phrase}]{{{','.join(numbers)}}}" if numbers else phrase)
    return "".join(pieces)
