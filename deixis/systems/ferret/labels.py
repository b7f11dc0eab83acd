"""How Ferret's training puts boxes into a conversation: places for boxes become coordinates, with masks beside them.

A turn holds <bbox_location0>, <bbox_location1>, ... A person's turn gives each as a point or a box with a region token
and a mask; the model's turn gives boxes alone. The places of a turn share one form, which official training draws by
chance. It knows no file: segments come as arrays (W, H), x first.

Source: apple/ml-ferret@3c9e5c93, ferret/train/train.py:705-720, 905-1070.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool

from deixis.errors import DataError
from deixis.geometry.pixel_grid import grid_numbers
from deixis.systems.ferret.regions import box_in_picture, training_mask

REGION_TOKEN = "<region_fea>"
Segment = Bool[np.ndarray, "w h"]


def asked_places(
    text: str,
    boxes_xyxy: Sequence[Sequence[float]],
    size_wh: tuple[int, int],
    form: Literal["point", "box"],
    segments: Sequence[Segment | None] | None = None,
) -> tuple[str, list[Segment]]:
    """(text, masks) of a person's turn: each place as the centre of its box or as the box, and its mask.

    Numbers are truncated by training's own formula. Raises ValueError for a box without a place in the text.
    """
    masks = []
    for index, box in enumerate(boxes_xyxy):
        inside = box_in_picture(box, size_wh)
        numbers, place = _numbers(inside, size_wh, form)
        text = _put(text, index, f"{numbers} {REGION_TOKEN}")
        masks.append(
            training_mask(place, [int(side) for side in inside], size_wh, segments[index] if segments else None)
        )
    return text, masks


def answered_places(text: str, boxes_xyxy: Sequence[Sequence[float]], size_wh: tuple[int, int]) -> str:
    """The text of the model's turn: each place as a box. Raises ValueError for a box without a place in the text.

    >>> answered_places("A cup <bbox_location0>.", [[86, 161, 256, 479]], (427, 640))
    'A cup [201, 251, 599, 748].'
    """
    for index, box in enumerate(boxes_xyxy):
        text = _put(text, index, _numbers(box_in_picture(box, size_wh), size_wh, "box")[0])
    return text


def _numbers(box: list[float], size_wh: tuple[int, int], form: str) -> tuple[str, list[float]]:
    """Coordinates in brackets, and the place in pixels, through the grid and back as training goes."""
    ratio = np.array([1000 / size_wh[0], 1000 / size_wh[1]])
    low, high = np.array(box[:2]) * ratio, np.array(box[2:]) * ratio
    if form == "point":
        centre = ratio * (np.array(box[:2]) + np.array(box[2:])) / 2
        return f"[{', '.join(str(int(number)) for number in centre)}]", (centre / ratio).tolist()
    numbers = grid_numbers(box, size_wh, "ratio")
    return f"[{', '.join(map(str, numbers.tolist()))}]", [*(low / ratio), *(high / ratio)]


def _put(text: str, index: int, written: str) -> str:
    word = f"<bbox_location{index}>"
    if word not in text:
        raise DataError(f"box {index} of the turn: expected {word} in its text, got {text!r:.80}")
    return text.replace(word, written)
