"""Overlap of boxes, spans and masks, and changes between their forms. Pure functions of arrays."""

import numpy as np
from jaxtyping import Bool, Float, Num

from deixis.geometry.raster import box_pixels


def _iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n, m) overlap of upright boxes (n, 2d) and (m, 2d) of any dimension, lows before highs."""
    dim = first.shape[1] // 2
    first, second = first.astype(np.float64), second.astype(np.float64)
    lows = np.maximum(first[:, None, :dim], second[None, :, :dim])
    highs = np.minimum(first[:, None, dim:], second[None, :, dim:])
    shared = np.prod(np.clip(highs - lows, 0, None), axis=-1)
    sizes = [np.prod(np.clip(boxes[:, dim:] - boxes[:, :dim], 0, None), axis=-1) for boxes in (first, second)]
    union = sizes[0][:, None] + sizes[1][None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def box_iou_xyxy(first_xyxy: Num[np.ndarray, "n 4"], second_xyxy: Num[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """(n, m) intersection over union of boxes; 0 for boxes without area.

    >>> box_iou_xyxy(np.array([[0, 0, 2, 2]]), np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[1.0, 0.333, 0.0]]
    """
    return _iou(first_xyxy, second_xyxy)


def span_iou(first_s: Num[np.ndarray, "n 2"], second_s: Num[np.ndarray, "m 2"]) -> Float[np.ndarray, "n m"]:
    """(n, m) intersection over union of spans (start, end); 0 for spans without length.

    >>> span_iou(np.array([[0.0, 2.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[0.5, 0.0]]
    """
    return _iou(first_s, second_s)


def box3d_iou(first: Num[np.ndarray, "n 6"], second: Num[np.ndarray, "m 6"]) -> Float[np.ndarray, "n m"]:
    """(n, m) intersection over union of upright 3-D boxes (x1, y1, z1, x2, y2, z2).

    >>> box3d_iou(np.array([[0, 0, 0, 2, 2, 2]]), np.array([[0, 0, 1, 2, 2, 3]])).round(3).tolist()
    [[0.333]]
    """
    return _iou(first, second)


def mask_iou(
    first: Bool[np.ndarray, "n height width"], second: Bool[np.ndarray, "m height width"]
) -> Float[np.ndarray, "n m"]:
    """(n, m) intersection over union of masks; 1 for two empty ones: nothing expected, nothing predicted.

    >>> mask_iou(np.array([[[True, True]]]), np.array([[[True, False]], [[False, False]]])).tolist()
    [[0.5, 0.0]]
    """
    rows = [masks.reshape(len(masks), -1).astype(np.float32) for masks in (first, second)]
    shared = (rows[0] @ rows[1].T).astype(np.float64)
    union = rows[0].sum(axis=1)[:, None] + rows[1].sum(axis=1)[None, :] - shared
    return np.divide(shared, union, out=np.ones_like(shared), where=union > 0)


def box_xyxy_to_xywh(boxes_xyxy: Num[np.ndarray, "n 4"]) -> Num[np.ndarray, "n 4"]:
    """Left, top, width, height (COCO's order) of boxes given by their edges.

    >>> box_xyxy_to_xywh(np.array([[10, 20, 40, 60]])).tolist()
    [[10, 20, 30, 40]]
    """
    return np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)


def box_xywh_to_xyxy(boxes_xywh: Num[np.ndarray, "n 4"]) -> Num[np.ndarray, "n 4"]:
    """Edges of boxes given by left, top, width, height (COCO's order).

    >>> box_xywh_to_xyxy(np.array([[10, 20, 30, 40]])).tolist()
    [[10, 20, 40, 60]]
    """
    return np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)


def mask_to_box_xyxy(mask_hw: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "4"] | None:
    """Edges (4,) of the smallest box around a mask, in pixels; None for an empty mask.

    >>> mask_to_box_xyxy(np.array([[False, False, False], [False, True, True]])).tolist()
    [1.0, 1.0, 3.0, 2.0]
    """
    columns, rows = np.flatnonzero(mask_hw.any(axis=0)), np.flatnonzero(mask_hw.any(axis=1))
    if len(rows) == 0:
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)


def box_xyxy_to_mask(box_xyxy: Num[np.ndarray, "4"], size_hw: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Mask of the pixels whose centres are inside a box; at least one pixel.

    >>> box_xyxy_to_mask(np.array([0.6, 0.0, 2.0, 1.0]), (2, 3)).astype(int).tolist()
    [[0, 1, 0], [0, 0, 0]]
    """
    top, left, rows, columns = box_pixels(tuple(box_xyxy.tolist()), size_hw)
    mask = np.zeros(size_hw, dtype=bool)
    mask[top : top + rows, left : left + columns] = True
    return mask
