"""Regions on the cells of a field: truth onto cells for training, mask logits back to the file for answers.

Cells are those of `Field.fine`: a square grid in a picture, equal frames in a sound, the chosen points of a cloud.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.errors import InputError
from deixis.geometry import Frame, Region
from deixis.model.masks.sam_image import SamPicture, read_mask, sam_mask

SUBCELLS = 4  # samples a side of a cell when a pixel mask is put onto cells


@dataclass(frozen=True)
class Prepared:
    """One signal ready for the network: modality, values and frame.

    chosen: which points of a cloud's file are the values. parcels: the parcel that each voxel of a brain belongs to.
    sam: a picture's second preparation, where SAM makes the masks.
    """

    modality: str
    values: np.ndarray
    frame: Frame
    chosen: Int[np.ndarray, " point"] | None = None
    sam: SamPicture | None = None
    parcels: Int[np.ndarray, " voxel"] | None = None

    @property
    def mask_frame(self) -> Frame:
        """The frame that the cells of a mask divide."""
        return self.frame if self.sam is None else self.sam.frame


def mask_to_cells(mask: Bool[np.ndarray, "h w"], frame: Frame, side: int) -> Float[np.ndarray, " cell"]:
    """The share of each cell of a side x side grid that `mask` (file pixels) covers, row by row."""
    unit = (np.arange(side * SUBCELLS) + 0.5) / (side * SUBCELLS)
    x, y = (np.floor(unit * frame.extent[a] + frame.origin[a]).astype(int) for a in (0, 1))
    height, width = mask.shape
    picked = mask[np.clip(y, 0, height - 1)[:, None], np.clip(x, 0, width - 1)[None]]
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None]
    return (picked & inside).reshape(side, SUBCELLS, side, SUBCELLS).mean((1, 3), dtype=np.float32).ravel()


def span_to_cells(span: tuple[float, float], frame: Frame, cells: int) -> Float[np.ndarray, " cell"]:
    """The share of each of `cells` equal frames that the span (seconds) covers."""
    start, end = (frame.to_unit([[s] for s in span]).ravel() * cells).tolist()
    edge = np.arange(cells, dtype=np.float32)
    return np.clip(np.minimum(edge + 1, end) - np.maximum(edge, start), 0, 1).astype(np.float32)


def region_to_cells(region: Region, prepared: Prepared, cells: int) -> Float[np.ndarray, " cell"]:
    """A region's mask, span or points on the cells of its signal, 0..1.

    Raises ValueError where the region has none of them.
    """
    if prepared.modality == "image" and region.mask is not None:
        return mask_to_cells(region.mask_array, prepared.mask_frame, round(cells**0.5))
    if prepared.modality == "audio" and region.span is not None:
        return span_to_cells(region.span, prepared.frame, cells)
    if prepared.modality == "point_cloud" and region.points is not None:
        return np.isin(prepared.chosen, region.points).astype(np.float32)
    raise InputError(f"region: expected a mask, span or points to be marked in a {prepared.modality}, got none of them")


def logits_to_regions(logits: Float[Tensor, " cell"], prepared: Prepared, signal: int = 0) -> list[Region]:
    """The regions of a signal where mask logits are above zero, in its own units, with their score.

    A mask of an image, depth map or normal map, which may be empty; a mask with its time per video frame in which any
    pixel is inside; the spans of audio or an IMU recording; the points of a cloud, or the voxels of an fMRI response.
    """
    score = mask_score(logits)

    def region(**form: Any) -> Region:
        return Region(**form, signal=signal, score=score)

    if prepared.modality in ("audio", "imu"):
        return [region(span=span) for span in cells_to_spans(logits, prepared.frame)]
    if prepared.modality == "point_cloud":
        return [region(points=cells_to_points(logits, prepared))]
    if prepared.modality == "fmri":
        return [region(points=np.flatnonzero((logits > 0).numpy()[prepared.parcels]))]
    if prepared.modality != "video":
        return [region(mask=logits_to_mask(logits, prepared))]
    frames, duration_s = len(prepared.values), prepared.frame.size.duration_s
    edges_s = np.linspace(0.0, duration_s, frames + 1).tolist()
    masks = [cells_to_mask(own, prepared.frame) for own in logits.reshape(frames, -1)]
    return [region(mask=mask, time_s=(edges_s[i], edges_s[i + 1])) for i, mask in enumerate(masks) if mask.any()]


def logits_to_mask(logits: Float[Tensor, " cell"], prepared: Prepared) -> Bool[np.ndarray, "h w"]:
    """The mask of a picture in file pixels, from the logits of whichever backbone made them."""
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
    """Stretches (start_s, end_s) of the sound where the logit is above zero, the crossing placed between frames."""
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
    """Indices of the file's points inside: logits carried to every point from the three nearest chosen ones."""
    from scipy.spatial import KDTree

    xyz = prepared.frame.size.points_xyz
    chosen, first = np.unique(np.asarray(prepared.chosen), return_index=True)
    values = logits.float().numpy()[first]
    near = min(3, len(chosen))
    distance, index = KDTree(xyz[chosen]).query(xyz, k=near)
    distance, index = distance.reshape(len(xyz), near), index.reshape(len(xyz), near)
    weight = 1 / (distance**2 + 1e-12 * max(prepared.frame.extent) ** 2)
    return np.flatnonzero((values[index] * weight).sum(1) / weight.sum(1) > 0)


def mask_score(logits: Float[Tensor, " cell"]) -> float | None:
    """The mean chance of the cells inside, 0.5..1; None for an empty mask."""
    inside = logits.float().sigmoid()[logits > 0]
    return float(inside.mean()) if len(inside) else None
