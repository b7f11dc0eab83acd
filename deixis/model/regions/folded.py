"""The region sampler's local layer for inference: the same result as calling its modules, from far fewer products.

With D, d the weight and bias of the difference projector, and L, R, c the two halves of the weight and the bias of the
1x1 convolution over [difference, anchor], the layer computes before its ReLU

    L (D (neighbour - anchor) + d) + R anchor + c  =  L D neighbour  +  (R - L D) anchor + L d + c

The right-hand side needs one map per point (L D point, from which the anchor's share is gathered too) and one per
anchor, where the left-hand side needs three products for each of neighbours x anchors. What remains per neighbour is
gather, add, ReLU, LayerNorm and pooling.

The fold reads weights instead of calling modules, so anything that is attached to a module (an adapter, a quantised
weight, a hook) would be ignored: `can_fold` accepts plain modules only. Nothing is cached between calls; the fold is
made from the current parameters each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from deixis.ops import gather_points

if TYPE_CHECKING:
    from deixis.model.regions.sampler import LocalAggregator

# Grouped rows are processed in pieces of this many values, which fit into a CPU's cache.
PIECE_VALUES = 512 * 1024
_PLAIN = (nn.Linear, nn.Conv1d)


def can_fold(*modules: nn.Module) -> bool:
    """Whether calling each of these linear modules is nothing but applying its `weight` and `bias`.

    False for subclasses (adapters, quantised layers), parametrised modules (whose class differs too), tensor subclasses
    as weights, replaced `forward` methods (offloading) and forward hooks.
    """
    return all(
        type(module) in _PLAIN
        and type(module.weight) is nn.Parameter
        and "forward" not in vars(module)
        and not (module._forward_hooks or module._forward_pre_hooks)
        for module in modules
    )


def folded_layer(
    difference: nn.Linear,
    aggregator: LocalAggregator,
    values: Float[Tensor, "region point channel"],
    anchor_index: Int[Tensor, "region anchor"],
    group_index: Int[Tensor, "region anchor neighbour"],
    pooling: str,
) -> Float[Tensor, "region anchor out"]:
    """Pooled features of each anchor, equal to those of `aggregator([difference(neighbour - anchor), anchor])`."""
    convolution = aggregator.net[0]
    of_difference, of_anchor = convolution.weight.squeeze(-1).chunk(2, dim=1)
    # The product of the two weights costs as much as applying the first to `channel` points.
    if values.shape[0] * values.shape[1] > len(of_difference):
        mapped = F.linear(values, of_difference @ difference.weight)
    else:
        mapped = F.linear(F.linear(values, difference.weight), of_difference)
    shift = torch.addmv(convolution.bias, of_difference, difference.bias)
    centre = F.linear(gather_points(values, anchor_index), of_anchor, shift) - gather_points(mapped, anchor_index)
    return _pooled(mapped, centre, group_index, aggregator.norm, pooling)


def pool(grouped: Float[Tensor, "*anchor neighbour out"], pooling: str) -> Float[Tensor, "*anchor out"]:
    """The maximum ("max") or the mean ("mean") over the neighbours."""
    return grouped.amax(-2) if pooling == "max" else grouped.mean(-2)


def _pooled(
    mapped: Float[Tensor, "region point channel"],
    centre: Float[Tensor, "region anchor channel"],
    group_index: Int[Tensor, "region anchor neighbour"],
    norm: nn.LayerNorm,
    pooling: str,
) -> Float[Tensor, "region anchor channel"]:
    """LayerNorm(ReLU(mapped neighbour + centre)), pooled over the neighbours of each anchor."""
    regions, number, channels = mapped.shape
    offset = torch.arange(regions, device=mapped.device).view(-1, 1, 1) * number
    rows = (group_index + offset).flatten(0, 1)  # (region * anchor, neighbour)
    table, centre = mapped.flatten(0, 1), centre.flatten(0, 1)
    step = max(1, PIECE_VALUES // (rows.shape[1] * channels)) if mapped.device.type == "cpu" else max(1, len(rows))
    # One buffer serves every piece: gather, add and ReLU all write in place.
    buffer = table.new_empty(min(step, len(rows)) * rows.shape[1], channels)
    pieces = []
    for row, middle in zip(rows.split(step), centre.split(step), strict=True):
        grouped = torch.index_select(table, 0, row.flatten(), out=buffer[: row.numel()]).view(*row.shape, channels)
        pieces.append(pool(norm(grouped.add_(middle[:, None]).relu_()), pooling))
    return torch.cat(pieces).view(regions, group_index.shape[1], channels)
