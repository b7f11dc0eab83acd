"""LISA's mask losses, with their constants: sums over masks divided by a number of masks that the caller gives.

The union's own losses (`deixis.model.losses`) are means; these are for training LISA as published and for comparing.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

DICE_SCALE, DICE_EPSILON, COUNT_EPSILON = 1000, 1e-6, 1e-8


def dice_loss(
    logits: Float[Tensor, "mask h w"], targets: Float[Tensor, "mask h w"], num_masks: float
) -> Float[Tensor, ""]:
    """Sum over masks of 1 - Dice, divided by `num_masks`; pixels are divided by 1000 before they are summed, so that
    half precision holds them, and 1e-6 is added above and below (dvlab-research/LISA@3cb2d430, model/LISA.py:17-41).
    """
    marked, meant = logits.sigmoid().flatten(1) / DICE_SCALE, targets.flatten(1)
    shared = 2 * (marked * meant).sum(-1)
    sizes = marked.sum(-1) + (meant / DICE_SCALE).sum(-1)
    return (1 - (shared + DICE_EPSILON) / (sizes + DICE_EPSILON)).sum() / (num_masks + COUNT_EPSILON)


def sigmoid_ce_loss(
    logits: Float[Tensor, "mask h w"], targets: Float[Tensor, "mask h w"], num_masks: float
) -> Float[Tensor, ""]:
    """Sum over masks of the mean cross-entropy of their pixels, divided by `num_masks` (model/LISA.py:44-62)."""
    each = binary_cross_entropy_with_logits(logits, targets, reduction="none").flatten(1).mean(1)
    return each.sum() / (num_masks + COUNT_EPSILON)


def lisa_mask_losses(
    logits: Sequence[Tensor], targets: Sequence[Tensor], bce_weight: float = 2.0, dice_weight: float = 0.5
) -> dict[str, Tensor]:
    """bce, dice and their weighted sum over pictures: of each picture its loss times its masks, over all masks.

    logits and targets: (mask, h, w) of each picture, whose sizes may differ (model/LISA.py:303-342). At least
    one picture; without any mask the losses are 0.
    """
    count = sum(len(picture) for picture in logits) + COUNT_EPSILON
    pairs = list(zip(logits, targets, strict=True))
    bce = torch.stack([sigmoid_ce_loss(a, b, len(a)) * len(a) for a, b in pairs]).sum() * bce_weight / count
    dice = torch.stack([dice_loss(a, b, len(a)) * len(a) for a, b in pairs]).sum() * dice_weight / count
    return {"mask_bce_loss": bce, "mask_dice_loss": dice, "mask_loss": bce + dice}
