"""The precision and padding of coordinates in operations on point sets."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def exact_coordinates(
    points: Float[Tensor, "batch point axis"], valid: Bool[Tensor, "batch point"] | None
) -> Float[Tensor, "batch point axis"]:
    """The points detached, in float32 or wider, with zeros as padding (a padded NaN would propagate)."""
    points = points.detach()
    points = points.to(torch.promote_types(points.dtype, torch.float32))
    return points if valid is None else points.masked_fill(~valid[..., None], 0.0)
