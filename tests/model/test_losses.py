"""The losses against their written formulas."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from deixis.model.losses import mask_losses, number_loss, text_loss


@pytest.fixture
def words():
    torch.manual_seed(0)
    return torch.randn(9, 30), torch.tensor([3, 10, 11, 29, 0, 19, 20, 9, 15])  # numbers are the tokens 10..19


def test_without_spread_it_is_cross_entropy(words):
    logits, labels = words
    torch.testing.assert_close(text_loss(logits, labels, 10, 10, 0.0), cross_entropy(logits, labels))


def test_without_numbers_it_is_cross_entropy(words):
    logits, labels = words
    torch.testing.assert_close(text_loss(logits, labels % 10, 10, 10, 2.0), cross_entropy(logits, labels % 10))


def test_neighbours_share_the_target_of_a_number(words):
    logits, labels = words
    total = 0.0
    for row, label in zip(logits.log_softmax(-1).tolist(), labels.tolist(), strict=True):
        if 10 <= label < 20:
            weights = [math.exp(-((n - label) ** 2) / (2 * 1.5**2)) for n in range(10, 20)]
            total -= sum(w * row[n] for w, n in zip(weights, range(10, 20), strict=True)) / sum(weights)
        else:
            total -= row[label]
    assert text_loss(logits, labels, 10, 10, 1.5).item() == pytest.approx(total / 9, rel=1e-5)


def test_a_number_that_is_no_coordinate_is_learnt_as_text(words):
    logits, labels = words
    inside = torch.tensor([0, 1, 0, 1, 0, 0, 1, 1, 0], dtype=torch.bool)  # also where the label is no number
    rows = torch.stack([text_loss(logits[i : i + 1], labels[i : i + 1], 10, 10, 1.5) for i in range(9)])
    plain = cross_entropy(logits, labels, reduction="none")
    expected = torch.where(inside, rows, plain).mean()
    torch.testing.assert_close(text_loss(logits, labels, 10, 10, 1.5, inside), expected)
    nowhere = torch.zeros(9, dtype=torch.bool)
    torch.testing.assert_close(text_loss(logits, labels, 10, 10, 1.5, nowhere), plain.mean())
    assert number_loss(logits, labels, 10, 10, nowhere) == 0
    torch.testing.assert_close(
        number_loss(logits, labels, 10, 10, inside), number_loss(logits[[1]], labels[[1]], 10, 10)
    )


def test_a_narrow_spread_is_nearly_cross_entropy(words):
    logits, labels = words
    torch.testing.assert_close(text_loss(logits, labels, 10, 10, 0.05), cross_entropy(logits, labels))


def test_no_token_at_all_is_zero_with_a_gradient():
    logits = torch.zeros(0, 30, requires_grad=True)
    loss = text_loss(logits, torch.zeros(0, dtype=torch.long), 10, 10, 1.5)
    loss.backward()
    assert loss == 0


def test_masks_against_the_formula():
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -3.0]])
    target = torch.tensor([[1.0, 0.0, 0.25], [0.0, 1.0, 0.0]])
    bce, dice = mask_losses(logits, target)
    for m in range(2):
        p = [1 / (1 + math.exp(-v)) for v in logits[m].tolist()]
        t = target[m].tolist()
        terms = [-(b * math.log(a) + (1 - b) * math.log(1 - a)) for a, b in zip(p, t, strict=True)]
        assert bce[m].item() == pytest.approx(sum(terms) / 3, rel=1e-5)
        overlap = sum(a * b for a, b in zip(p, t, strict=True))
        assert dice[m].item() == pytest.approx(1 - (2 * overlap + 1) / (sum(p) + sum(t) + 1), rel=1e-5)


def test_a_right_mask_costs_nothing_and_a_wrong_one_all():
    target = torch.tensor([[1.0] * 50 + [0.0] * 50])
    right, wrong = (mask_losses(sign * 50 * (target - 0.5), target) for sign in (1, -1))
    assert [round(float(v), 3) for v in right] == [0.0, 0.0]
    assert wrong[1].item() > 0.98
