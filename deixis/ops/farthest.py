"""Farthest point sampling (FPS): one function that dispatches to the fastest implementation for the device.

On a CPU large problems use compiled code (`farthest_numba`, the extra `fast`), on CUDA a Triton kernel
(`farthest_triton`); all others, and machines without those packages, use the PyTorch loop below. All implementations
add the squared differences axis by axis in the same order, without fused multiply-add, so their indices are identical.
The Triton kernel is tested with Triton's interpreter; it has not been timed on a GPU.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.ops.points import exact_coordinates

# Distances (batch * point * count) below which loading the compiled code takes longer than it saves.
COMPILED_FROM = 8_000_000


@torch.no_grad()
def farthest_points(
    points: Float[Tensor, "batch point axis"],
    count: int | None = None,
    valid: Bool[Tensor, "batch point"] | None = None,
    start: Int[Tensor, " batch"] | None = None,
    *,
    ratio: float | None = None,
) -> Int[Tensor, "batch chosen"]:
    """Indices (int64) of `count` points, each the farthest from all points selected before it.

    The first is `start`, or the first valid point; ties go to the lowest index. Once every valid point is selected (all
    distances zero) the first valid one repeats. Instead of a count, `ratio` in (0, 1] selects that fraction of the
    points, rounded up; in uneven batches of the row with most valid points. Coordinates are finite, with any number of
    axes; `valid` False marks padding, which is never read.

    Source: the iterative algorithm of PointNet++ (Qi et al. 2017), section 3.2; exact.

    Raises ValueError where not exactly one of count (at least 1) and ratio is given, the set is empty, or start is
    outside it.
    """
    number = points.shape[1]
    if count is None and ratio is not None:
        count = _count_of(ratio, valid, number)
    elif count is None or ratio is not None:
        raise ValueError(f"farthest_points: expected either count or ratio, got count {count} and ratio {ratio}")
    if count < 1 or number < 1:
        raise ValueError(f"farthest_points: count and points must be at least 1, got count {count} of {number} points")
    if start is not None:
        start = start.to(torch.int64)
        if not start.is_cuda and bool(((start < 0) | (start >= number)).any()):
            raise ValueError(f"farthest_points: start: expected indices from 0 to {number - 1}, got {start.tolist()}")
    points = exact_coordinates(points, valid)
    return _implementation(points, count)(points, count, valid, start)


def _count_of(ratio: float, valid: Tensor | None, number: int) -> int:
    if not 0 < ratio <= 1:
        raise ValueError(f"farthest_points: ratio: expected more than 0 and at most 1, got {ratio}")
    if valid is not None and valid.numel():
        number = int(valid.sum(1).max())
    return math.ceil(round(ratio * number, 9))  # 0.07 of 100 is 7, though the product is 7.000000000000001


def _implementation(points: Tensor, count: int):
    if points.is_cuda:
        from deixis.ops import farthest_triton

        if farthest_triton.AVAILABLE:
            return farthest_triton.farthest
    if points.device.type == "cpu" and points.shape[0] * points.shape[1] * count >= COMPILED_FROM:
        from deixis.ops import farthest_numba

        if farthest_numba.AVAILABLE:
            return farthest_numba.farthest
    return farthest_torch


def farthest_torch(
    points: Float[Tensor, "batch point axis"],
    count: int,
    valid: Bool[Tensor, "batch point"] | None,
    start: Int[Tensor, " batch"] | None,
) -> Int[Tensor, "batch {count}"]:
    """The PyTorch implementation, for any device: a few operations per selected point."""
    batch, number, axes = points.shape
    by_axis = points.permute(2, 0, 1).contiguous()  # (axis, batch, point)
    distance = by_axis.new_full((batch, number), float("inf"))
    if valid is not None:
        distance.masked_fill_(~valid, -1.0)
    # All distances are infinite at first, so argmax is the first valid point.
    chosen = distance.argmax(1) if start is None else start
    indices = torch.empty(count, batch, dtype=torch.int64, device=points.device)
    indices[0] = chosen
    for step in range(1, count):
        last = chosen.view(1, batch, 1).expand(axes, -1, -1)
        squares = (by_axis - by_axis.gather(2, last)).square_()
        # Added axis by axis: torch.sum may add in any order, which would break ties differently.
        for axis in range(1, axes):
            squares[0] += squares[axis]
        distance = torch.minimum(distance, squares[0])
        chosen = torch.argmax(distance, 1, out=indices[step])
    return indices.t().contiguous()
