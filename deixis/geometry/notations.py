"""How models write regions into text: one grammar, and a table of the words each dialect uses for it.

A dialect changes words, never rules. Numbers in brackets are grid cells; their count tells the form, for a signal of d
axes: d numbers are a place, 2d are lows, then highs. ``<seg>`` stands for a mask, a point set or, in a sound, a span.

    <p>a red mug</p>[12, 40, 300, 620]      <p>two mugs</p>[..] [..]      <p>the cup</p><seg>      <p>a dog</p>[]

A mark names its signal by ``@1`` directly after it (from 0). Without that it means the first signal whose number of
axes fits the count of numbers, and ``<seg>`` means signal 0.

A dialect may lack a word. Without phrase words, the words that a mark belongs to are found by ``words.py``; without a
region token no question can point; without coordinates a bracket is plain text; without any of them a model only
talks.

    ferret     What is [12, 40, 300, 620] <region_fea>?      A red mug [12, 40, 300, 620] on a table [0, 400, 999, 999].
    lisa       What holds hot water?                         Sure, the mug is [SEG].
    onellm     What is this?                                 A red mug.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
    none_mark: str = "[]"  # after a phrase that nothing in the signal answers to
    coordinates: bool = True  # in an answer: numbers in brackets are marks
    region_coordinates: bool = False  # in a prompt: grid coordinates before the region token
    number_separator: str = ", "
    mark_separator: str = ""  # between a phrase and its first mark
    cell_of: Literal["place", "pixel"] = "place"  # which cell a place is in; "pixel": the rule of `ferret_regions`

    @property
    def markers(self) -> tuple[str, ...]:
        """The words that plain text must not contain."""
        return tuple(word for word in (self.phrase_open, self.phrase_close, self.region_token, self.seg_token) if word)

    @property
    def has_phrases(self) -> bool:
        """Whether the words that point are marked as such."""
        return bool(self.phrase_open)

    @property
    def has_marks(self) -> bool:
        """Whether an answer can point at all."""
        return self.coordinates or bool(self.seg_token)


DIALECTS = {
    "deixis": Dialect("deixis"),
    "deixis-coordinates": Dialect("deixis-coordinates", region_coordinates=True),
    # Ferret (You et al., ICLR 2024), section 3; apple/ml-ferret@3c9e5c93 ferret/serve/gradio_web_server.py:337-346
    "ferret": Dialect(
        "ferret",
        phrase_open="",
        phrase_close="",
        region_token="<region_fea>",
        seg_token="",
        none_mark="",
        region_coordinates=True,
        mark_separator=" ",
        cell_of="pixel",
    ),
    # LISA (Lai et al., CVPR 2024), section 3; dvlab-research/LISA@3cb2d430 utils/utils.py:40-46
    "lisa": Dialect(
        "lisa",
        phrase_open="",
        phrase_close="",
        region_token="",
        seg_token="[SEG]",
        none_mark="",
        coordinates=False,
        mark_separator=" ",
    ),
    # OneLLM (Han et al., CVPR 2024): answers are text alone
    "onellm": Dialect(
        "onellm", phrase_open="", phrase_close="", region_token="", seg_token="", none_mark="", coordinates=False
    ),
}


def dialects_that(can: Literal["point", "mark", "mask"]) -> str:
    """The names of the dialects in which a question can point, an answer can mark, or an answer can hold masks.

    >>> dialects_that("mask")
    'deixis, deixis-coordinates, lisa'
    """
    able = {
        "point": lambda dialect: dialect.region_token,
        "mark": lambda dialect: dialect.coordinates,
        "mask": lambda dialect: dialect.seg_token,
    }[can]
    return ", ".join(name for name, dialect in DIALECTS.items() if able(dialect))


def coordinates_signal(number_count: int, frames: Sequence[Frame]) -> int | None:
    """The signal that so many numbers mean when none is named; None where none fits."""
    for signal, frame in enumerate(frames):
        if number_count in (frame.dim, 2 * frame.dim):
            return signal
    return None
