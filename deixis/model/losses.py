"""Losses of the network: cross entropy of the text, and binary cross entropy and dice of the masks at `<seg>`.

Where the target token is a number of the coordinate grid, its neighbours may share the target (Gaussian label
smoothing, `spread` cells wide), because a box that is off by three cells is nearly right. A number that is no
coordinate, as in "3 mugs", is text: its neighbours are as wrong as any other word. Masks use binary cross
entropy and the dice loss with LISA's weights (Lai et al., CVPR 2024, section 3.2).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy


def text_loss(
    logits: Float[Tensor, "token vocab"],
    labels: Int[Tensor, " token"],
    first_number: int,
    numbers: int,
    spread: float,
    coordinates: Bool[Tensor, " token"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross entropy over tokens; the `numbers` tokens from `first_number` on have Gaussian targets if spread > 0.

    coordinates: where such a token is a coordinate; None: everywhere. Zero, with a gradient of zero, for a batch
    without tokens.
    """
    logits = logits.float()
    if not len(labels):
        return logits.sum()
    is_number = _is_coordinate(labels, first_number, numbers, coordinates)
    if spread <= 0 or not is_number.any():
        return cross_entropy(logits, labels)
    # Summed, not averaged: the mean is taken over ordinary tokens and numbers together.
    total = cross_entropy(logits[~is_number], labels[~is_number], reduction="sum")
    value = labels[is_number] - first_number
    grid = torch.arange(numbers, device=labels.device)
    target = torch.exp(-((grid[None] - value[:, None]) ** 2) / (2 * spread**2))
    target = target / target.sum(1, keepdim=True)
    log_p = logits[is_number].log_softmax(-1)[:, first_number : first_number + numbers]
    return (total - (target * log_p).sum()) / len(labels)


def number_loss(
    logits: Float[Tensor, "token vocab"],
    labels: Int[Tensor, " token"],
    first_number: int,
    numbers: int,
    coordinates: Bool[Tensor, " token"] | None = None,
) -> Float[Tensor, ""]:
    """Mean absolute error of the expected number, as a fraction of the grid, over the tokens of coordinates.

    Cross entropy alone gives no direction to a prediction that is far from the target; this loss does. Zero without
    such tokens.
    """
    is_number = _is_coordinate(labels, first_number, numbers, coordinates)
    if not is_number.any():
        return logits.sum() * 0.0
    probability = logits[is_number, first_number : first_number + numbers].float().softmax(-1)
    grid = torch.arange(numbers, device=labels.device, dtype=probability.dtype)
    return ((probability * grid).sum(-1) - (labels[is_number] - first_number)).abs().mean() / numbers


def _is_coordinate(labels: Tensor, first_number: int, numbers: int, coordinates: Tensor | None) -> Tensor:
    """Where a label is a number of the grid and, if that is known, written as a coordinate."""
    is_number = (labels >= first_number) & (labels < first_number + numbers)
    return is_number if coordinates is None else is_number & coordinates


def mask_losses(
    logits: Float[Tensor, "mask cell"], target: Float[Tensor, "mask cell"]
) -> tuple[Float[Tensor, " mask"], Float[Tensor, " mask"]]:
    """Per mask: mean binary cross entropy, and dice loss 1 - 2 |p t| / (|p| + |t|); targets are fractions of cells."""
    logits = logits.float()
    bce = binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
    probability = logits.sigmoid()
    # Adding 1 to both sides keeps the loss defined, and zero, where prediction and target are empty.
    dice = 1 - (2 * (probability * target).sum(1) + 1) / (probability.sum(1) + target.sum(1) + 1)
    return bce, dice
