"""`System`: what is peculiar to a published system where conversations are concerned, as one record.

Each room under `deixis/systems` makes one; the renderer, the batch builder and the training loss take it as an
argument, so they know no system by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from deixis.conversation.labels import LabelRule, answer_labels
from deixis.geometry import Notation

MaskLosses = Callable[[Sequence[Tensor], Mapping[str, Any]], dict[str, Tensor]]
"""(mask logits (cell,) of each mask; the batch with seg_pixels and seg_image) -> unweighted losses by name."""


@dataclass(frozen=True)
class System:
    """One system's conversations.

    notation: how regions are written. label_rule: which tokens are learnt. mask_losses: the losses of masks in image
    pixels, where training compares masks there; None for the network's own, on the cells of the field.
    """

    name: str
    notation: Notation
    label_rule: LabelRule = answer_labels
    mask_losses: MaskLosses | None = None
