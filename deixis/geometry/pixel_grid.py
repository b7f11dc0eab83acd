"""Grid numbers of whole pixels, truncated: the numbers that some models were trained on instead of the cell of a place.

Masks here are (W, H), x first. The three formulas are those of apple/ml-ferret@3c9e5c93,
ferret/serve/gradio_web_server.py:337-346, ferret/train/train.py:705-706 and ferret/eval/model_lvis.py:50-107.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from deixis.errors import InputError
from deixis.geometry.frames import GRID_CELLS

Rounding = Literal["pixel", "ratio", "share"]


def grid_numbers(
    places: Sequence[float] | np.ndarray, size_wh: tuple[int, int], rounding: Rounding = "pixel"
) -> Int[np.ndarray, " number"]:
    """Grid numbers of pixel coordinates x, y, x, y, ... of an image, truncated toward zero, not clipped.

    pixel: 1000·x/W, divided in float32 (the demo). ratio: x·(1000/W) (training, LVIS points and shapes).
    share: (x/W)·1000 (boxes that are stored as shares of the image). They differ by one in places.

    >>> [int(grid_numbers([121, 0], (484, 100), rounding)[0]) for rounding in ("pixel", "ratio", "share")]
    [250, 249, 250]
    """
    pixels = np.asarray(places, dtype=np.float64)
    size = np.resize(np.asarray(size_wh, dtype=np.float64), pixels.shape)
    if rounding == "pixel":
        scaled = (pixels * GRID_CELLS).astype(np.float32) / size.astype(np.float32)
    elif rounding == "ratio":
        scaled = pixels * (GRID_CELLS * 1.0 / size)
    else:
        scaled = pixels / size * GRID_CELLS
    return np.trunc(scaled).astype(np.int64)


def shape_box(shape: Bool[np.ndarray, "w h"]) -> list[int]:
    """The box, in whole pixels and both ends included, around the pixels of a free shape.

    Raises InputError for a shape without pixels.
    """
    if not shape.any():
        raise InputError("a free shape needs at least one pixel, got none")
    x, y = shape.any(axis=1).nonzero()[0], shape.any(axis=0).nonzero()[0]
    return [int(x[0]), int(y[0]), int(x[-1]), int(y[-1])]
