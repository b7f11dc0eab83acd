"""Polygons as OpenCV draws them: `polylines` of thickness 1 and `fillPoly`, whole-pixel corners, eight neighbours.

The masks of ReasonSeg are defined by those two calls, so a mask drawn by any other rule scores differently at every
edge. Written here from the algorithms (Bresenham's line on a clipped segment; an even-odd scan with edges in 16-bit
fixed point), so that no OpenCV is needed: it was equal to OpenCV 4.11, 4.12 and 5.0 in every pixel of 24,000 random
polygons, on and off the image. OpenCV up to 4.10 rounds the inside by half a pixel and differs in single pixels
along slanted edges.

Sources: opencv/opencv@4.11.0, modules/imgproc/src/drawing.cpp (clipLine, LineIterator, CollectPolyEdges,
FillEdgeCollection).
"""

import numpy as np
from jaxtyping import Bool, Int

_SHIFT = 16  # bits behind the point of an edge's x
Corner = tuple[int, int]  # x, y


def polygon_mask(points_xy: Int[np.ndarray, "corner 2"], size_hw: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The pixels of a closed polygon, outline and inside (even-odd). Without corners there are none.

    >>> polygon_mask(np.array([[1, 1], [3, 1], [3, 2]]), (4, 5)).astype(int).tolist()
    [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
    """
    mask = np.zeros(size_hw, dtype=bool)
    corners = [(int(x), int(y)) for x, y in points_xy]
    edges = list(zip([corners[-1], *corners[:-1]], corners, strict=True)) if corners else []
    for start, end in edges:
        _draw_line(mask, start, end)
    _fill(mask, [edge for start, end in edges if (edge := _scan_edge(start, end, size_hw)) is not None])
    return mask


def _clipped(start: Corner, end: Corner, size_hw: tuple[int, int]) -> tuple[Corner, Corner, bool]:
    """The part of a segment inside the image, cut to whole pixels toward zero, and whether there is any.

    Where there is none, the corners may have moved: the scan of the inside goes on from there.
    """
    bottom, right = size_hw[0] - 1, size_hw[1] - 1
    (x1, y1), (x2, y2) = start, end

    def sides(x: int, y: int) -> int:
        return (x < 0) + (x > right) * 2 + (y < 0) * 4 + (y > bottom) * 8

    c1, c2 = sides(x1, y1), sides(x2, y2)
    if not c1 & c2 and c1 | c2:
        if c1 & 12:
            edge = 0 if c1 < 8 else bottom
            x1, y1 = x1 + int(float(edge - y1) * (x2 - x1) / (y2 - y1)), edge
            c1 = sides(x1, y1) & 3
        if c2 & 12:
            edge = 0 if c2 < 8 else bottom
            x2, y2 = x2 + int(float(edge - y2) * (x2 - x1) / (y2 - y1)), edge
            c2 = sides(x2, y2) & 3
        if not c1 & c2 and c1 | c2:
            if c1:
                edge = 0 if c1 == 1 else right
                x1, y1, c1 = edge, y1 + int(float(edge - x1) * (y2 - y1) / (x2 - x1)), 0
            if c2:
                edge = 0 if c2 == 1 else right
                x2, y2, c2 = edge, y2 + int(float(edge - x2) * (y2 - y1) / (x2 - x1)), 0
    return (x1, y1), (x2, y2), not c1 | c2


def _draw_line(mask: Bool[np.ndarray, "h w"], start: Corner, end: Corner) -> None:
    """Bresenham's line from left to right: one pixel a step of the longer axis."""
    start, end, is_seen = _clipped(start, end, mask.shape)
    if not is_seen:
        return
    (x, y), (x2, y2) = (end, start) if start[0] > end[0] else (start, end)
    wide, high = x2 - x, abs(y2 - y)
    down = 1 if y2 >= y else -1
    is_steep = high > wide
    long, short = (high, wide) if is_steep else (wide, high)
    error = long - 2 * short
    for _ in range(long + 1):
        mask[y, x] = True
        aside = error < 0
        error += 2 * long * aside - 2 * short
        if is_steep:
            x, y = x + aside, y + down
        else:
            x, y = x + 1, y + down * aside


def _scan_edge(start: Corner, end: Corner, size_hw: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """(first row, row after the last, x at the first, x more a row) of an edge, x in fixed point; None if level."""
    if start[1] == end[1]:
        return None
    cut_start, cut_end, _ = _clipped(start, end, size_hw)
    row1, row2 = (cut_start[1], cut_end[1]) if cut_start[1] != cut_end[1] else (start[1], end[1])
    low, high = (cut_start[0] << _SHIFT, row1), (cut_end[0] << _SHIFT, row2)
    slope = _divided(high[0] - low[0], high[1] - low[1])
    anchor, first, last = (low, start[1], end[1]) if start[1] < end[1] else (high, end[1], start[1])
    return first, last, anchor[0] + (first - anchor[1]) * slope, slope


def _divided(a: int, b: int) -> int:
    """a / b toward zero, as C divides."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _fill(mask: Bool[np.ndarray, "h w"], edges: list[tuple[int, int, int, int]]) -> None:
    """Sets the pixels between every first and second edge of each row."""
    first_row, end_row = min((edge[0] for edge in edges), default=0), max((edge[1] for edge in edges), default=0)
    for row in range(max(0, first_row), min(end_row, mask.shape[0])):
        crossings = sorted(x + (row - first) * slope for first, last, x, slope in edges if first <= row < last)
        for left, right in zip(crossings[::2], crossings[1::2], strict=False):
            begin, end = -(-left >> _SHIFT), right >> _SHIFT  # whole pixels between the two
            mask[row, max(begin, 0) : max(end + 1, 0)] = True
