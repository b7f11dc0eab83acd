"""How objects lie to each other in an image, told from their boxes and only where nobody would say otherwise.

Left of: one box ends before the other begins, and they stand at the same height for at least half of the lower one;
above in the same way; within: a box lies in another that is at least twice its size. It is about the image, not the
scene: who is left in an image may stand anywhere.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import is_single

PLACED_KINDS = ("image", "depth", "normal")
SHARED_SIDE = 0.5  # of the shorter of two sides
WITHIN_SHARE = 0.5  # of the larger one's area
WORDS = {
    "left": ("to the left of", "left of", "on the left of"),
    "right": ("to the right of", "right of", "on the right of"),
    "above": ("above", "higher up than", "above"),
    "below": ("below", "lower down than", "below"),
    "within": ("within the bounds of", "inside the area of"),
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


def boxes_of(item: Annotated, most: int) -> tuple[list[int], Float[np.ndarray, "thing 4"]]:
    """The numbers and boxes_xyxy of at most so many objects of the item's first image, stuff skipped."""
    numbers = [
        number
        for number, obj in enumerate(item.objects)
        if is_single(obj) and not obj.stuff and obj.region.box is not None and obj.region.signal == 0
    ]
    if not item.signals or item.signals[0].modality not in PLACED_KINDS:
        numbers = []
    boxes = [item.objects[number].region.box for number in numbers[:most]]
    return numbers[:most], np.array(boxes, dtype=np.float64).reshape(-1, 4)


def places(boxes_xyxy: Float[np.ndarray, "thing 4"]) -> dict[str, list[tuple[int, int]]]:
    """Pairs (a, b) of boxes by how a lies to b: "left", "right", "above", "below", "within".

    >>> places(np.array([[0, 0, 10, 10], [20, 2, 30, 12], [21, 3, 24, 6]], dtype=float))["left"]
    [(0, 1), (0, 2)]
    """
    lows, highs = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    sides = highs - lows
    shared = np.minimum(highs[:, None], highs) - np.maximum(lows[:, None], lows)  # (a, b, axis)
    beside = shared >= SHARED_SIDE * np.minimum(sides[:, None], sides)
    before = highs[:, None] <= lows
    area = sides.prod(axis=1)
    inside = (lows[:, None] >= lows) & (highs[:, None] <= highs)
    found = {
        "left": before[..., 0] & beside[..., 1],
        "above": before[..., 1] & beside[..., 0],
        "within": inside.all(axis=2) & (area[:, None] <= WITHIN_SHARE * area),
    }
    found |= {"right": found["left"].T, "below": found["above"].T}
    return {name: [(int(a), int(b)) for a, b in zip(*np.nonzero(pairs), strict=True)] for name, pairs in found.items()}


def is_the_only_one(
    place: str, one: int, to: int, rivals: Sequence[int], boxes_xyxy: Float[np.ndarray, "thing 4"]
) -> bool:
    """Whether of its name only this box lies so to another: every rival's middle is on the other side of that's middle.

    Nothing is said of "within" where there is a rival.
    """
    if place == "within":
        return not [rival for rival in rivals if rival not in (one, to)]
    axis = 0 if place in ("left", "right") else 1
    middles = boxes_xyxy[:, axis] + boxes_xyxy[:, axis + 2]
    sign = 1 if place in ("left", "above") else -1
    return all(sign * (middles[rival] - middles[to]) > 0 for rival in rivals if rival not in (one, to))
