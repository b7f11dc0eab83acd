"""Overlap of boxes and spans, and the box around a mask. Pure functions of arrays."""

import numpy as np
from jaxtyping import Bool, Float, Num


def box_iou(first: Num[np.ndarray, "n bounds"], second: Num[np.ndarray, "m bounds"]) -> Float[np.ndarray, "n m"]:
    """(n, m) intersection over union of boxes (x1, y1, x2, y2), spans (start, end) or 3-D boxes, lows before highs.

    0 where neither has a size.

    >>> box_iou(np.array([[0, 0, 2, 2]]), np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[1.0, 0.333, 0.0]]
    >>> box_iou(np.array([[0.0, 2.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[0.5, 0.0]]
    """
    dim = first.shape[1] // 2
    first, second = first.astype(np.float64), second.astype(np.float64)
    lows = np.maximum(first[:, None, :dim], second[None, :, :dim])
    highs = np.minimum(first[:, None, dim:], second[None, :, dim:])
    shared = np.prod(np.clip(highs - lows, 0, None), axis=-1)
    sizes = [np.prod(np.clip(boxes[:, dim:] - boxes[:, :dim], 0, None), axis=-1) for boxes in (first, second)]
    union = sizes[0][:, None] + sizes[1][None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def mask_to_box_xyxy(mask_hw: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "4"] | None:
    """Edges (4,) of the smallest box around a mask, in pixels; None for an empty mask.

    >>> mask_to_box_xyxy(np.array([[False, False, False], [False, True, True]])).tolist()
    [1.0, 1.0, 3.0, 2.0]
    """
    columns, rows = np.flatnonzero(mask_hw.any(axis=0)), np.flatnonzero(mask_hw.any(axis=1))
    if len(rows) == 0:
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
