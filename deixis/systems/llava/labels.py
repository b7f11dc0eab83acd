"""The label rule of LLaVA's family, with which Ferret and LISA were trained: answers with their end tokens.

Lengths are counted turn by turn: each turn is encoded by itself with its own `<s>`, which takes the place of the `</s>`
that splitting removed, and an answer begins two tokens before the end of the encoded text that opens it. The count is
reproduced exactly, because one token more or fewer changes the loss.

Source: apple/ml-ferret@3c9e5c93, ferret/train/train.py preprocess_v1 and DataCollatorForSupervisedDataset;
dvlab-research/LISA@3cb2d430, utils/dataset.py collate_fn.
"""

import logging
from collections.abc import Callable

from deixis.conversation.system import IGNORED, Conversation
from deixis.errors import DataError

BOS, EOS = "<s>", "</s>"
OPENING_TOKENS = 2  # of a turn's encoded question that are not counted: `<s>`, and the space at its end

logger = logging.getLogger(__name__)


def round_labels(answer_open: str, strict: bool) -> Callable[[Conversation], list[int]]:
    """The label rule for conversations whose answers are opened by `answer_open`, such as " ASSISTANT: ".

    Where the counts of the turns do not add up to the length of the conversation, all of its labels are `IGNORED`
    (Ferret), or, if `strict`, the rule raises DataError (LISA).
    """

    def rule(conversation: Conversation) -> list[int]:
        ids = conversation.ids
        labels = [IGNORED] * len(ids)
        at = 1  # after the conversation's own `<s>`
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
