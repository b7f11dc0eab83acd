"""Teacher-forced scores are those of the answer that was given, whoever is beside it."""

import math

import numpy as np
import pytest
import torch

from deixis.inference import Model, Question
from deixis.signals import open_signal
from tests.inference.test_model import SEG
from tests.toy import picture, sound


def test_an_answer_that_was_generated_is_the_likeliest(bundled, mixed):
    answers = bundled.answer(mixed)
    for scored, answer in zip(bundled.score(mixed, [a.raw for a in answers]), answers, strict=True):
        best = scored.logits.argmax(-1)
        gap = scored.logits.max(-1).values - scored.logits.gather(-1, torch.tensor(scored.ids)[:, None])[:, 0]
        assert (best.tolist() == scored.ids) or float(gap.max()) < 1e-4
        assert (scored.answer.text, scored.answer.raw) == (answer.text, answer.raw)
        for one, other in zip(scored.answer.regions, answer.regions, strict=True):
            assert (one.signal, one.form) == (other.signal, other.form)
            assert one.score == (None if other.score is None else pytest.approx(other.score, abs=1e-4))
            if one.form == "mask":
                assert np.mean(one.mask != other.mask) < 1e-4


def test_the_loss_is_that_of_training(toy):
    """The mean cross entropy of the answer's tokens and its end, as the network's own forward computes it."""
    network, processor = toy
    model = Model(network, processor, "toy")
    question = Question("Where is the blue chair?", (open_signal(picture()),))
    scored = model.score([question], [f"A red mug{SEG}."])[0]
    inputs = processor.batch([question.text], [[processor.prepare(question.signals[0])]], [()], [()])
    ids = torch.cat([inputs["input_ids"], torch.tensor([scored.ids])], 1)
    with torch.no_grad():
        logits = network(**{**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}).logits[0]
    start = inputs["input_ids"].shape[1]
    expected = torch.nn.functional.cross_entropy(logits[start - 1 : -1], ids[0, start:])
    assert scored.loss == pytest.approx(float(expected), abs=1e-5)
    torch.testing.assert_close(scored.logits, logits[start - 1 : -1], atol=1e-4, rtol=1e-4)
    assert scored.ids[-1] == processor.tokenizer.eos_token_id


def test_scores_are_the_same_alone_and_in_a_batch(toy):
    model = Model(*toy, "toy")
    questions = [
        Question("Where?", (open_signal(picture()),)),
        Question("When do you hear the bell, if at all?", (open_signal(sound()), open_signal(picture(seed=2)))),
        Question("Hello?", ()),
    ]
    answers = [f"It{SEG} and{SEG}", f"{SEG}@1", ""]
    together = model.score(questions, answers)
    assert [len(scored.answer.masks) for scored in together] == [2, 1, 0]
    for question, answer, scored in zip(questions, answers, together, strict=True):
        alone = model.score([question], [answer])[0]
        assert alone.ids == scored.ids
        assert math.isclose(alone.loss, scored.loss, abs_tol=1e-4)
        for one, other in zip(alone.answer.regions, scored.answer.regions, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-3)
