"""What official training learns: LISA's losses by hand, LLaVA's labels token by token."""

import re

import numpy as np
import pytest
import torch

from deixis.conversation.system import IGNORED, Conversation
from deixis.systems.lisa.losses import dice_loss, lisa_mask_losses, sigmoid_ce_loss
from deixis.systems.llava.labels import round_labels


def test_dice_of_a_perfect_mask_is_nothing():
    logits = torch.tensor([[[50.0, -50.0], [50.0, -50.0]]])
    assert dice_loss(logits, (logits > 0).float(), 1).item() == pytest.approx(0, abs=1e-6)


def test_dice_by_hand():
    logits, target = torch.zeros(1, 1, 4), torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    expected = 1 - (2 * 0.5 / 1000 + 1e-6) / ((0.5 * 4 + 1) / 1000 + 1e-6)
    assert dice_loss(logits, target, 1).item() == pytest.approx(expected, rel=1e-6)
    assert dice_loss(logits, target, 4).item() == pytest.approx(expected / 4, rel=1e-6)


def test_cross_entropy_is_a_mean_of_pixels_and_a_sum_of_masks():
    logits, target = torch.zeros(3, 2, 2), torch.ones(3, 2, 2)
    assert sigmoid_ce_loss(logits, target, 1).item() == pytest.approx(3 * np.log(2), rel=1e-6)


def test_losses_of_images_of_two_sizes():
    small, large = torch.zeros(1, 2, 2), torch.zeros(2, 5, 3)
    losses = lisa_mask_losses([small, large], [torch.ones_like(small), torch.ones_like(large)])
    assert losses["mask_bce_loss"].item() == pytest.approx(2 * np.log(2), rel=1e-5)
    assert losses["mask_loss"] == losses["mask_bce_loss"] + losses["mask_dice_loss"]
    none = lisa_mask_losses([small[:0]], [small[:0]])
    assert none["mask_loss"].item() == 0


def encode(text: str) -> list[int]:
    """A token a character, but one for `<s>`, `</s>` and ASSISTANT; a lone space at the end of a text is one, too."""
    return [ord(piece[0]) if len(piece) == 1 else -len(piece) for piece in re.findall("</?s>|ASSISTANT|.", text)]


OPEN = " ASSISTANT: "


def labelled(text: str, strict: bool = True) -> tuple[list[int], list[int]]:
    ids = encode(text)
    return ids, round_labels(OPEN, strict)(Conversation(text, ids, (), (), encode))


def learnt(text: str) -> str:
    ids, labels = labelled(text)
    assert len(ids) == len(labels)
    assert all(label in (IGNORED, number) for number, label in zip(ids, labels, strict=True))
    return "".join({-4: "/"}.get(label, chr(max(label, 0))) for label in labels if label != IGNORED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("<s>USER: q ASSISTANT: yes</s>", " yes/", id="one_turn"),
        pytest.param("<s>USER: q ASSISTANT: yes</s>USER: r ASSISTANT: no</s>", " yes/ no/", id="two_turns"),
        pytest.param("<s>USER: q ASSISTANT: </s>", " /", id="empty_answer"),
    ],
)
def test_answers_are_learnt_with_their_ends(text, expected):
    assert learnt(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "<s>USER: q</s>", "turn 0 of the conversation: expected one ' ASSISTANT: ', got 0", id="no_answer"
        ),
        pytest.param("<s>q ASSISTANT: a ASSISTANT: b</s>", "got 2", id="two_answers"),
        pytest.param("<s>q ASSISTANT: a", "its turns have", id="no_end"),
    ],
)
def test_what_does_not_add_up(text, message, caplog):
    with pytest.raises(ValueError, match=re.escape(message)):
        labelled(text)
    ids, labels = labelled(text, strict=False)
    assert labels == [IGNORED] * len(ids)
    assert "nothing is learnt of it" in caplog.text
