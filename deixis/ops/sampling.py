"""Interpolation of features at positions: from a regular grid, or from a scattered point set.

Both compute each position as a weighted sum of a few rows of one table, so that the table is not copied per region or
position. Coordinates are unit coordinates with axis order x, y, z (or t alone); a grid's size has the reverse order
(depth, height, width), as in PyTorch.
"""

from itertools import product

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.ops.points import nearest_neighbours

# Added to squared unit distances, so that a query at a point returns the features of that point.
NEAR_SQUARED = 1e-8


def _weighted_rows(
    table: Float[Tensor, "row channel"], rows: Int[Tensor, "place part"], weights: Float[Tensor, "place part"]
) -> Float[Tensor, "place channel"]:
    """Sum over parts of weight * row, without materialising the rows."""
    return F.embedding_bag(rows, table, mode="sum", per_sample_weights=weights.to(table.dtype))


def sample_grid(
    grid: Float[Tensor, "grid channel *size"],
    points: Float[Tensor, "region point axis"],
    grid_index: Int[Tensor, " region"],
    align_corners: bool = False,
) -> Float[Tensor, "region point channel"]:
    """Features of the grids at unit coordinates, interpolated linearly along each of 1, 2 or 3 axes.

    Region r is interpolated in grid `grid_index[r]`. Equal to torch's grid_sample with border padding at 2 * points -
    1: a position outside [0, 1] takes the value of the border. `align_corners` False: 0 and 1 are the outer edges of
    the outer cells (cell i of n has its centre at (i + 0.5) / n); True: they are the centres of the outer cells.
    Differentiable in the grid and the points. Raises ValueError where the points do not have one coordinate per spatial
    axis of the grid.
    """
    size = grid.shape[2:]
    regions, number, axes = points.shape
    if axes != len(size) or not 1 <= axes <= 3:
        raise ValueError(
            f"points: expected one coordinate for each of the grid's {len(size)} spatial axes (1 to 3), got {axes}"
        )
    # A grid made of tokens, or in channels-last memory, is not copied here; any other is copied once.
    table = grid.movedim(1, -1).reshape(-1, grid.shape[1])
    points = points.to(torch.promote_types(points.dtype, torch.float32)).reshape(-1, axes)
    first = grid_index.to(torch.int64).repeat_interleave(number)
    # Per axis, slowest first: two cells and their weights; the row index is built up as in a nested loop.
    cells, weights = [], []
    for axis, length in zip(reversed(range(axes)), size, strict=True):
        place = points[:, axis] * (length - 1) if align_corners else points[:, axis] * length - 0.5
        place = place.clamp(0, length - 1)
        low = place.detach().floor().clamp(max=max(length - 2, 0))
        upper = place - low
        cells.append((low.long(), low.long() + int(length > 1)))
        weights.append((1 - upper, upper))
    rows, shares = [], []
    for corner in product((0, 1), repeat=axes):
        row, share = first, 1.0
        for axis, side in enumerate(corner):
            row, share = row * size[axis] + cells[axis][side], share * weights[axis][side]
        rows.append(row)
        shares.append(share)
    return _weighted_rows(table, torch.stack(rows, 1), torch.stack(shares, 1)).view(regions, number, grid.shape[1])


def interpolate_points(
    features: Float[Tensor, "batch point channel"],
    positions: Float[Tensor, "batch point axis"],
    queries: Float[Tensor, "batch query axis"],
    k: int = 3,
    valid: Bool[Tensor, "batch point"] | None = None,
) -> Float[Tensor, "batch query channel"]:
    """Features at the queries: mean of the k nearest points, weighted by the inverse squared distance.

    If a row has fewer than k valid points, all of them are used, each once. Differentiable in the features.
    Source: PointNet++ (Qi et al. 2017), section 3.4.
    """
    batch, number, channels = features.shape
    k = min(k, number)
    indices, distances_squared = nearest_neighbours(queries, positions, k, valid)
    weights = 1.0 / (distances_squared + NEAR_SQUARED)
    if valid is not None:
        repeated = torch.arange(k, device=features.device) >= valid.sum(1, keepdim=True)
        weights = weights.masked_fill(repeated[:, None], 0.0)
    weights = weights / weights.sum(-1, keepdim=True)
    rows = indices + number * torch.arange(batch, device=features.device).view(-1, 1, 1)
    table = features.reshape(batch * number, channels)
    return _weighted_rows(table, rows.view(-1, k), weights.view(-1, k)).view(batch, queries.shape[1], channels)
