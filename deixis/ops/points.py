"""k nearest neighbours in point sets, gathering by index, and features interpolated between points or grid cells.

Sets of uneven length are one padded tensor and a boolean `valid` (True: a real point); padding is never read, and every
row must have at least one valid point. Distances are sums of squared differences in float32 or wider: the expansion
with a dot product is faster but loses ties and the small distances that decide which point is nearest.
"""

from functools import reduce
from itertools import product

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def exact_coordinates(
    points: Float[Tensor, "batch point axis"], valid: Bool[Tensor, "batch point"] | None
) -> Float[Tensor, "batch point axis"]:
    """The points detached, in float32 or wider, with zeros as padding (a padded NaN would propagate)."""
    points = points.detach()
    points = points.to(torch.promote_types(points.dtype, torch.float32))
    return points if valid is None else points.masked_fill(~valid[..., None], 0.0)


def _smallest(values: Tensor, count: int) -> Tensor:
    """Indices of the `count` smallest non-negative values along the last axis, ascending, ties by index.

    The bit patterns of non-negative float32 numbers are ordered as the numbers are, so value and index are packed into
    one integer key: topk, whose order of ties is undefined, then meets none. A stable sort takes five times as long.
    """
    if values.dtype != torch.float32:
        return values.sort(dim=-1, stable=True).indices[..., :count].contiguous()
    index = torch.arange(values.shape[-1], device=values.device)
    key = (values.view(torch.int32).to(torch.int64) << 32) | index
    return key.topk(count, largest=False).values & 0xFFFFFFFF


@torch.no_grad()
def nearest_neighbours(
    queries: Float[Tensor, "batch query axis"],
    points: Float[Tensor, "batch point axis"],
    k: int,
    valid: Bool[Tensor, "batch point"] | None = None,
) -> tuple[Int[Tensor, "batch query {k}"], Float[Tensor, "batch query {k}"]]:
    """Indices (int64) of the `k` nearest points of each query, nearest first, and their squared distances.

    Ties go to the lowest index. If a row has n < k valid points, its n neighbours repeat in order (0, 1, .., n-1, 0, 1,
    ..). Distances have no gradient. Raises ValueError where k is below one, or the set is empty.
    """
    number = points.shape[1]
    if k < 1 or number < 1:
        raise ValueError(f"nearest_neighbours: k and points must be at least 1, got k {k} of {number} points")
    placed, asked = exact_coordinates(points, valid), exact_coordinates(queries, None)
    squares = ((asked[:, :, None, axis] - placed[:, None, :, axis]).square_() for axis in range(points.shape[2]))
    distance = reduce(torch.add, squares)
    if valid is not None:
        distance.masked_fill_(~valid[:, None], float("inf"))
    indices = _smallest(distance, min(k, number))
    near = distance.gather(-1, indices)
    if valid is None and k <= number:
        return indices, near
    rank = torch.arange(k, device=points.device)
    if valid is None:
        order = (rank % number).expand(*indices.shape[:2], k)
    else:
        order = (rank % valid.sum(1, keepdim=True).clamp_(min=1))[:, None].expand(-1, queries.shape[1], -1)
    return indices.gather(-1, order), near.gather(-1, order)


def gather_points(
    values: Float[Tensor, "batch point channel"], indices: Int[Tensor, "batch *rest"]
) -> Float[Tensor, "batch *rest channel"]:
    """The rows of `values` at `indices`, per batch entry from its own set; differentiable in `values`."""
    batch, number, channels = values.shape
    offset = torch.arange(batch, device=values.device).view(-1, *[1] * (indices.ndim - 1)) * number
    return F.embedding(indices + offset, values.reshape(batch * number, channels))


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
