"""Masks for things that a set only gives boxes of: a step before a part, by a model that marks what boxes hold.

Ferret's data has such masks, made by SAM, to draw points and free shapes from (You et al., ICLR 2024, section 3). A
mask that comes out empty, or all outside its box, is no mask, and the thing keeps its box alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from deixis.datasets.annotated import Annotated, Thing
from deixis.errors import DataError
from deixis.geometry.mask_patches import mask_patch
from deixis.samples.media import open_medium
from deixis.samples.sample import MediaReference, Sample
from deixis.samples.skipped import Skipped
from deixis.synthesis.tools import MasksOfBoxes, Tools


def with_masks(records: Iterable[Annotated | Sample], tools: Tools) -> Iterator[Annotated | Sample | Skipped]:
    """The records with masks for their things; what has them, or is no annotation, stays as it is.

    A record whose picture cannot be opened is left out and said. Raises ValueError where there is no such model.
    """
    if tools.masks is None:
        raise DataError("masks of boxes need a model that marks them, and there is none")
    masks_of = tools.masks()
    for record in records:
        try:
            yield _with_masks(record, masks_of) if isinstance(record, Annotated) else record
        except (ValueError, OSError) as error:
            yield Skipped(record.id, f"masks: {error}")


def _with_masks(item: Annotated, masks_of: MasksOfBoxes) -> Annotated:
    things = list(item.things)
    for signal, medium in enumerate(item.signals):
        numbers = [number for number, thing in enumerate(things) if _needs_mask(thing, signal)]
        if medium.modality != "image" or not numbers:
            continue
        boxes = np.array([things[number].region.box for number in numbers], dtype=np.float64)
        for number, mask in zip(numbers, masks_of(picture_of(medium), boxes), strict=True):
            things[number] = _masked(things[number], mask)
    return replace(item, things=tuple(things))


def picture_of(medium: MediaReference) -> np.ndarray:
    """The pixels of a picture, uint8 (h, w, 3). Raises ValueError where they are not of the size that it says."""
    with open_medium(medium) as signal:
        pixels = np.asarray(signal.values)
    if medium.size_hw is not None and pixels.shape[:2] != tuple(medium.size_hw):
        raise DataError(f"size_hw of {medium.id!r}: expected {list(pixels.shape[:2])}, got {list(medium.size_hw)}")
    return pixels


def _needs_mask(thing: Thing, signal: int) -> bool:
    region = thing.region
    return region is not None and region.signal == signal and region.mask is None and region.box is not None


def _masked(thing: Thing, mask: np.ndarray) -> Thing:
    x1, y1, x2, y2 = thing.region.box
    rows, columns = slice(max(int(y1), 0), int(np.ceil(y2))), slice(max(int(x1), 0), int(np.ceil(x2)))
    if not mask[rows, columns].any():
        return thing
    return replace(thing, region=replace(thing.region, mask=mask_patch(mask).to_rle()))
