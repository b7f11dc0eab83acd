"""Codecs between regions and the cells of a modality's fine level: targets for training, predicted regions for answers.

Every modality names one of these classes (`Modality.cells`). `encode` gives the share of each cell that a region
covers, in [0, 1]; `decode` gives the fields of a `Region` for all cells with logits above zero. `region_to_cells` and
`logits_to_regions` choose the codec of a signal.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.geometry import Frame, Region, covered_s, point_mask, rasterise, video_parts
from deixis.model.config import DeixisConfig
from deixis.model.masks.sam_image import read_mask, sam_mask
from deixis.model.prepared import Prepared
from deixis.signals import MODALITIES
from deixis.signals.modality import load

SUBCELLS = 4  # samples per side of a cell when a pixel mask is averaged over cells

Decoded = list[dict[str, Any]]


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
    """The share of each cell of its signal that a region of any form covers, in [0, 1].

    Raises InputError for a region of another signal: pixels of audio, seconds of an image.
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


class PixelCells:
    """A square grid over an image, row by row."""

    def encode(self, region: Region, prepared: Prepared, cells: int) -> Float[np.ndarray, " cell"]:
        """The share of each cell that the region's pixels cover, in SAM's frame where SAM makes the mask."""
        mask = rasterise(region, prepared.frame.size.size_hw)
        return mask_to_cells(mask, prepared.mask_frame, round(cells**0.5))

    def decode(self, logits: Float[Tensor, " cell"], prepared: Prepared) -> Decoded:
        """One mask (height, width) in pixels of the file, which may be empty."""
        return [{"mask": logits_to_mask(logits, prepared)}]

    def pool(self, share: Float[np.ndarray, " cell"], prepared: Prepared, tokens: int) -> Float[np.ndarray, " token"]:
        """The mean over the cells of each token."""
        side, coarse = round(len(share) ** 0.5), round(tokens**0.5)
        return share.reshape(coarse, side // coarse, coarse, side // coarse).mean((1, 3)).ravel()


class FrameCells:
    """A square grid over each frame of a video, frame by frame."""

    def encode(self, region: Region, prepared: Prepared, cells: int) -> Float[np.ndarray, " cell"]:
        """The share of each cell that the region's pixels cover, in the frames within its time."""
        frames, extent = len(prepared.values), prepared.frame.size
        place, interval = video_parts(region, extent)
        share = mask_to_cells(rasterise(place, extent.size_hw), prepared.frame, round((cells // frames) ** 0.5))
        start_s, end_s = covered_s(interval)
        edges_s = np.linspace(0.0, extent.duration_s, frames + 1)
        shown = (edges_s[1:] > start_s) & (edges_s[:-1] < end_s)
        return (shown[:, None] * share[None]).ravel().astype(np.float32)

    def decode(self, logits: Float[Tensor, " cell"], prepared: Prepared) -> Decoded:
        """One mask for each frame in which something is marked, with the time that the frame stands for."""
        frames, duration_s = len(prepared.values), prepared.frame.size.duration_s
        edges_s = np.linspace(0.0, duration_s, frames + 1).tolist()
        masks = [cells_to_mask(own, prepared.frame) for own in logits.reshape(frames, -1)]
        return [{"mask": m, "time_s": (edges_s[i], edges_s[i + 1])} for i, m in enumerate(masks) if m.any()]

    def pool(self, share: Float[np.ndarray, " cell"], prepared: Prepared, tokens: int) -> Float[np.ndarray, " token"]:
        """The mean over the cells of each token, frame by frame."""
        frames = len(prepared.values)
        pooled = [PixelCells().pool(own, prepared, tokens // frames) for own in share.reshape(frames, -1)]
        return np.concatenate(pooled)


class TimeCells:
    """Equal parts of a window in time."""

    def encode(self, region: Region, prepared: Prepared, cells: int) -> Float[np.ndarray, " cell"]:
        """The share of each cell that the region's seconds cover."""
        return span_to_cells(covered_s(region), prepared.frame, cells)

    def decode(self, logits: Float[Tensor, " cell"], prepared: Prepared) -> Decoded:
        """Every span (start_s, end_s) that is marked."""
        return [{"span": span} for span in cells_to_spans(logits, prepared.frame)]

    def pool(self, share: Float[np.ndarray, " cell"], prepared: Prepared, tokens: int) -> Float[np.ndarray, " token"]:
        """The mean over the cells of each token."""
        return share.reshape(tokens, -1).mean(1)


class PointCells:
    """The chosen points of a point cloud; `Prepared.indices` gives the file's point of each cell."""

    def encode(self, region: Region, prepared: Prepared, cells: int) -> Float[np.ndarray, " cell"]:
        """1 for cells whose point is among the region's, else 0."""
        return point_mask(region, prepared.frame.size.points_xyz)[prepared.indices].astype(np.float32)

    def decode(self, logits: Float[Tensor, " cell"], prepared: Prepared) -> Decoded:
        """Indices of all points of the file that are marked."""
        return [{"points": cells_to_points(logits, prepared)}]


class ParcelCells:
    """The parcels of an fMRI response; `Prepared.indices` gives the parcel of each voxel."""

    def encode(self, region: Region, prepared: Prepared, cells: int) -> Float[np.ndarray, " cell"]:
        """The share of each parcel's voxels that are among the region's points."""
        inside = point_mask(region, prepared.frame.size.points_xyz)
        sums = np.bincount(prepared.indices, weights=inside, minlength=cells)
        return (sums / np.maximum(np.bincount(prepared.indices, minlength=cells), 1)).astype(np.float32)

    def decode(self, logits: Float[Tensor, " cell"], prepared: Prepared) -> Decoded:
        """Indices of the voxels of the parcels that are marked."""
        return [{"points": np.flatnonzero((logits > 0).numpy()[prepared.indices])}]

    def pool(self, share: Float[np.ndarray, " cell"], prepared: Prepared, tokens: int) -> Float[np.ndarray, " token"]:
        """The cells themselves: a parcel is a token."""
        return share


def mask_to_cells(mask: Bool[np.ndarray, "h w"], frame: Frame, side: int) -> Float[np.ndarray, " cell"]:
    """The share of each cell of a side x side grid that `mask` (file pixels) covers, row by row."""
    unit = (np.arange(side * SUBCELLS) + 0.5) / (side * SUBCELLS)
    x, y = (np.floor(unit * frame.extent[a] + frame.origin[a]).astype(int) for a in (0, 1))
    height, width = mask.shape
    # Clipped so that indexing is valid; what lies on the padding is zeroed below.
    picked = mask[np.clip(y, 0, height - 1)[:, None], np.clip(x, 0, width - 1)[None]]
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None]
    return (picked & inside).reshape(side, SUBCELLS, side, SUBCELLS).mean((1, 3), dtype=np.float32).ravel()


def span_to_cells(span: tuple[float, float], frame: Frame, cells: int) -> Float[np.ndarray, " cell"]:
    """The share of each of `cells` equal parts of the window that the span (seconds) covers."""
    start, end = (frame.to_unit([[s] for s in span]).ravel() * cells).tolist()
    edge = np.arange(cells, dtype=np.float32)
    return np.clip(np.minimum(edge + 1, end) - np.maximum(edge, start), 0, 1).astype(np.float32)


def logits_to_mask(logits: Float[Tensor, " cell"], prepared: Prepared) -> Bool[np.ndarray, "h w"]:
    """The mask of an image in file pixels, from the logits of whichever backbone made them."""
    return cells_to_mask(logits, prepared.frame) if prepared.sam is None else sam_mask(logits, prepared.sam)


def cells_to_mask(logits: Float[Tensor, " cell"], frame: Frame) -> Bool[np.ndarray, "h w"]:
    """The mask in file pixels: logits interpolated at the pixels' centres, above zero."""
    height, width = frame.size.size_hw
    side = round(len(logits) ** 0.5)
    grid = logits.float().reshape(1, 1, side, side)
    x = (torch.arange(width, dtype=torch.float64) + 0.5 - frame.origin[0]) / frame.extent[0]
    y = (torch.arange(height, dtype=torch.float64) + 0.5 - frame.origin[1]) / frame.extent[1]
    return read_mask(grid, y, x)


def cells_to_spans(logits: Float[Tensor, " cell"], frame: Frame) -> list[tuple[float, float]]:
    """Spans (start_s, end_s) where the logit is above zero, the zero crossing interpolated between cells."""
    values = logits.float().numpy()
    on = np.concatenate([[False], values > 0, [False]])
    starts, ends = (np.flatnonzero(edge).tolist() for edge in (on[1:] & ~on[:-1], on[:-1] & ~on[1:]))  # [start, end)
    centres = np.arange(len(values)) + 0.5

    def crossing(inside: int, outside: int) -> float:
        if not 0 <= outside < len(values):
            return float(inside if outside < 0 else outside)
        share = values[inside] / (values[inside] - values[outside])
        return float(centres[inside] + share * (centres[outside] - centres[inside]))

    spans = [(crossing(a, a - 1), crossing(b - 1, b)) for a, b in zip(starts, ends, strict=True)]
    limit_s = frame.size.duration_s
    seconds = [tuple(frame.to_file(np.array([[s], [e]]) / len(values)).ravel().tolist()) for s, e in spans]
    clipped = [(max(s, 0.0), min(e, limit_s)) for s, e in seconds]
    return [(s, e) for s, e in clipped if e > s]


def cells_to_points(logits: Float[Tensor, " cell"], prepared: Prepared) -> Int[np.ndarray, " inside"]:
    """Indices of the file's points inside: logits interpolated at every point from the three nearest chosen ones."""
    from scipy.spatial import KDTree

    xyz = prepared.frame.size.points_xyz
    chosen, first = np.unique(np.asarray(prepared.indices), return_index=True)
    values = logits.float().numpy()[first]
    near = min(3, len(chosen))
    distance, index = KDTree(xyz[chosen]).query(xyz, k=near)
    distance, index = distance.reshape(len(xyz), near), index.reshape(len(xyz), near)
    weight = 1 / (distance**2 + 1e-12 * max(prepared.frame.extent) ** 2)
    return np.flatnonzero((values[index] * weight).sum(1) / weight.sum(1) > 0)
