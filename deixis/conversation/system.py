"""`System`: everything specific to a published system about conversations, as one record.

Each package under `deixis/systems` defines one; the renderer, the batch builder and the training loss take it as an
argument and know no system by name.
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
    """How one system writes and learns conversations.

    notation: of regions in text. label_rule: which tokens are learnt. mask_losses: for systems whose masks are compared
    in image pixels; None for the network's own losses, on the cells of the field.
    """

    name: str
    notation: Notation
    label_rule: LabelRule = answer_labels
    mask_losses: MaskLosses | None = None
