"""`System`: everything specific to a published system about conversations, and the rules by which tokens are learnt.

Each package under `deixis/systems` defines one; the renderer, the batch builder and the training loss take it as an
argument and know no system by name. A label rule turns a conversation's text into labels. `answer_labels` is the plain
one: every answer with its end of turn, and nothing else; `deixis/systems/llava/labels.py` is another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from deixis.geometry import Notation

IGNORED = -100
"""Label of a token that is not learnt: PyTorch's `ignore_index` of cross entropy."""

Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class AnswerSpan:
    """Token positions of one answer: its text is `first` to `close`, its end of turn `close` to `end` (exclusive)."""

    first: int
    close: int
    end: int


@dataclass(frozen=True)
class Conversation:
    """A conversation as text and tokens.

    ids, offsets: tokens, and the character at which each begins. answers: the span of each answer, in order. encode:
    maps a part of the text to ids, each placeholder repeated once per token of its signal.
    """

    text: str
    ids: Sequence[int]
    offsets: Sequence[int]
    answers: Sequence[AnswerSpan]
    encode: Encode


LabelRule = Callable[[Conversation], list[int]]
"""A conversation to one label per token: its id where it is learnt, `IGNORED` elsewhere."""


def answer_labels(conversation: Conversation) -> list[int]:
    """Labels of every answer with its end of turn."""
    labels = [IGNORED] * len(conversation.ids)
    for span in conversation.answers:
        labels[span.first : span.end] = conversation.ids[span.first : span.end]
    return labels


MaskLosses = Callable[[Sequence[Tensor], Mapping[str, Any]], dict[str, Tensor]]
"""(mask logits (cell,) of each mask; the batch with seg_pixels and seg_image) -> unweighted losses by name."""


ALL_BUT_ENCODERS: Mapping[str, Literal["full", "lora"]] = dict.fromkeys(
    ("tokenizers", "projection", "sampler", "language_model", "embeddings", "masks"), "full"
)


@dataclass(frozen=True)
class System:
    """How one system writes and learns conversations.

    notation: of regions in text. label_rule: which tokens are learnt. mask_losses: for systems whose masks are compared
    in image pixels; None for the network's own losses, on the cells of the field. trained_parts: what its training
    trains (`model.parts`), whole or by LoRA, where a recipe does not say.
    """

    name: str
    notation: Notation
    label_rule: LabelRule = answer_labels
    mask_losses: MaskLosses | None = None
    trained_parts: Mapping[str, Literal["full", "lora"]] = field(default_factory=lambda: ALL_BUT_ENCODERS)
