"""The label rule of LLaVA's family, with which Ferret and LISA were trained: answers with their ends, as it counts.

Its labels are made by measuring each round by itself: a round is encoded with its own `<s>`, which stands for the
`</s>` that was cut off, and an answer begins two tokens before the encoded text that opens it ends. Followed as it is,
since a token more or less is another loss.

Source: apple/ml-ferret@3c9e5c93, ferret/train/train.py preprocess_v1 and DataCollatorForSupervisedDataset;
dvlab-research/LISA@3cb2d430, utils/dataset.py collate_fn.
"""

import logging
from collections.abc import Callable

from deixis.conversation.labels import IGNORED, Conversation
from deixis.errors import DataError

BOS, EOS = "<s>", "</s>"
OPENING_TOKENS = 2  # of a round's encoded question that are left out of the count: `<s>`, and the space at its end

logger = logging.getLogger(__name__)


def round_labels(answer_open: str, strict: bool) -> Callable[[Conversation], list[int]]:
    """The label rule for conversations whose answers are opened by `answer_open`, such as " ASSISTANT: ".

    Where the counts do not add up to the whole, nothing is learnt of the conversation (Ferret), or, if `strict`, the
    rule raises DataError (LISA).
    """

    def rule(conversation: Conversation) -> list[int]:
        ids = conversation.ids
        labels = [IGNORED] * len(ids)
        at = 1  # `<s>` of the whole
        for number, turn in enumerate(conversation.text.removeprefix(BOS).split(EOS)):
            if not turn:
                break
            parts = turn.split(answer_open)
            if len(parts) != 2:
                if strict:
                    raise DataError(
                        f"turn {number} of the conversation: expected one '{answer_open}', got {len(parts) - 1}"
                    )
                break
            length = len(conversation.encode(BOS + turn))
            asked = len(conversation.encode(BOS + parts[0] + answer_open)) - OPENING_TOKENS
            labels[at + asked : at + length] = ids[at + asked : at + length]
            at += length
        if at != len(ids):
            message = (
                f"the conversation: its turns have {at} tokens one by one and {len(ids)} together, in "
                f"{conversation.text!r:.80}"
            )
            if strict:
                raise DataError(message)
            logger.warning("%s: nothing is learnt of it", message)
            labels = [IGNORED] * len(ids)
        return labels[: len(ids)]

    return rule
