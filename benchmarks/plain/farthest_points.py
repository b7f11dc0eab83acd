"""Farthest point sampling as it is usually written in PyTorch: the baseline of benchmarks and an oracle of tests.

The loop that PointNet++, PointMLP and Ferret's code share in form, in words of our own: points stay (batch, point,
axis), every step gathers the last choice of each set, takes all distances to it along the last axis, keeps the lesser
ones and looks for the greatest. The published loops begin at a random point; here the caller says where.
"""

import torch
from torch import Tensor


def farthest_point_sample(points: Tensor, count: int, start: Tensor) -> Tensor:
    """Indices (batch, count) of points (batch, point, axis), beginning with `start` (batch,)."""
    batch, number, axes = points.shape
    rows = torch.arange(batch, device=points.device)
    chosen = torch.zeros(batch, count, dtype=torch.long, device=points.device)
    nearest = torch.full((batch, number), 1e10, dtype=points.dtype, device=points.device)
    last = start
    for step in range(count):
        chosen[:, step] = last
        centre = points[rows, last].view(batch, 1, axes)
        nearest = torch.minimum(nearest, ((points - centre) ** 2).sum(-1))
        last = nearest.max(-1).indices
    return chosen
