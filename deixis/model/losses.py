"""Losses of the network: text, and masks at `<seg>`.

Text is cross entropy; where the answer is a number of the coordinate grid, its neighbours may share the target
(`spread` cells wide), for a box that is off by three is nearly right. Masks take binary cross entropy and the dice
loss, weighed as LISA does (Lai et al., CVPR 2024, section 3.2).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy


def text_loss(
    logits: Float[Tensor, "token vocab"], labels: Int[Tensor, " token"], first_number: int, numbers: int, spread: float
) -> Float[Tensor, ""]:
    """Mean cross entropy over tokens; the `numbers` tokens from `first_number` on get Gaussian targets if spread > 0.

    Without tokens it is zero.
    """
    logits = logits.float()
    if not len(labels):
        return logits.sum()
    is_number = (labels >= first_number) & (labels < first_number + numbers)
    if spread <= 0 or not is_number.any():
        return cross_entropy(logits, labels)
    total = cross_entropy(logits[~is_number], labels[~is_number], reduction="sum")
    value = labels[is_number] - first_number
    grid = torch.arange(numbers, device=labels.device)
    target = torch.exp(-((grid[None] - value[:, None]) ** 2) / (2 * spread**2))
    target = target / target.sum(1, keepdim=True)
    log_p = logits[is_number].log_softmax(-1)[:, first_number : first_number + numbers]
    return (total - (target * log_p).sum()) / len(labels)


def number_loss(
    logits: Float[Tensor, "token vocab"], labels: Int[Tensor, " token"], first_number: int, numbers: int
) -> Float[Tensor, ""]:
    """Mean distance, as a share of the grid, of the expected number from the right one, over number tokens.

    Cross entropy alone tells a number that is far off nothing about the way; this does.
    """
    is_number = (labels >= first_number) & (labels < first_number + numbers)
    if not is_number.any():
        return logits.sum() * 0.0
    chance = logits[is_number, first_number : first_number + numbers].float().softmax(-1)
    grid = torch.arange(numbers, device=labels.device, dtype=chance.dtype)
    return ((chance * grid).sum(-1) - (labels[is_number] - first_number)).abs().mean() / numbers


def mask_losses(
    logits: Float[Tensor, "mask cell"], target: Float[Tensor, "mask cell"]
) -> tuple[Float[Tensor, " mask"], Float[Tensor, " mask"]]:
    """Per mask: mean binary cross entropy, and dice loss 1 - 2 |p t| / (|p| + |t|); targets are shares of a cell."""
    logits = logits.float()
    bce = binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
    chance = logits.sigmoid()
    dice = 1 - (2 * (chance * target).sum(1) + 1) / (chance.sum(1) + target.sum(1) + 1)
    return bce, dice
