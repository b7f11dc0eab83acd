"""`Model.answer`: every <seg> of every answer has its own mask, wherever an answer ends and whoever is beside it."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from deixis.conversation import question_sample
from deixis.geometry import Box
from deixis.inference import Model
from deixis.inference.kv_cache import closed_up
from deixis.signals import open_signal
from tests.toy import toy_audio, toy_image, toy_point_cloud

SEG, WORD, END = "<seg>", "A", "<eos>"


@contextmanager
def saying(network, tokenizer, *rows):
    """Within the block, the network generates the tokens `rows[i]` for question i, again and again.

    Finished rows leave the batch: those that generated the end, then all but those whose <seg> still has to be fed.
    """
    ids = [[tokenizer.convert_tokens_to_ids(token) for token in row] for row in rows]
    end, seg = (tokenizer.convert_tokens_to_ids(token) for token in (END, SEG))
    step = iter(range(1000))
    alive = list(range(len(ids)))

    def say(head, args, logits):
        at = next(step)
        last = {row: ids[row][(at - 1) % len(ids[row])] for row in alive} if at else {}
        gone = [place for place, row in enumerate(alive) if last.get(row) == end]
        if len(logits) < len(alive) - len(gone):
            gone = [place for place, row in enumerate(alive) if last[row] != seg]
        alive[:] = [alive[place] for place in closed_up(len(alive), gone)]
        said = torch.full_like(logits, -1e4)
        for place, row in enumerate(alive):
            said[place, ..., ids[row][at % len(ids[row])]] = 0.0
        return said

    hook = network.get_output_embeddings().register_forward_hook(say)
    try:
        yield
    finally:
        hook.remove()


@pytest.fixture
def model(toy):
    return Model(*toy, "toy")


def answers(model, questions, said, max_new_tokens):
    with saying(model.network, model.processor.tokenizer, *said):
        return model.answer(questions, max_new_tokens)


def assert_same_regions(some, others):
    for one, other in zip(some, others, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-3)
        assert replace(one, score=None) == replace(other, score=None)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_an_answer_cut_off_at_seg_still_has_its_mask(model, length):
    question = [question_sample("Where is it?", (open_signal(toy_image()),))]
    cut = answers(model, question, [[SEG]], length)[0]
    whole = answers(model, question, [[*[SEG] * 3, END]], 10)[0]
    assert cut.raw == SEG * length
    assert len(cut.masks) == length
    assert_same_regions(cut.regions, whole.regions[:length])


def test_a_model_that_wants_to_say_a_placeholder_says_something_else(model):
    network, tokenizer = model.network, model.processor.tokenizer
    chat = model.chat(toy_image(), toy_audio())
    for placeholder in ("<region>", "<image>", "<point_cloud>"):
        with saying(network, tokenizer, [WORD, placeholder, END]):
            assert placeholder not in chat.ask("What is it?").raw
    assert len(chat.answers) == 3


@pytest.mark.parametrize("token", ["<image>", "<eos>", "<user>"])
def test_a_question_with_a_token_of_the_model_is_refused(model, token):
    with pytest.raises(ValueError, match=f"must not contain {token}"):
        model.ask(f"What is {token}?", toy_image())


def test_a_conversation_that_the_model_cannot_hold_is_refused(model):
    with pytest.raises(ValueError, match="reads 512 tokens at most"):
        model.ask("What is it? " * 200, toy_image())


def test_masks_stay_with_their_question_in_a_batch_of_uneven_answers(model):
    questions = [
        question_sample("How many?", (open_signal(toy_audio()), open_signal(toy_image(seed=1)))),
        question_sample("What is {0} next to?", (open_signal(toy_image(seed=2)),), (Box(1, 2, 20, 20),)),
        question_sample("Hello?", ()),
        question_sample("Where?", (open_signal(toy_point_cloud()),)),
    ]
    said = [[WORD, END], [SEG, WORD, SEG, END], [WORD, WORD, END], [WORD, WORD, WORD, SEG]]
    together = answers(model, questions, said, 4)
    assert [len(answer.regions) for answer in together] == [0, 2, 0, 1]
    for question, row, answer in zip(questions, said, together, strict=True):
        alone = answers(model, [question], [row], 4)[0]
        assert alone.raw == answer.raw
        assert_same_regions(alone.regions, answer.regions)
