"""k nearest neighbours in point sets, and gathering by index.

Sets of uneven length are one padded tensor and a boolean `valid` (True: a real point); padding is never read, and every
row must have at least one valid point. Distances are sums of squared differences in float32 or wider: the expansion
with a dot product is faster but loses ties and the small distances that decide which point is nearest.
"""

from functools import reduce

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
