"""Farthest point sampling on CUDA: one Triton program per set, all of its points in one launch.

Tested with Triton's interpreter on a CPU (TRITON_INTERPRET=1); not yet run on a GPU. `AVAILABLE`: whether Triton is
installed; it comes with PyTorch for CUDA.
"""

from typing import Any, no_type_check

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

AVAILABLE = triton is not None
MIN_BLOCK, MAX_BLOCK = 256, 4096  # points per step of a program; below 128 threads would share a point


def farthest(
    points: Float[Tensor, "batch point axis"],
    count: int,
    valid: Bool[Tensor, "batch point"] | None,
    start: Int[Tensor, " batch"] | None,
) -> Int[Tensor, "batch {count}"]:
    """The indices of `farthest_torch`, in one kernel launch; points on one CUDA device, float32 or float64."""
    batch, number, axes = points.shape
    distance = points.new_full((batch, number), float("inf"))
    if valid is not None:
        distance.masked_fill_(~valid, -1.0)
    indices = torch.empty(batch, count, dtype=torch.int64, device=points.device)
    indices[:, 0] = distance.argmax(1) if start is None else start
    if batch and count > 1:
        block = min(max(MIN_BLOCK, 1 << (number - 1).bit_length()), MAX_BLOCK)
        # Without fused multiply-add: it rounds once where the other implementations round twice, so ties would differ.
        options: dict[str, Any] = {"AXES": axes, "BLOCK": block, "enable_fp_fusion": False}
        _choose[(batch,)](points.transpose(1, 2).contiguous(), distance, indices, number, count, **options)
    return indices


if AVAILABLE:

    @triton.jit
    @no_type_check
    def _choose(points, distance, indices, number, count, AXES: tl.constexpr, BLOCK: tl.constexpr):
        """points (batch, axis, point), distance (batch, point), indices (batch, count) with the first filled in."""
        row = tl.program_id(0).to(tl.int64)
        points += row * AXES * number
        distance += row * number
        indices += row * count
        last = tl.load(indices)
        for step in range(1, count):
            best = tl.full((), -2.0, points.dtype.element_ty)
            chosen = tl.full((), 0, tl.int64)
            for low in range(0, number, BLOCK):
                place = low + tl.arange(0, BLOCK)
                inside = place < number
                squares = tl.zeros([BLOCK], dtype=points.dtype.element_ty)
                for axis in tl.static_range(AXES):
                    gap = tl.load(points + axis * number + place, mask=inside, other=0.0)
                    gap -= tl.load(points + axis * number + last)
                    squares += gap * gap
                left = tl.minimum(tl.load(distance + place, mask=inside, other=-3.0), squares)
                tl.store(distance + place, left, mask=inside)
                largest = tl.max(left, 0)
                first = tl.min(tl.where(left == largest, place, number), 0)  # of equal ones the lowest
                chosen = tl.where(largest > best, first.to(tl.int64), chosen)
                best = tl.maximum(best, largest)
            tl.store(indices + step, chosen)
            last = chosen
