"""Continuous batching: whoever joins and leaves when, every row's answer is the one that it has alone."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from deixis.conversation import question_sample
from deixis.inference import GenerationOptions, Model
from deixis.inference.answer_reader import AnswerReader
from deixis.inference.generation import GenerationBatch, StopCriteria
from deixis.inference.kv_cache import open_cache
from deixis.inference.prefix_cache import common_length
from deixis.signals import open_signal
from tests.inference.test_batches import same_or_tied
from tests.inference.test_prefix_cache import lengths  # noqa: F401
from tests.toy import TEXT, toy_audio, toy_image, toy_network, toy_point_cloud, toy_tokenizer

TEXTS = ("What is it?", "Where is the blue chair?", "A mug?", "What is the red mug next to? Yes. No.", "Where?")
WINDOWS = {**TEXT, "model_type": "mistral", "sliding_window": 6, "tie_word_embeddings": True}


def run(engine, arrivals, cancelled=()):
    """The answers of (step at which it joins, sample, options); `cancelled` are (number, step at which it leaves)."""
    batch, joined, step = engine.open_batch(), {}, 0
    while len(joined) < len(arrivals) or batch.rows:
        for number, (when, sample, options) in enumerate(arrivals):
            if when == step:
                prompts = engine.encode([sample])
                joined[number] = sample, prompts.signals[0], *batch.join(prompts, options)
        batch.leave([joined[number][2] for number, when in cancelled if when == step])
        batch.step()
        step += 1
    return [AnswerReader(engine, *joined[n][:2], joined[n][2].state).answer("", 0.0) for n in range(len(arrivals))]


def assert_same_regions(some, others):
    for one, other in zip(some, others, strict=True):
        assert replace(one, score=None) == replace(other, score=None)
        assert one.score == (None if other.score is None else pytest.approx(other.score, abs=1e-3))


@pytest.mark.parametrize(
    ("steps", "cancelled"),
    [
        pytest.param([0] * 8, [], id="at_once"),
        pytest.param([0, 0, 3, 3, 5, 7, 7, 8], [], id="in_groups"),
        pytest.param([9, 0, 6, 2, 12, 4, 1, 3], [(1, 5)], id="the_longest_leaves_early"),
        pytest.param([0, 30, 0, 30, 0, 30, 0, 30], [], id="where_all_others_have_left"),
    ],
)
def test_answers_are_those_alone(bundled, mixed, steps, cancelled):
    engine, options = bundled.engine, GenerationOptions()
    bundled.clear_cache()
    alone = [bundled.answer([question])[0] for question in mixed]
    bundled.clear_cache()
    together = run(engine, [(step, q, options) for step, q in zip(steps, mixed, strict=True)], cancelled)
    for number, (question, one, other) in enumerate(zip(mixed, together, alone, strict=True)):
        if number in dict(cancelled):
            assert len(one.raw) < len(other.raw)
            assert other.raw.startswith(one.raw)
            continue
        assert same_or_tied(bundled, question, one, other), question.turns
        if one.raw == other.raw:
            assert_same_regions(one.regions, other.regions)


def toy_questions():
    signals = [toy_image(), toy_audio(), toy_point_cloud(), toy_image(), toy_image(seed=3)]
    return [question_sample(text, (open_signal(own),)) for text, own in zip(TEXTS, signals, strict=True)]


@contextmanager
def pointing_often(network):
    """Within the block, every fifth token that is sampled is `<seg>`."""

    def hook(head, args, logits):
        lifted = logits.clone()
        lifted[..., network.config.seg_token_id] = logits.logsumexp(-1) - 1.4
        return lifted

    handle = network.get_output_embeddings().register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


SAMPLED = [GenerationOptions(14 - 2 * n, temperature=(1.0, 0.7)[n % 2], top_p=0.95, seed=n) for n in range(4)]
EACH = [*SAMPLED, GenerationOptions(max_new_tokens=9)]
"""Options of five questions, the last of them greedy."""


@pytest.mark.parametrize("state", ["at", "before"])
def test_rows_with_options_of_their_own_point_as_alone(state):
    network, processor = toy_network(toy_tokenizer(), pointing={"dim": 16, "state": state})
    model = Model(network, processor, "toy")
    with pointing_often(network):
        alone = []
        for question, options in zip(toy_questions(), EACH, strict=True):
            model.clear_cache()
            alone.append(model.answer([question], **vars(options))[0])
        model.clear_cache()
        steps = [0, 2, 2, 5, 7]
        together = run(model.engine, list(zip(steps, toy_questions(), EACH, strict=True)))
    assert [answer.raw for answer in together] == [answer.raw for answer in alone]
    assert sum(len(answer.regions) for answer in alone) > 5
    for one, other in zip(together, alone, strict=True):
        assert_same_regions(one.regions, other.regions)


def test_rows_of_a_model_that_discards_keys_are_stepped_apart():
    """Sliding windows: rows cannot be merged, and are none the worse for it."""
    model = Model(*toy_network(toy_tokenizer(), text_config=WINDOWS), "toy")
    alone = [model.answer([q], **vars(own))[0].raw for q, own in zip(toy_questions(), EACH, strict=True)]
    arrivals = list(zip([0, 0, 3, 4, 4], toy_questions(), EACH, strict=True))
    assert [answer.raw for answer in run(model.engine, arrivals, [(0, 6)])][1:] == alone[1:]


def test_tokens_of_a_prompt_are_dropped_for_its_row_alone(bundled, mixed):
    dropping = GenerationOptions(max_new_tokens=8, drop_prompt_tokens=2)
    plain = GenerationOptions(max_new_tokens=12)
    alone = [bundled.answer([mixed[n]], **vars(own))[0].raw for n, own in ((0, plain), (1, dropping), (4, plain))]
    bundled.clear_cache()
    arrivals = [(0, mixed[0], plain), (1, mixed[1], dropping), (2, mixed[4], plain)]
    assert [answer.raw for answer in run(bundled.engine, arrivals)] == alone
    assert len(list(bundled.engine.cache.entries("prefix"))) == 2  # not of the one whose keys lack tokens


def test_a_question_about_a_signal_that_another_row_is_asked_about_reads_only_its_words(toy, lengths):  # noqa: F811
    model = Model(*toy, "toy")
    first, second = (question_sample(text, (open_signal(toy_image()),)) for text in ("What is it?", "Where?"))
    batch, options = model.engine.open_batch(), GenerationOptions(max_new_tokens=6)
    prompts = [model.engine.encode([question]) for question in (first, second)]
    batch.join(prompts[0], options)
    batch.step()
    assert not list(model.engine.cache.entries("prefix"))
    lengths.clear()
    batch.join(prompts[1], options)
    assert lengths == [len(prompts[1].keys[0]) - common_length(prompts[0].keys[0], prompts[1].keys[0])]
    assert lengths[0] < len(prompts[1].keys[0]) - model.processor.token_counts["image"]


def test_rows_that_leave_are_cached_as_if_they_had_been_alone(bundled, mixed):
    """Keys and values of a row that others joined and left, against those of the question alone."""
    kept = []
    for together in (True, False):
        bundled.clear_cache()
        batch, options = bundled.engine.open_batch(), GenerationOptions(max_new_tokens=9)
        if together:
            batch.join(bundled.engine.encode([mixed[4]]), GenerationOptions(max_new_tokens=2))
            batch.step()
        (row,) = batch.join(bundled.engine.encode([mixed[1]]), options)
        for number in range(5):
            batch.step()
            if together and number == 2:
                batch.join(bundled.engine.encode([mixed[7]]), options)
        batch.leave([row])
        kept.append(next(prefix for _, prefix in bundled.engine.cache.entries("prefix")))
    one, other = kept
    assert one.keys.tolist() == other.keys.tolist()
    assert len(one.keys) == len(bundled.engine.encode([mixed[1]]).keys[0]) + 5
    for some, others in zip(one.layers, other.layers, strict=True):
        for half, same in zip(some, others, strict=True):
            torch.testing.assert_close(half, same, atol=1e-4, rtol=1e-4)


def test_suppressed_ids_beyond_the_vocabulary_are_passed_over(toy):
    network, _ = toy
    never = (*range(7), -1, 10**6)
    criteria = StopCriteria(frozenset(), lambda ids: False, never, -1, "at")
    cache, embeds = open_cache(network.config.text_config), torch.zeros(1, 3, 32)
    batch = GenerationBatch(network, criteria, cache, embeds, None, GenerationOptions(max_new_tokens=1))
    assert batch.rows[0].state.ids[0] >= 7
    assert batch.rows[0].state.finish_reason == "length"
