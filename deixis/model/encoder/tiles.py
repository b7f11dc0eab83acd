"""High resolution: an image as tiles and a thumbnail, each of the size that the encoder reads.

The image is fitted into a square of `tiles` x `tiles` of the encoder's inputs, which is cut into them; the whole of
it, reduced, comes first. Positions in the square are positions in the image (one frame serves both), so regions and
masks need no special case. (OneLLM names lost detail as its limit; tiles beside a thumbnail are LLaVA-NeXT's remedy.)
"""

from dataclasses import replace
from typing import Any

import numpy as np
from einops import rearrange
from jaxtyping import Float32

from deixis.geometry import Frame
from deixis.signals import Signal, to_tensor


def prepare_tiles(signal: Signal, spec: Any, tiles: int) -> tuple[Float32[np.ndarray, "view 3 side side"], Frame]:
    """(thumbnail, then the tiles row by row; the frame of the square) of an image."""
    whole, frame = to_tensor(signal, replace(spec, size_px=spec.size_px * tiles))
    thumbnail, _ = to_tensor(signal, spec)
    cut = rearrange(whole, "c (row h) (column w) -> (row column) c h w", row=tiles, column=tiles)
    return np.concatenate([thumbnail[None], cut]), frame
