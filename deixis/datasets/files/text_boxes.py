"""Boxes that stand in texts as shares: "the red mug [0.12, 0.3, 0.5, 0.77]", as in LLaVA's data and Ferret-Bench.

Here they become regions, and the text markup; or they stay text. Independent of format.
"""

import re

from deixis.datasets.files.boxes import BoxXYXY, box_from_xyxy
from deixis.datasets.files.dialogue import marked
from deixis.errors import DataError
from deixis.geometry import Region
from deixis.samples.sample import MediaReference

AS_TEXT, ON_SQUARE, ON_IMAGE = "text", "square", "image"
WAYS = (AS_TEXT, ON_SQUARE, ON_IMAGE)
"""Left in the text; shares of the square that the image is padded to, in its middle; shares of the image."""
HALF_STEP = 0.005
"""Boxes have two decimals or more: one without a width is at most this much wider on either side."""
_NUMBER = r"(?:[01]\.\d+|[01]|\.\d+)"
_BOX = re.compile(rf"\[\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\]")


class TextBoxes:
    """Texts about one image as markup, and the boxes that they mention, one region each, in the order of mention.

    With several images or none, nothing tells which one a box is on: then boxes stay text.
    """

    def __init__(self, way: str, media: tuple[MediaReference, ...]):
        self.way = way if len(media) == 1 else AS_TEXT
        self.media = media
        self.boxes: list[BoxXYXY] = []

    def markup(self, text: str, phrases: bool) -> str:
        """A text as markup. phrases: words that surely mean a box become its phrase.

        Raises DataError for a box that is none, and where the image, whose size is needed, is not there.
        """
        places = [] if self.way == AS_TEXT else [found for found in _BOX.finditer(text) if "." in found[0]]
        return marked(text, places, self._number, phrases)

    def regions(self) -> tuple[Region, ...]:
        return tuple(Region(box=box) for box in self.boxes)

    def _number(self, place: re.Match[str]) -> int:
        medium = self.media[0]
        if medium.size_hw is None:
            raise DataError(f"{medium.path}: expected the image, whose size its boxes need, got no such file")
        box = box_from_shares([float(number) for number in place.groups()], medium.size_hw, self.way == ON_SQUARE)
        if box not in self.boxes:
            self.boxes.append(box)
        return self.boxes.index(box)


def box_from_shares(shares: list[float], size_hw: tuple[int, int], on_square: bool = False) -> BoxXYXY:
    """A box in pixels of shares x1, y1, x2, y2 of the image, or of the square that it lies in the middle of.

    A box without a width or height, which rounding has taken, gets `HALF_STEP` on either side. Raises DataError for a
    box of which nothing lies on the image.

    >>> box_from_shares([0.0, 0.25, 0.5, 0.75], (100, 200), on_square=True)
    (0.0, 0.0, 100.0, 100.0)
    """
    height, width = size_hw
    x1, y1, x2, y2 = shares
    if x1 == x2:
        x1, x2 = x1 - HALF_STEP, x2 + HALF_STEP
    if y1 == y2:
        y1, y2 = y1 - HALF_STEP, y2 + HALF_STEP
    across, down, left, top = width, height, 0.0, 0.0
    if on_square:
        across = down = max(size_hw)
        left, top = (across - width) / 2, (down - height) / 2
    pixels = [x1 * across - left, y1 * down - top, x2 * across - left, y2 * down - top]
    return box_from_xyxy(pixels, size_hw, f"the box {shares}")
