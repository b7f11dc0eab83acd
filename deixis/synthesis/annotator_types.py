"""What models do for a build: write text, mark masks, find boxes, measure depth.

They come in as factories, which a worker calls once, so that a build can be sent to other processes and this room knows
no network. `None`: there is no such model, and the parts that need it are skipped and said to be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

ChatClient = Callable[[list[dict]], str]
"""Chat messages, {"role", "content"}, in; the text of the answer out."""
MasksOfBoxes = Callable[[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "n 4"]], Bool[np.ndarray, "n h w"]]
"""An image and boxes_xyxy in pixels in; the mask of what each box holds out."""
BoxesOfNames = Callable[[UInt8[np.ndarray, "h w 3"], Sequence[str]], list[tuple[str, tuple[float, ...], float]]]
"""An image and names in; (name, box_xyxy in pixels, score in 0..1) of whatever is found out."""
DepthOf = Callable[[UInt8[np.ndarray, "h w 3"]], Float[np.ndarray, "h w"]]
"""An image in; how far each pixel is, larger is farther, out: in metres if its attribute `metric` is true."""


@dataclass(frozen=True)
class Annotators:
    """Factories of the models at hand."""

    language: Callable[[], ChatClient] | None = None
    masks: Callable[[], MasksOfBoxes] | None = None
    boxes: Callable[[], BoxesOfNames] | None = None
    depth: Callable[[], DepthOf] | None = None
