"""An answer in Ferret's words, "a man [12, 40, 300, 620]", for the official readers, which read text and nothing else.

A Ferret's own answer is taken as it was written; any other model's is written again: each phrase, and behind it the
boxes of its regions on Ferret's grid. It knows no score.
"""

from collections.abc import Callable, Sequence

from deixis.geometry import mask_to_box_xyxy
from deixis.geometry.pixel_grid import grid_numbers
from deixis.inference import Answer, Marked
from deixis.systems.ferret.prompts import written

FERRET = "ferret"


def ferret_text(answer: Answer, size_hw: tuple[int, int], notation: str) -> str:
    """The text that the official readers are given. size_hw: of the picture. notation: of the model that answered."""
    if notation == FERRET:
        return answer.raw or answer.text
    return boxed_text(answer, lambda box: written(grid_numbers(box, size_hw[::-1], "ratio")))


def boxed_text(answer: Answer, written_box: Callable[[Sequence[float]], str]) -> str:
    """The answer's text with every phrase's boxes behind it, as `written_box` writes x1, y1, x2, y2 in pixels."""
    pieces, at = [], 0
    for phrase in sorted(answer.phrases, key=lambda phrase: phrase.end):
        boxes = [box for region in phrase.regions if (box := box_of(region)) is not None]
        pieces.append(answer.text[at : phrase.end])
        pieces += [f" {written_box(box)}" for box in boxes]
        at = phrase.end
    return "".join([*pieces, answer.text[at:]])


def box_of(region: Marked) -> tuple[float, ...] | None:
    """x1, y1, x2, y2 in pixels of a region of a picture: its box, or that around its mask; None for other regions."""
    if region.kind == "box" and len(region.value) == 4:
        return tuple(map(float, region.value))
    if region.kind != "mask":
        return None
    around = mask_to_box_xyxy(region.value)
    return None if around is None else tuple(map(float, around))
