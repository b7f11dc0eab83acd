"""Masks for objects that a set only gives boxes of: a step before a part, by a model that marks what boxes hold.

Ferret's data has such masks, made by SAM, to draw points and free shapes from (You et al., ICLR 2024, section 3). A
mask that comes out empty, or all outside its box, is no mask, and the object keeps its box alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from deixis.datasets.annotated import Annotated, Object
from deixis.errors import DataError, DeixisError
from deixis.geometry.mask_patches import mask_patch
from deixis.samples.media import open_media
from deixis.samples.sample import MediaReference, Sample, Skipped
from deixis.synthesis.annotators import Annotators, MasksOfBoxes


def with_masks(
    records: Iterable[Annotated | Sample | Skipped], annotators: Annotators
) -> Iterator[Annotated | Sample | Skipped]:
    """The records with masks for their objects; what has them, or is no annotation, stays as it is.

    A record whose image cannot be opened is skipped and said. Raises DataError where there is no such model.
    """
    masks_of = annotators.open("masks", "masks_from_boxes")
    for record in records:
        try:
            yield _with_masks(record, masks_of) if isinstance(record, Annotated) else record
        except (DeixisError, OSError) as error:
            yield Skipped(record.id, f"masks: {error}")


def _with_masks(item: Annotated, masks_of: MasksOfBoxes) -> Annotated:
    objects = list(item.objects)
    for signal, medium in enumerate(item.signals):
        numbers = [number for number, obj in enumerate(objects) if _needs_mask(obj, signal)]
        if medium.modality != "image" or not numbers:
            continue
        boxes = np.array([objects[number].region.box for number in numbers], dtype=np.float64)
        for number, mask in zip(numbers, masks_of(image_pixels(medium), boxes), strict=True):
            objects[number] = _masked(objects[number], mask)
    return replace(item, objects=tuple(objects))


def image_pixels(medium: MediaReference) -> np.ndarray:
    """The pixels of an image, uint8 (h, w, 3). Raises DataError where they are not of the size that it says."""
    with open_media(medium) as signal:
        pixels = np.asarray(signal.values)
    if medium.size_hw is not None and pixels.shape[:2] != tuple(medium.size_hw):
        raise DataError(f"size_hw of {medium.id!r}: expected {list(pixels.shape[:2])}, got {list(medium.size_hw)}")
    return pixels


def _needs_mask(obj: Object, signal: int) -> bool:
    region = obj.region
    return region is not None and region.signal == signal and region.mask is None and region.box is not None


def _masked(obj: Object, mask: np.ndarray) -> Object:
    x1, y1, x2, y2 = obj.region.box
    rows, columns = slice(max(int(y1), 0), int(np.ceil(y2))), slice(max(int(x1), 0), int(np.ceil(x2)))
    if not mask[rows, columns].any():
        return obj
    return replace(obj, region=replace(obj.region, mask=mask_patch(mask).to_rle()))
