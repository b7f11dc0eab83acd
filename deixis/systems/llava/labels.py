"""What LLaVA's family learns of a conversation: the answers with their ends, counted the way its code counts.

Ferret and LISA were trained on labels made by measuring each round by itself: a round is encoded with its own `<s>`,
which stands for the `</s>` that was cut off, and an answer begins two tokens before the encoded words that open it end.
Followed as it is, since a token more or less is another loss. It knows neither templates nor a network: texts begin
with `<s>` and hold a placeholder wherever a signal stands.

Source: apple/ml-ferret@3c9e5c93, ferret/train/train.py preprocess_v1 and DataCollatorForSupervisedDataset;
dvlab-research/LISA@3cb2d430, utils/dataset.py collate_fn.
"""

import logging
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from deixis.errors import DataError

IGNORED = -100
BOS, EOS = "<s>", "</s>"
OPENING_TOKENS = 2  # of a round's encoded question that are left out of the count: `<s>`, and the space at its end

logger = logging.getLogger(__name__)


def answer_labels(
    text: str, encode: Callable[[str], list[int]], answer_open: str, strict: bool = True
) -> tuple[list[int], list[int]]:
    """(ids, labels) of a conversation: the ids of its answers, -100 elsewhere.

    encode: ids of a text, which begins with `<s>`. answer_open: the words between a question and its answer, such as
    " ASSISTANT: ". Where the counts do not add up to the whole, nothing is learnt of this conversation (Ferret), or,
    if `strict`, ValueError is raised (LISA).
    """
    ids = encode(text)
    labels = [IGNORED] * len(ids)
    at = 1
    for number, turn in enumerate(text.removeprefix(BOS).split(EOS)):
        if not turn:
            break
        parts = turn.split(answer_open)
        if len(parts) != 2:
            if strict:
                got = len(parts) - 1
                raise DataError(f"turn {number} of the conversation: expected one '{answer_open}', got {got}")
            break
        length = len(encode(BOS + turn))
        asked = len(encode(BOS + parts[0] + answer_open)) - OPENING_TOKENS
        labels[at + asked : at + length] = ids[at + asked : at + length]
        at += length
    if at != len(ids):
        message = f"the conversation: its turns have {at} tokens one by one and {len(ids)} together, in {text!r:.80}"
        if strict:
            raise DataError(message)
        logger.warning("%s: nothing is learnt of it", message)
        labels = [IGNORED] * len(ids)
    return ids, labels[: len(ids)]


def padded_labels(
    rows: Sequence[tuple[list[int], list[int]]], pad_id: int, max_tokens: int | None = None
) -> tuple[Int[Tensor, "row token"], Int[Tensor, "row token"], Bool[Tensor, "row token"]]:
    """(ids, labels, attention mask) of conversations, padded on the right and cut to `max_tokens`.

    An id that equals `pad_id` inside of a text is masked too, as in the official code.
    """
    length = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([own + [pad_id] * (length - len(own)) for own, _ in rows])
    labels = torch.tensor([own + [IGNORED] * (length - len(own)) for _, own in rows])
    return ids[:, :max_tokens], labels[:, :max_tokens], ids.ne(pad_id)[:, :max_tokens]
