"""A question has the same answer alone and in any batch: on the bundled model, greedy, in float32."""

import numpy as np
import pytest
import torch

from deixis.conversation import question_sample

TIE = 1e-4  # logits that are nearer than this are a tie, and either token may win


def same_or_tied(model, question, one, other):
    """Whether two answers to a question are the same, or part at a token whose rival was as likely."""
    if one.raw == other.raw:
        return True
    scored = [model.score([question], [answer.raw])[0] for answer in (one, other)]
    part = next(i for i, (a, b) in enumerate(zip(*(s.ids for s in scored), strict=False)) if a != b)
    rivals = torch.tensor([s.ids[part] for s in scored])
    values = scored[0].logits[part][rivals]
    return float((values[0] - values[1]).abs()) < TIE


@pytest.fixture(scope="module")
def alone(bundled, mixed):
    bundled.clear_cache()
    return [bundled.answer([question])[0] for question in mixed]


@pytest.mark.parametrize("seed", range(4))
def test_answers_in_shuffled_batches_are_those_alone(bundled, mixed, alone, seed):
    bundled.clear_cache()
    order = np.random.default_rng(seed).permutation(len(mixed))
    for size in (len(mixed), 3):
        some = order[:size].tolist()
        for number, answer in zip(some, bundled.answer([mixed[i] for i in some]), strict=True):
            assert same_or_tied(bundled, mixed[number], answer, alone[number]), mixed[number].turns
            if answer.raw == alone[number].raw:
                for one, other in zip(answer.regions, alone[number].regions, strict=True):
                    assert (one.signal, one.form) == (other.signal, other.form)
                    assert one.score == (None if other.score is None else pytest.approx(other.score, abs=1e-3))


def test_turns_of_a_chat_are_answered_in_a_batch_as_alone(bundled, mixed, alone):
    """Earlier turns are part of the text, with the regions they named."""
    chat = bundled.chat(*(reference.values for reference in mixed[7].signals))
    chat.ask(mixed[7].turns[-1].user, mixed[7].regions)
    later = question_sample("What colour is it?", earlier=chat.sample)
    single = bundled.answer([later])[0]
    batched = bundled.answer([mixed[1], later, mixed[4]])[1]
    assert same_or_tied(bundled, later, single, batched)


def test_left_padding_changes_no_logits(bundled, mixed):
    """The first logits of every row, padded beside a longer one and not."""
    head = bundled.network.get_output_embeddings()
    together = bundled.engine.encode(mixed)
    assert not together.mask.all()
    with torch.inference_mode():
        padded = head(bundled.engine.forward(together)[:, -1])
        single = torch.cat([head(bundled.engine.forward(bundled.engine.encode([q]))[:, -1]) for q in mixed])
    torch.testing.assert_close(padded, single, atol=1e-3, rtol=1e-4)


def test_no_questions_have_no_answers(bundled):
    assert bundled.answer([]) == []
