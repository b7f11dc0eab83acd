"""An fMRI response as axial slices from below upwards, the voxels of regions in colours; or a strip of values.

Slices are those of the file's own third axis, the first axis to the right and the second upwards. Marked voxels are
part of the slices' pixels in every format.
"""

from collections.abc import Sequence

import numpy as np

from deixis.geometry import point_mask
from deixis.signals import Signal
from deixis.visualize.canvas import GREY
from deixis.visualize.drawing import Drawing, Letters, Part, Picture
from deixis.visualize.panels.panel import Drawn, Mark, PanelSize, labels

SLICES = 8
"""How many slices are shown at most."""
GAP_PX = 6
FAINT, STRONG = 2, 98
"""Percentiles of the response that the first and the last of the colours stand for."""
DARK, LIGHT = np.array([22.0, 24.0, 32.0]), np.array([246.0, 246.0, 250.0])
"""Colours of a weak and of a strong response: grey, so that regions stand out."""
TINT = 0.55
"""How much of its region's colour covers a marked voxel."""
EMPTY = (236, 238, 243)
"""Where no voxel is."""


def draw_fmri(signal: Signal, drawn: Sequence[Drawn], panel_size: PanelSize) -> Drawing:
    """Slices of voxels, as wide as asked; numbers without places as a strip."""
    values, places_xyz = signal.values, signal.extent.points_xyz
    width_px, chip_px = panel_size.width_px, panel_size.chip_px
    if places_xyz is None:
        return _strip(values, width_px, chip_px)
    cells = signal.info["cells"]  # (n, 3) of the file's grid
    masks = [point_mask(item.region, places_xyz) for item in drawn]
    shown = _slices(cells[:, 2], masks)
    columns = min(len(shown), SLICES // 2)
    colours = _colours(values, drawn, masks)
    low, high = cells[:, :2].min(axis=0), cells[:, :2].max(axis=0) + 1
    across, down = (high - low).tolist()
    cell = (width_px - GAP_PX * (columns - 1)) // columns
    rows, tall, text = -(-len(shown) // columns), round(cell * down / across), round(1.5 * chip_px)
    size, parts, marks = (width_px, rows * (tall + text + GAP_PX)), list[Part](), list[Mark]()
    for number, slice_index in enumerate(shown):
        left, top = (number % columns) * (cell + GAP_PX), (number // columns) * (tall + text + GAP_PX)
        own = cells[:, 2] == slice_index
        flat = np.full((down, across, 3), EMPTY, np.uint8)
        x, y = (cells[own, :2] - low).T
        flat[down - 1 - y, x] = colours[own]
        parts.append(Picture(flat, (left, top, left + cell, top + tall), smooth=False))
        label = f"z = {places_xyz[own, 2].mean():.0f} mm"
        parts.append(Letters(left + cell / 2, top + tall + 0.2 * chip_px, label, GREY, chip_px, "mt"))
        for item, mask in zip(drawn, masks, strict=True):
            if (mask & own).any() and not any(item is other for other, _, _ in marks):
                column, row = (cells[mask & own, :2] - low).T
                place = left + column.min() * cell / across, top + (down - 1 - row.max()) * cell / across
                marks.append((item, *place))
    return Drawing(*size, [*parts, *labels(marks, size, chip_px)])


def _strip(values: np.ndarray, width_px: int, chip_px: int) -> Drawing:
    """Numbers without places as a strip of coloured dots, row by row in the file's order."""
    columns = max(1, round(np.sqrt(len(values) * 4)))
    rows = -(-len(values) // columns)
    flat = np.full((rows * columns, 3), EMPTY, np.uint8)
    flat[: len(values)] = _colours(values, (), ())
    size = width_px, max(chip_px, round(width_px * rows / columns))
    return Drawing(*size, [Picture(flat.reshape(rows, columns, 3), (0, 0, *size), smooth=False)])


def _colours(values: np.ndarray, drawn: Sequence[Drawn], masks: Sequence[np.ndarray]) -> np.ndarray:
    """(n, 3) uint8: the response's colours, marked voxels mixed with their region's."""
    low, high = np.percentile(values, (FAINT, STRONG))
    level = np.clip((values - low) / max(float(high - low), 1e-9), 0, 1)[:, None]
    rgb = DARK + level * (LIGHT - DARK)
    for item, mask in zip(drawn, masks, strict=True):
        rgb[mask] = rgb[mask] * (1 - TINT) + np.array(item.colour) * TINT
    return rgb.round().astype(np.uint8)


def _slices(levels: np.ndarray, masks: Sequence[np.ndarray]) -> list[int]:
    """Which slices to show: the fullest of each region, and others evenly spread."""
    there = np.unique(levels)
    count = min(SLICES, len(there))
    chosen = {int(np.bincount(levels[mask]).argmax()) for mask in masks if mask.any()}
    for level in there[((np.arange(count) + 0.5) / count * len(there)).astype(int)].tolist():
        if len(chosen) < count:
            chosen.add(level)
    return sorted(chosen)[: max(count, 1)]
