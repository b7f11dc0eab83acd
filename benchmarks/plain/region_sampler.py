"""The region sampler in its plain, published form: the baseline of benchmarks and the oracle of tests.

Written from the description in Ferret (You et al., ICLR 2024, section 3.2) and of its released layer: the feature map
is repeated for every region and read with grid_sample; per stage every neighbour's difference to its anchor goes
through a linear layer, is concatenated with the anchor and goes through a 1x1 convolution, ReLU and LayerNorm, then
the neighbours are pooled. Distances by the dot product expansion and topk, as usual for this layer. It has the
parameters of `deixis.model.regions.sampler.RegionSampler`, by name, and shares no code with it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sample_map(feature_map: Tensor, points: Tensor, align_corners: bool = True) -> Tensor:
    """Features (region, point, channel) of one map (channel, height, width) at unit (x, y) of (region, point, 2)."""
    repeated = feature_map.unsqueeze(0).repeat(len(points), 1, 1, 1)
    read = F.grid_sample(repeated, 2 * points[:, :, None] - 1, padding_mode="border", align_corners=align_corners)
    return read.squeeze(-1).transpose(1, 2)


def pick(values: Tensor, indices: Tensor) -> Tensor:
    """Rows of (batch, point, channel) at (batch, ...)."""
    batch = torch.arange(len(values)).view(-1, *[1] * (indices.ndim - 1))
    return values[batch, indices]


def distances_squared(first: Tensor, second: Tensor) -> Tensor:
    """All squared distances (batch, n, m) of (batch, n, axis) and (batch, m, axis)."""
    product = first @ second.transpose(1, 2)
    return first.square().sum(-1)[:, :, None] + second.square().sum(-1)[:, None] - 2 * product


def farthest(points: Tensor, count: int) -> Tensor:
    """Indices (batch, count), starting at index 0."""
    batch, number, _ = points.shape
    chosen = torch.zeros(batch, count, dtype=torch.long)
    distance = torch.full((batch, number), 1e10, dtype=points.dtype)
    last = chosen[:, 0]
    for step in range(count):
        chosen[:, step] = last
        away = (points - pick(points, last[:, None])).square().sum(-1)
        distance = torch.minimum(distance, away)
        last = distance.argmax(-1)
    return chosen


class PlainAggregator(nn.Module):
    """1x1 convolution, ReLU, LayerNorm over (batch, anchor, neighbour, channel)."""

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(in_dim, out_dim, 1), nn.ReLU())
        self.norm = nn.LayerNorm(out_dim)

    def forward(self, grouped: Tensor) -> Tensor:
        flat = grouped.flatten(0, 1).transpose(1, 2)  # (batch * anchor, channel, neighbour)
        return self.norm(self.net(flat).transpose(1, 2)).unflatten(0, grouped.shape[:2])


class PlainRegionSampler(nn.Module):
    """Region vectors (region, out) from (region, point, in) features and (region, point, dim) coordinates."""

    def __init__(self, in_dim, out_dim, dim=2, anchors=(128, 32), neighbours=(24, 24), pooling="max"):
        super().__init__()
        self.anchors, self.neighbours, self.pooling = anchors, neighbours, pooling
        width = in_dim + dim
        self.diff_projector_list = nn.ModuleList(nn.Linear(width, width) for _ in anchors)
        self.agg_projector_list = nn.ModuleList(PlainAggregator(2 * width, in_dim) for _ in anchors)
        self.flatten_projector = nn.Linear(anchors[-1] * in_dim, in_dim)
        self.dim_projector = nn.Linear(in_dim, out_dim)

    def forward(self, features: Tensor, points: Tensor) -> Tensor:
        for stage, (count, near) in enumerate(zip(self.anchors, self.neighbours, strict=True)):
            chosen = farthest(points, count)
            anchor_points, anchor_features = pick(points, chosen), pick(features, chosen)
            groups = distances_squared(anchor_points, points).topk(near, largest=False, sorted=False).indices
            anchor = torch.cat([anchor_features, anchor_points], -1)[:, :, None]
            grouped = torch.cat([pick(features, groups), pick(points, groups)], -1)
            difference = self.diff_projector_list[stage](grouped - anchor)
            both = torch.cat([difference, anchor.expand_as(difference)], -1)
            pooled = self.agg_projector_list[stage](both)
            features = pooled.amax(2) if self.pooling == "max" else pooled.mean(2)
            points = anchor_points
        return self.dim_projector(self.flatten_projector(features.flatten(1)))
