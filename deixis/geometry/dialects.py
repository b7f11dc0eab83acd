"""How models write regions into text: one grammar, and a table of the words each dialect uses for it.

A dialect changes words, never rules. Numbers in brackets are grid cells; their count tells the form, for a signal of d
axes: d numbers are a place, 2d are lows, then highs. ``<seg>`` stands for a mask, a point set or, in a sound, a span.

    <p>a red mug</p>[12, 40, 300, 620]      <p>two mugs</p>[..] [..]      <p>the cup</p><seg>      <p>a dog</p>[]

A mark names its signal by ``@1`` directly after it (from 0). Without that it means the first signal whose number of
axes fits the count of numbers, and ``<seg>`` means signal 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deixis.geometry.frames import GRID_CELLS, Frame


@dataclass(frozen=True)
class Dialect:
    """Words of one way of writing regions. An empty word is one that the dialect does not have."""

    name: str
    grid: int = GRID_CELLS  # cells an axis
    phrase_open: str = "<p>"
    phrase_close: str = "</p>"
    region_token: str = "<region>"  # in a prompt: here the network puts the features of a region
    seg_token: str = "<seg>"
    region_coordinates: bool = False  # in a prompt: grid coordinates before the region token
    number_separator: str = ", "

    @property
    def markers(self) -> tuple[str, ...]:
        """The words that plain text must not contain."""
        return tuple(word for word in (self.phrase_open, self.phrase_close, self.region_token, self.seg_token) if word)


DIALECTS = {
    "deixis": Dialect("deixis"),
    "deixis-coordinates": Dialect("deixis-coordinates", region_coordinates=True),
}


def coordinates_signal(number_count: int, frames: Sequence[Frame]) -> int | None:
    """The signal that so many numbers mean when none is named; None where none fits."""
    for signal, frame in enumerate(frames):
        if number_count in (frame.dim, 2 * frame.dim):
            return signal
    return None
