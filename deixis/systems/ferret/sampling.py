"""Where Ferret samples a region: at whole pixels of the region, from the transposed feature map.

Its weights were trained this way: pixels without half a pixel's shift, boxes with their far edge, a point as a window,
and the map read transposed between the centres of its corner cells. A mask here is (W, H): its first axis is x.

Source: apple/ml-ferret@3c9e5c9, ferret/model/ferret_arch.py, GeoRegionSampler; ferret/serve/gradio_web_server.py:53-77
and 586-595; ferret/train/train.py:911-946.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int

from deixis.errors import InputError
from deixis.geometry import Frame, Region, rasterise
from deixis.geometry.regions import region_digest
from deixis.model.regions.sampled_points import SampledPoints

POINT_REACH_PX = 5  # a point is the window of 11 x 11 pixels around it


def read_ferret(region: Region, frame: Frame, count: int, axes: int, side: int) -> SampledPoints:
    """Ferret's points of a region of an image whose field has `side` x `side` cells.

    Pixels in the order of columns, (x, y) divided by the image's (width, height): all of them where they are `count`,
    a random choice where they are more, all and then random repeats where they are fewer; the same choice for the same
    region.
    """
    if frame.size.size_hw is None:
        raise InputError("region: Ferret's rule samples regions of images, got one of a signal without pixels")
    mask = ferret_mask(region, frame.size.size_hw)
    pixels = np.argwhere(mask)  # (x, y), column by column
    if not len(pixels):
        raise InputError("the region is empty: no whole pixel of the image lies inside it")
    chosen = ferret_choice(len(pixels), count, np.random.default_rng(list(region_digest(region)[:8])))
    points = pixels[chosen] / np.array(mask.shape)
    return SampledPoints(points.astype(np.float32), transposed_places(points, side))


def transposed_places(points: np.ndarray, side: int) -> Float32[np.ndarray, "point 2"]:
    """Unit coordinates, x first, at which Ferret reads a field of `side` x `side` cells for points (x, y).

    Its code hands grid_sample (y, x), whose first coordinate is the column, with align_corners: column (side - 1) y,
    row (side - 1) x, counted between the centres of the first and the last cell.
    """
    return (((side - 1) * points[:, ::-1] + 0.5) / side).astype(np.float32)


def ferret_choice(available: int, count: int, rng: np.random.Generator) -> Int[np.ndarray, " count"]:
    """Which of `available` pixels are read (ferret_arch.py, rand_sample_repeat)."""
    if available == count:
        return np.arange(count)
    if available > count:
        return rng.permutation(available)[:count]
    return np.concatenate([np.arange(available), rng.integers(0, available, count - available)])


def ferret_mask(region: Region, size_hw: tuple[int, int]) -> Bool[np.ndarray, "w h"]:
    """The pixels, x first, that Ferret takes a region to be: a point's window, a box with its far edge, or a shape.

    Numbers are truncated. A region that is a point or box and a mask besides is cut to the
    mask, and a point's window to its box: as training read objects whose segment or box it knew.
    """
    size_wh = size_hw[::-1]
    shape = region.mask_array.T if region.mask is not None else None
    whole = None if region.box is None else box_mask([max(int(value), 0) for value in region.box], size_wh)
    if region.point is not None:
        window = point_mask(region.point, size_wh)
        area = shape if shape is not None else whole
        return window if area is None else window & area
    if whole is None:
        return rasterise(region, size_hw).T
    cut = whole if shape is None else whole & shape
    return cut if cut.any() else whole  # a segment may miss its own box


def box_mask(box_xyxy: Sequence[int], size_wh: tuple[int, int]) -> Bool[np.ndarray, "w h"]:
    """The pixels of a box of whole pixels, both ends among them."""
    x1, y1, x2, y2 = box_xyxy
    mask = np.zeros(size_wh, dtype=bool)
    mask[x1 : x2 + 1, y1 : y2 + 1] = True
    return mask


def point_mask(point_xy: Sequence[float], size_wh: tuple[int, int]) -> Bool[np.ndarray, "w h"]:
    """The window of 11 x 11 pixels around a point, as much of it as lies in the image.

    >>> point_mask((2, 50), (100, 100)).sum(axis=0).max(), point_mask((2, 50), (100, 100)).sum(axis=1).max()
    (np.int64(8), np.int64(11))
    """
    lows = [int(max(0, value - POINT_REACH_PX)) for value in point_xy]
    highs = [int(min(side, value + POINT_REACH_PX + 1)) for value, side in zip(point_xy, size_wh, strict=True)]
    mask = np.zeros(size_wh, dtype=bool)
    mask[lows[0] : highs[0], lows[1] : highs[1]] = True
    return mask
