"""Masks on the cells of a field, for any modality: how many there are, targets for training, regions of an answer."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from deixis.geometry import Region
from deixis.model.config import DeixisConfig
from deixis.model.masks.prepared import Prepared
from deixis.signals import MODALITIES
from deixis.signals.modality import load


def fine_cells(config: DeixisConfig) -> dict[str, int]:
    """The number of cells of each modality's fine level; modalities without one are absent."""
    return {name: options.cell_count for name, options in config.signals.items() if options.cell_count}


def mask_cells(config: DeixisConfig) -> dict[str, int]:
    """The number of cells of a mask in each modality: those of the fine level, or of SAM's low-resolution masks."""
    cells = fine_cells(config) if config.makes_masks else {}
    if config.pointing.uses_sam:
        from deixis.model.masks.sam import sam_side

        side = sam_side(config.mask_config)
        cells |= {name: side**2 for name in config.signals if MODALITIES[name].sam}
    return cells


def region_to_cells(region: Region, prepared: Prepared, cells: int) -> Float[np.ndarray, " cell"]:
    """The share of each cell of its signal that a region covers, in [0, 1].

    Raises InputError for a region without the form that masks of this modality have.
    """
    return load(MODALITIES[prepared.modality].cells)().encode(region, prepared, cells)


def logits_to_regions(logits: Float[Tensor, " cell"], prepared: Prepared, signal: int = 0) -> list[Region]:
    """The regions of a signal where mask logits are above zero, in its own units, with their score.

    A mask of an image, depth map or normal map, which may be empty; a mask with its time per video frame in which any
    pixel is inside; the spans of audio or an IMU recording; the points of a cloud, or the voxels of an fMRI response.
    """
    score = mask_score(logits)
    decoded = load(MODALITIES[prepared.modality].cells)().decode(logits, prepared)
    return [Region(**fields, signal=signal, score=score) for fields in decoded]


def mask_score(logits: Float[Tensor, " cell"]) -> float | None:
    """The mean probability of the cells inside, 0.5..1; None for an empty mask."""
    inside = logits.float().sigmoid()[logits > 0]
    return float(inside.mean()) if len(inside) else None
