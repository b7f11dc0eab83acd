"""A conversation as token ids: the tokenizer's chat template writes the text, placeholders are repeated in it.

The template is given messages of pieces, {"type": "image"} and {"type": "text", "text": ...}, and writes a placeholder
word for each signal. The stretches between placeholders are tokenised apart (as LLaVA's code does, from which Ferret's
and LISA's come), so a placeholder never joins the words beside it. Nothing here knows a network or a system.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.model.regions.sampled_points import SampledPoints

_MEANT = re.compile(r"<\S+>|\[[A-Z_]+\]")


@dataclass(frozen=True)
class Past:
    """An earlier turn as the model wrote and read it: texts, and the regions that the question named, in order."""

    question: str
    answer: str
    points: tuple[SampledPoints, ...] = ()
    signals: tuple[int, ...] = field(default=())


def conversation_text(tokenizer: Any, kinds: Sequence[str], past: Sequence[Past], question: str) -> str:
    """The text of a conversation about signals of these kinds, up to where the next answer begins.

    Raises ValueError for a tokenizer without a chat template.
    """
    if getattr(tokenizer, "chat_template", None) is None:
        raise InputError(
            "the tokenizer: expected one with a chat template, got none; this model was converted without its "
            "tokenizer and takes token ids only"
        )
    first: list[dict[str, str]] = [{"type": kind} for kind in kinds]
    messages: list[dict[str, Any]] = []
    for turn in past:
        messages += [
            {"role": "user", "content": [*first, {"type": "text", "text": turn.question}]},
            {"role": "assistant", "content": turn.answer},
        ]
        first = []
    messages.append({"role": "user", "content": [*first, {"type": "text", "text": question}]})
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def conversation_ids(
    tokenizer: Any, text: str, placeholders: Mapping[str, str], kinds: Sequence[str], counts: Mapping[str, int]
) -> list[int]:
    """Token ids of a text, each placeholder word as often as its signal has tokens.

    Raises ValueError where the text has other placeholders than the signals of these kinds, in their order.
    """
    named = {word: kind for kind, word in placeholders.items()}
    pieces = (
        re.split("(" + "|".join(map(re.escape, sorted(named, key=len, reverse=True))) + ")", text) if named else [text]
    )
    found = [named[piece] for piece in pieces if piece in named]
    if found != list(kinds):
        raise InputError(
            f"the chat template: expected placeholders for {', '.join(kinds) or 'no signal'}, wrote {', '.join(found)}"
        )
    ids: list[int] = []
    for piece in pieces:
        if piece in named:
            ids += [tokenizer.convert_tokens_to_ids(piece)] * counts[named[piece]]
        elif piece:
            ids += tokenizer(piece, add_special_tokens=False)["input_ids"]
    return ids


def words_with_meaning(tokenizer: Any) -> list[str]:
    """The words of a tokenizer that a person's question must not contain, such as <image> or [SEG]."""
    return sorted(word for word in tokenizer.get_added_vocab() if _MEANT.fullmatch(word))


def left_padded(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """(ids, attention mask), both (batch, position) int64, of rows of uneven length."""
    length = max(map(len, rows))
    ids = np.full((len(rows), length), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, length - len(row) :] = row
        mask[number, length - len(row) :] = 1
    return ids, mask
