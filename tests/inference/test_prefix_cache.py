"""Prefix cache: equal prefixes are found, others never, and answers are the same with and without it."""

import numpy as np
import pytest
import torch

from deixis.conversation import question_sample
from deixis.geometry import Box, Point
from deixis.inference import GenerationOptions, Model
from deixis.inference.prefix_cache import common_length, token_keys
from deixis.signals import open_signal
from tests.toy import toy_audio, toy_image

IMAGE, REGION = 5, 3


def keys(ids, signals=(), regions=()):
    return token_keys(ids, signals, regions, REGION)


ROW = keys([1, IMAGE, IMAGE, 9, REGION, 8], [(IMAGE, 2, b"a")], [b"p"])


@pytest.mark.parametrize(
    ("other", "length"),
    [
        pytest.param(keys([]), 0, id="nothing"),
        pytest.param(ROW, 6, id="the_same"),
        pytest.param(ROW[:4], 4, id="shorter"),
        pytest.param(keys([1, IMAGE, IMAGE, 9, 8, 7], [(IMAGE, 2, b"a")]), 4, id="other_words"),
        pytest.param(keys([1, IMAGE, IMAGE, 9, REGION, 8], [(IMAGE, 2, b"b")], [b"p"]), 1, id="another_signal"),
        pytest.param(keys([1, IMAGE, IMAGE, 9, REGION, 8], [(IMAGE, 2, b"a")], [b"q"]), 4, id="another_region"),
        pytest.param(
            keys([1, IMAGE, IMAGE, 9, REGION, 8], [(IMAGE, 1, b"a"), (IMAGE, 1, b"b")], [b"p"]), 2, id="two_signals"
        ),
    ],
)
def test_a_common_beginning(other, length):
    assert common_length(ROW, other) == common_length(other, ROW) == length


def test_a_placeholder_is_never_mistaken_for_a_token():
    assert (ROW[[1, 2, 4]] < 0).all()
    assert (ROW[[0, 3, 5]] >= 0).all()


@pytest.fixture
def model(toy):
    return Model(*toy, "toy")


@pytest.fixture
def lengths(toy):
    """How many tokens are fed to the language model, call by call."""
    seen = []
    hook = (
        toy[0]
        .language_model.get_decoder()
        .register_forward_pre_hook(
            lambda _, args, kwargs: seen.append(kwargs["inputs_embeds"].shape[1]), with_kwargs=True
        )
    )
    yield seen
    hook.remove()


def prompt_length(model, question, signals, regions=(), earlier=None):
    asked = question_sample(question, tuple(map(open_signal, signals)), tuple(regions), earlier)
    return model.engine.encode([asked]).ids.shape[1]


def test_the_second_question_about_a_file_reads_only_its_words(model, lengths):
    whole = prompt_length(model, "Where is the mug?", [toy_image()])
    signal = model.processor.token_counts["image"] + 1  # and the beginning of the text
    model.ask("What is it?", toy_image(), max_new_tokens=3)
    lengths.clear()
    model.ask("Where is the mug?", toy_image(), max_new_tokens=3)
    assert lengths[0] <= whole - signal
    assert set(lengths[1:]) == {1}


def test_a_chat_feeds_no_turn_twice(model, lengths):
    chat = model.chat(toy_image(), toy_audio())
    first = prompt_length(model, "What is {0}?", [toy_image(), toy_audio()], [Point(5, 5)])
    chat.ask("What is {0}?", [Point(5, 5)], max_new_tokens=6)
    second = prompt_length(model, "What colour is it?", [toy_image(), toy_audio()], earlier=chat.sample)
    lengths.clear()
    chat.ask("What colour is it?", max_new_tokens=6)
    assert lengths[0] <= second - first


@pytest.mark.parametrize(
    ("before", "signals", "regions"),
    [
        pytest.param([], toy_image(), [Box(1, 2, 20, 20)], id="no_region_before"),
        pytest.param([Box(1, 2, 20, 20)], toy_image(), [Box(9, 2, 20, 20)], id="another_region_before"),
        pytest.param([Box(1, 2, 20, 20)], toy_image(seed=4), [Box(1, 2, 20, 20)], id="another_picture"),
        pytest.param([Box(1, 2, 20, 20)], toy_image(), [Box(1, 2, 20, 20)], id="the_same_again"),
    ],
)
def test_what_was_read_before_changes_no_answer(toy, before, signals, regions):
    alone = Model(*toy, "toy").ask("Where?", signals, regions=regions, max_new_tokens=12)
    model = Model(*toy, "toy")
    model.ask("Where?", toy_image(), regions=before, max_new_tokens=12)
    assert model.ask("Where?", signals, regions=regions, max_new_tokens=12).raw == alone.raw


def test_chats_do_not_mix(toy):
    model = Model(*toy, "toy")
    turns = ["What is it?", "Where?", "How many?"]
    apart = []
    for seed in (0, 1):
        chat = Model(*toy, "toy", cache_bytes=0).chat(toy_image(seed=seed))
        apart.append([chat.ask(turn, max_new_tokens=8).raw for turn in turns])
    chats = [model.chat(toy_image(seed=seed)) for seed in (0, 1)]
    for turn in turns:
        for chat in chats:
            chat.ask(turn, max_new_tokens=8)
    assert [[answer.raw for answer in chat.answers] for chat in chats] == apart


def test_a_prefix_that_a_longer_one_begins_with_is_dropped(model):
    chat = model.chat(toy_image())
    for turn in ("What is it?", "Where?", "How many?"):
        chat.ask(turn, max_new_tokens=4)
    prefixes = [prefix for _, prefix in model.engine.cache.entries("prefix")]
    assert all(
        common_length(one.keys, other.keys) < len(one.keys)
        for one in prefixes
        for other in prefixes
        if one is not other
    )
    assert all(half.shape[-2] == len(prefix.keys) for prefix in prefixes for both in prefix.layers for half in both)


def test_what_was_read_is_what_would_be_read_again(bundled, mixed):
    """Keys and values of a second question whose prefix was cached by the first, compared with those of it alone."""
    bundled.clear_cache()
    bundled.answer([mixed[0]])
    caches = []
    for cleared in (False, True):
        if cleared:
            bundled.clear_cache()
        prompts = bundled.engine.encode([mixed[1]])
        for _ in bundled.engine.generate(prompts, GenerationOptions(max_new_tokens=4)):
            pass
        caches.append(next(prefix for _, prefix in bundled.engine.cache.entries("prefix")))
    assert np.array_equal(caches[0].keys, caches[1].keys)
    for one, other in zip(caches[0].layers, caches[1].layers, strict=True):
        for half, whole in zip(one, other, strict=True):
            torch.testing.assert_close(half, whole, atol=1e-4, rtol=1e-4)
