"""The boxes of an answer's regions, in pixels, for scores that compare boxes only."""

from deixis.geometry import mask_to_box_xyxy
from deixis.inference import Answer, Marked


def box_of(region: Marked) -> tuple[float, ...] | None:
    """(x1, y1, x2, y2) in pixels of an image region: its box, or that around its mask; None for other regions."""
    if region.kind == "box" and len(region.value) == 4:
        return tuple(map(float, region.value))
    if region.kind != "mask":
        return None
    box = mask_to_box_xyxy(region.value)
    return None if box is None else tuple(map(float, box))


def first_box(regions: tuple[Marked, ...]) -> tuple[float, ...] | None:
    """The first box among regions; None if there is none."""
    return next((box for region in regions if (box := box_of(region)) is not None), None)


def phrase_boxes(answer: Answer) -> list[tuple[int, list[tuple[float, ...]]]]:
    """(end of the phrase in the answer's text, boxes of its regions) per phrase, in the order of the text."""
    phrases = sorted(answer.phrases, key=lambda phrase: phrase.end)
    return [(p.end, [box for region in p.regions if (box := box_of(region)) is not None]) for p in phrases]
