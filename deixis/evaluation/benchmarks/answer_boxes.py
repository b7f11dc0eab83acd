"""The boxes of an answer's regions, in pixels, for scores that compare boxes only."""

from deixis.geometry import Region, mask_to_box_xyxy
from deixis.inference import Answer


def box_of(region: Region) -> tuple[float, ...] | None:
    """(x1, y1, x2, y2) in pixels of an image region: its box, or that around its mask; None for other regions."""
    if region.box is not None or region.mask is None:
        return region.box
    box = mask_to_box_xyxy(region.mask_array)
    return None if box is None else tuple(map(float, box))


def first_box(regions: tuple[Region, ...]) -> tuple[float, ...] | None:
    """The first box among regions; None if there is none."""
    return next((box for region in regions if (box := box_of(region)) is not None), None)


def phrase_boxes(answer: Answer) -> list[tuple[int, list[tuple[float, ...]]]]:
    """(end of the phrase in the answer's text, boxes of its regions) per phrase, in the order of the text."""
    phrases = sorted(answer.phrases, key=lambda phrase: phrase.end)
    return [(p.end, [box for region in p.regions if (box := box_of(region)) is not None]) for p in phrases]
