"""Coordinates as the operations on points compute with them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def exact_coordinates(
    points: Float[Tensor, "batch point axis"], valid: Bool[Tensor, "batch point"] | None
) -> Float[Tensor, "batch point axis"]:
    """The points without gradient, in float32 or wider, zeros where padded (a padded NaN would spread)."""
    points = points.detach()
    points = points.to(torch.promote_types(points.dtype, torch.float32))
    return points if valid is None else points.masked_fill(~valid[..., None], 0.0)
