"""Random parts of images with their regions moved along, so that a small set is not learnt by heart.

A part holds every region of its sample, so that what is said of them stays true; words about the place in the whole
image ("in the left half") may not. Nothing is mirrored, as "left" would become "right".
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from deixis.geometry import Region
from deixis.geometry.points import bounding_box
from deixis.signals import Signal, open_signal
from deixis.signals.image_files import MIN_SIDE_PX

CROPPED = ("image", "depth", "normal")
"""Modalities whose values are pixels, (height, width, ...)."""


def random_crop(
    signal: Signal, regions: Sequence[Region], least: float, rng: np.random.Generator
) -> tuple[Signal, tuple[Region, ...]]:
    """A part of an image, of sides between `least` and 1 times its own, that holds all `regions`; and these in it."""
    assert signal.extent.size_hw is not None, f"of {', '.join(CROPPED)}"
    bounds = [bounding_box(region, signal.extent) for region in regions if not region.is_empty]
    starts, sizes = [], []
    for axis, size in ((1, signal.extent.size_hw[0]), (0, signal.extent.size_hw[1])):
        low = min((int(np.floor(own[axis])) for own in bounds), default=size)
        high = max((int(np.ceil(own[axis + 2])) for own in bounds), default=0)
        cut = min(size, max(round(size * rng.uniform(least, 1)), high - low, MIN_SIDE_PX))
        starts.append(int(rng.integers(max(0, high - cut), min(low, size - cut), endpoint=True)))
        sizes.append(cut)
    (top, left), (height, width) = starts, sizes
    values = np.ascontiguousarray(signal.values[top : top + height, left : left + width])
    moved = tuple(_moved(region, left, top, width, height) for region in regions)
    return open_signal(values, signal.modality), moved


def _moved(region: Region, left: int, top: int, width: int, height: int) -> Region:
    """The region in the coordinates of the part that begins at (left, top)."""
    offset = np.array([left, top], float)
    changes: dict[str, object] = {}
    for name in ("point", "box"):
        if (values := getattr(region, name)) is not None:
            changes[name] = tuple(np.asarray(values) - np.tile(offset, len(values) // 2))
    for name in ("scribble", "polygon"):
        if (values := getattr(region, name)) is not None:
            changes[name] = values - offset
    if region.mask is not None:
        changes["mask"] = region.mask_array[top : top + height, left : left + width]
    return replace(region, **changes)
