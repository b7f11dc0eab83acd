"""Which tokens of a conversation are learnt: a label rule turns a conversation's text into labels.

`answer_labels` is the plain rule: every answer with its end of turn, and nothing else. A system whose labels were
counted in another way has its own (`deixis/systems/llava/labels.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

IGNORED = -100
"""Label of a token that is not learnt: PyTorch's `ignore_index` of cross entropy."""

Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class AnswerSpan:
    """Tokens of one answer: those from `first` to `close` are its text, those from `close` to `end` its end of turn."""

    first: int
    close: int
    end: int


@dataclass(frozen=True)
class Conversation:
    """A conversation as text and tokens.

    ids, offsets: tokens, and the character at which each begins. answers: the span of each answer, in order. encode: a
    text to ids, placeholders repeated as often as their signals have tokens.
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
