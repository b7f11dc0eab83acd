"""LISA's mask losses, with their constants: sums over masks divided by a number of masks that the caller gives.

The union's own losses (`deixis.model.losses`) are means; these are for training LISA as published and for comparing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from deixis.model.masks.sam_image import placed_logits, placed_size_hw

LOW_STRIDE = 4  # pixels of SAM's input per cell of its low-resolution masks, a side
DICE_SCALE, DICE_EPSILON, COUNT_EPSILON = 1000, 1e-6, 1e-8


def dice_loss(
    logits: Float[Tensor, "mask h w"], targets: Float[Tensor, "mask h w"], num_masks: float
) -> Float[Tensor, ""]:
    """Sum over masks of 1 - Dice, divided by `num_masks`; pixels are divided by 1000 before they are summed, so that
    half precision holds them, and 1e-6 is added above and below (dvlab-research/LISA@3cb2d430, model/LISA.py:17-41).
    """
    predicted, target_masks = logits.sigmoid().flatten(1) / DICE_SCALE, targets.flatten(1)
    shared = 2 * (predicted * target_masks).sum(-1)
    sizes = predicted.sum(-1) + (target_masks / DICE_SCALE).sum(-1)
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
    """bce, dice and their weighted sum: losses per image, weighted by the number of its masks, over all masks.

    logits and targets: (mask, h, w) of each image, whose sizes may differ (model/LISA.py:303-342). At least
    one image; without any mask the losses are 0.
    """
    count = sum(len(image) for image in logits) + COUNT_EPSILON
    pairs = list(zip(logits, targets, strict=True))
    bce = torch.stack([sigmoid_ce_loss(a, b, len(a)) * len(a) for a, b in pairs]).sum() * bce_weight / count
    dice = torch.stack([dice_loss(a, b, len(a)) * len(a) for a, b in pairs]).sum() * dice_weight / count
    return {"mask_bce_loss": bce, "mask_dice_loss": dice, "mask_loss": bce + dice}


def image_mask_losses(logits: Sequence[Tensor], batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """bce and dice, unweighted, of low-resolution mask logits against masks in image pixels.

    logits: (cell,) of each mask in order. batch: seg_pixels, the target (h, w) of each, and seg_image (mask,), the
    image that each lies in (model/LISA.py:225-342).
    """
    images: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
    for own, target, image in zip(logits, batch["seg_pixels"], batch["seg_image"].tolist(), strict=True):
        predicted, target_masks = images.setdefault(image, ([], []))
        predicted.append(in_image(own, tuple(target.shape)))
        target_masks.append(target.to(own.device, torch.float32))
    stacked = [(torch.stack(predicted), torch.stack(target_masks)) for predicted, target_masks in images.values()]
    losses = lisa_mask_losses(*zip(*stacked, strict=True), bce_weight=1.0, dice_weight=1.0)
    return {"bce": losses["mask_bce_loss"], "dice": losses["mask_dice_loss"]}


def in_image(logits: Float[Tensor, " cell"], size_hw: tuple[int, int]) -> Float[Tensor, "h w"]:
    """Low-resolution mask logits in the pixels of an image: to the size of SAM's input, padding cut off, resized."""
    size_px = LOW_STRIDE * round(len(logits) ** 0.5)
    placed = placed_logits(logits, placed_size_hw(size_hw, size_px), size_px)
    return interpolate(placed, size_hw, mode="bilinear", align_corners=False)[0, 0]
