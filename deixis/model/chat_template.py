"""Conversations as token ids: the tokenizer's chat template writes the text, placeholders are repeated in it.

The template is given messages of content parts, {"type": "image"} and {"type": "text", "text": ...}, and writes one
placeholder token for each signal. The text between placeholders is tokenised piece by piece (as LLaVA's code does, from
which Ferret's and LISA's come), so a placeholder never merges with the words beside it. Knows no network, no system and
no samples.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from deixis.errors import CheckpointError, InputError
from deixis.model.template_sandbox import render_template

_SPECIAL = re.compile(r"<\S+>|\[[A-Z_]+\]")

Turns = Sequence[tuple[str, str | None]]
"""(question, answer) of each turn in the model's notation; the last answer is None where the model is to write it."""


def template_text(
    tokenizer: Any,
    turns: Turns,
    modalities: Sequence[str],
    add_generation_prompt: bool = True,
    chat_template: str | None = None,
) -> str:
    """The text of a conversation about signals of these modalities; a generation prompt is for a missing answer only.

    Raises InputError for a tokenizer without a chat template, and for a generation prompt behind a given answer;
    CheckpointError for a template that is damaged or beyond the limits of `template_sandbox`.
    """
    if turns[-1][1] is not None and add_generation_prompt:
        raise InputError("add_generation_prompt: expected the last message to be the user's, got the assistant's")
    source = getattr(tokenizer, "chat_template", None) if chat_template is None else chat_template
    if isinstance(source, dict):  # several by name
        source = source.get("default")
    if source is None:
        raise InputError(
            "the tokenizer: expected one with a chat template, got none; this model was converted without its "
            "tokenizer and takes token ids only"
        )
    signals: list[dict[str, str]] = [{"type": modality} for modality in modalities]
    messages: list[dict[str, Any]] = []
    for question, answer in turns:
        messages.append({"role": "user", "content": [*signals, {"type": "text", "text": question}]})
        signals = []
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
    given = {"messages": messages, "add_generation_prompt": add_generation_prompt, "tools": None, "documents": None}
    return render_template(source, {**tokenizer.special_tokens_map, **given})


def conversation_text(
    tokenizer: Any, turns: Turns, modalities: Sequence[str]
) -> tuple[str, list[tuple[int, int, int]]]:
    """(text, answers): a conversation about signals of these modalities, and the characters of each answer.

    An answer is (first, close, end): it begins where the generation prompt ends; its text ends, and its end of turn
    begins, at `close`. Raises as `template_text`, and CheckpointError for a template whose text of a turn depends on
    later ones, or lacks the answer.
    """
    texts: list[str] = []
    spans: list[tuple[int, int]] = []
    for number, (question, answer) in enumerate(turns):
        texts.append(template_text(tokenizer, [*turns[:number], (question, None)], modalities))
        if answer is not None:
            texts.append(template_text(tokenizer, turns[: number + 1], modalities, add_generation_prompt=False))
            spans.append((len(texts[-2]), len(texts[-1])))
    if not all(after.startswith(before) for before, after in pairwise(texts)):
        raise CheckpointError("the chat template: expected every turn to be added behind the ones before it")
    text, answers = texts[-1], [answer for _, answer in turns if answer is not None]
    places = [text.rfind(answer, *span) for answer, span in zip(answers, spans, strict=True)]
    if -1 in places:
        raise CheckpointError("the chat template: expected every answer in the text that it writes, got one left out")
    # what follows the answer in its span is the end of turn
    closes = [place + len(answer) for answer, place in zip(answers, places, strict=True)]
    return text, [(first, close, end) for (first, end), close in zip(spans, closes, strict=True)]


def conversation_ids(
    tokenizer: Any, text: str, placeholders: Mapping[str, str], modalities: Sequence[str], counts: Mapping[str, int]
) -> tuple[list[int], list[int]]:
    """(ids, offsets): token ids of a text, each placeholder as often as its signal has tokens, and where each begins.

    Raises InputError where the text has other placeholders than the signals of these modalities, in their order.
    """
    named = {word: modality for modality, word in placeholders.items()}
    longest_first = sorted(named, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text) if named else [text]
    found = [named[piece] for piece in pieces if piece in named]
    if found != list(modalities):
        raise InputError(
            f"the chat template: expected placeholders for {', '.join(modalities) or 'no signal'}, wrote "
            f"{', '.join(found)}"
        )
    ids: list[int] = []
    offsets: list[int] = []
    at = 0
    for piece in pieces:
        if piece in named:
            count = counts[named[piece]]
            ids += [tokenizer.convert_tokens_to_ids(piece)] * count
            offsets += [at] * count
        elif piece:
            encoded = tokenizer(piece, add_special_tokens=False, return_offsets_mapping=True)
            ids += encoded["input_ids"]
            offsets += [at + start for start, _ in encoded["offset_mapping"]]
        at += len(piece)
    return ids, offsets


def special_words(tokenizer: Any) -> tuple[str, ...]:
    """The tokens of a tokenizer that a person's question must not contain, such as <image> or [SEG], sorted."""
    return tuple(sorted(word for word in tokenizer.get_added_vocab() if _SPECIAL.fullmatch(word)))


def left_padded(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """(ids, attention mask), both (batch, position) int64, of rows of uneven length."""
    length = max(map(len, rows))
    ids = np.full((len(rows), length), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, length - len(row) :] = row
        mask[number, length - len(row) :] = 1
    return ids, mask
