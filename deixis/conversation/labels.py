"""Which tokens of a conversation are learnt: a label rule turns a conversation's text into labels.

`answer_labels` is the plain rule: every answer with its end of turn, and nothing else. A system that was trained
with other labels has its own (`deixis/systems/llava/labels.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
