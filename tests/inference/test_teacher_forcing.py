"""Teacher-forced scores are those of the answer that was given, whoever is beside it."""

import math

import numpy as np
import pytest
import torch

from deixis.conversation import answered, question_sample
from deixis.inference import Model
from deixis.signals import open_signal
from tests.inference.test_model import SEG
from tests.toy import toy_audio, toy_image


def test_an_answer_that_was_generated_is_the_likeliest(bundled, mixed):
    answers = bundled.answer(mixed)
    for scored, answer in zip(
        bundled.score([answered(own, a.raw) for own, a in zip(mixed, answers, strict=True)]), answers, strict=True
    ):
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
    question = question_sample("Where is the blue chair?", (open_signal(toy_image()),))
    scored = model.score([answered(question, f"A red mug{SEG}.")])[0]
    inputs = processor(question.turns[-1].user, [question.signals[0].values])
    end = processor.tokenizer.eos_token_id
    ids = torch.cat([inputs["input_ids"], torch.tensor([[*scored.ids, end]])], 1)
    with torch.no_grad():
        logits = network(**{**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}).logits[0]
    start = inputs["input_ids"].shape[1]
    expected = torch.nn.functional.cross_entropy(logits[start - 1 : -1], ids[0, start:])
    assert scored.loss == pytest.approx(float(expected), abs=1e-5)
    torch.testing.assert_close(scored.logits, logits[start - 1 : -2], atol=1e-4, rtol=1e-4)


def test_scores_are_the_same_alone_and_in_a_batch(toy):
    model = Model(*toy, "toy")
    questions = [
        question_sample("Where?", (open_signal(toy_image()),)),
        question_sample(
            "When do you hear the bell, if at all?", (open_signal(toy_audio()), open_signal(toy_image(seed=2)))
        ),
        question_sample("Hello?", ()),
    ]
    answers = [f"It{SEG} and{SEG}", f"{SEG}@1", ""]
    given = [answered(question, answer) for question, answer in zip(questions, answers, strict=True)]
    together = model.score(given)
    assert [len(scored.answer.masks) for scored in together] == [2, 1, 0]
    for sample, scored in zip(given, together, strict=True):
        alone = model.score([sample])[0]
        assert alone.ids == scored.ids
        assert math.isclose(alone.loss, scored.loss, abs_tol=1e-4)
        for one, other in zip(alone.answer.regions, scored.answer.regions, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-3)
