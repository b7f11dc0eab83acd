"""What official training learns and how it writes places: losses by hand, labels token by token, masks of boxes."""

import re

import numpy as np
import pytest
import torch

from deixis.systems.ferret.labels import answered_places, asked_places
from deixis.systems.lisa.losses import dice_loss, lisa_mask_losses, sigmoid_ce_loss
from deixis.systems.llava.labels import IGNORED, answer_labels, padded_labels


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


def test_losses_of_pictures_of_two_sizes():
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


def learnt(text: str) -> str:
    ids, labels = answer_labels(text, encode, OPEN)
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
        answer_labels(text, encode, OPEN)
    ids, labels = answer_labels(text, encode, OPEN, strict=False)
    assert labels == [IGNORED] * len(ids)
    assert "nothing is learnt of it" in caplog.text


def test_padding():
    ids, labels, mask = padded_labels([([5, 0, 7], [IGNORED, 0, 7]), ([8], [8])], pad_id=0, max_tokens=2)
    assert ids.tolist() == [[5, 0], [8, 0]]
    assert labels.tolist() == [[IGNORED, 0], [8, IGNORED]]
    assert mask.tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize(
    ("form", "expected", "pixels"),
    [
        pytest.param("box", "[201, 251, 599, 748] <region_fea> or [599, 700, 997, 998] <region_fea>?",
                     [171 * 319, 171 * 192], id="box_cut_to_the_picture"),
        pytest.param("point", "[400, 500] <region_fea> or [798, 849] <region_fea>?", [121, 121], id="centre"),
    ],
)  # fmt: skip
def test_asked_places(form, expected, pixels):
    text, masks = asked_places(
        "<bbox_location0> or <bbox_location1>?", [[86, 161, 256, 479], [256, 448, 432, 649]], (427, 640), form
    )
    assert text == expected
    assert [int(mask.sum()) for mask in masks] == pixels


def test_a_segment_cuts_the_mask():
    segment = np.zeros((40, 30), dtype=bool)
    segment[:, :10] = True
    _, (mask,) = asked_places("<bbox_location0>", [[5, 5, 20, 20]], (40, 30), "box", [segment])
    assert mask.sum() == 16 * 5


def test_a_box_needs_a_place():
    with pytest.raises(ValueError, match=re.escape("box 1 of the turn: expected <bbox_location1> in its text")):
        answered_places("A cup <bbox_location0>.", [[0, 0, 1, 1]] * 2, (10, 10))
