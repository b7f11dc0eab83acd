"""The preallocated cache: it holds what transformers' own holds, while it grows and rows join, leave and are cut."""

import numpy as np
import pytest
import torch
from transformers import DynamicCache, LlamaConfig, MistralConfig

from deixis.inference.kv_cache import (
    SPARE,
    append_rows,
    closed_up,
    keep_rows,
    keeps_all_positions,
    open_cache,
    row_layers,
)

LLAMA = LlamaConfig(num_hidden_layers=2, hidden_size=8, num_attention_heads=2)
WINDOWS = MistralConfig(num_hidden_layers=2, hidden_size=8, num_attention_heads=2, sliding_window=4)


def some(positions, rows=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, 2, positions, 4, generator=generator) for _ in range(2)]


def feed(cache, steps, rows=3):
    """Feeds `steps` (numbers of positions) to both layers; what the last update of each gave."""
    for number, positions in enumerate(steps):
        given = [cache.update(*some(positions, rows, 10 * number + layer), layer) for layer in (0, 1)]
    return given


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([1], id="one"),
        pytest.param([5, 1, 1], id="prompt_and_steps"),
        pytest.param([5, *[1] * (2 * SPARE + 3)], id="beyond_its_room_twice"),
        pytest.param([3, 2 * SPARE, 1], id="more_than_its_room_at_once"),
    ],
)
def test_it_holds_what_the_plain_cache_holds(steps):
    for (keys, values), (plain_keys, plain_values) in zip(
        feed(open_cache(LLAMA), steps), feed(DynamicCache(config=LLAMA), steps), strict=True
    ):
        assert torch.equal(keys, plain_keys)
        assert torch.equal(values, plain_values)


def test_rows_leave_and_common_padding_is_cut():
    ours, plain = open_cache(LLAMA), DynamicCache(config=LLAMA)
    for cache in (ours, plain):
        feed(cache, [6, 1])
    assert keep_rows(ours, [2, 1], 5)
    plain.batch_select_indices(torch.tensor([2, 1]))
    assert ours.get_seq_length() == 5
    for (keys, _), (plain_keys, _) in zip(feed(ours, [1], rows=2), feed(plain, [1], rows=2), strict=True):
        assert torch.equal(keys, plain_keys[..., 2:, :])


@pytest.mark.parametrize(
    ("count", "gone", "order"),
    [
        pytest.param(4, [], [0, 1, 2, 3], id="none"),
        pytest.param(4, [3], [0, 1, 2], id="the_last"),
        pytest.param(4, [0], [3, 1, 2], id="the_first"),
        pytest.param(5, [1, 4], [0, 3, 2], id="the_last_among_them"),
        pytest.param(3, [0, 1, 2], [], id="all"),
    ],
)
def test_gaps_are_filled_from_the_end(count, gone, order):
    assert closed_up(count, gone) == order


@pytest.mark.parametrize("seed", range(6))
def test_any_rows_may_join_and_leave(seed):
    """At every moment, each row's positions are those of a cache which this row alone was fed to."""
    generator = np.random.default_rng(seed)
    cache, alone = None, []
    for step in range(60):
        if alone and generator.random() < 0.3:
            gone = np.flatnonzero(generator.random(len(alone)) < 0.5).tolist()
            order = closed_up(len(alone), gone)
            alone = [alone[row] for row in order]
            if alone:
                assert keep_rows(cache, order, max(own.get_seq_length() for own in alone))
        if not alone or generator.random() < 0.4:
            new, same = open_cache(LLAMA), open_cache(LLAMA)
            length = int(generator.integers(1, 2 * SPARE))
            for own in (new, same):
                feed(own, [length], rows=1)
            if alone:
                append_rows(cache, new)
            else:
                cache = new
            alone.append(same)
        for layer in (0, 1):
            tokens = some(1, len(alone), 1000 + 10 * step + layer)
            cache.update(*tokens, layer)
            for row, own in enumerate(alone):
                own.update(*(half[row : row + 1] for half in tokens), layer)
        assert cache.get_seq_length() == max(own.get_seq_length() for own in alone)
        for row, own in enumerate(alone):
            length = own.get_seq_length()
            for ours, theirs in zip(row_layers(cache, row, length), own.layers, strict=True):
                assert torch.equal(ours[0], theirs.keys)
                assert torch.equal(ours[1], theirs.values)
        assert all(half.isfinite().all() for layer in cache.layers for half in (layer.keys, layer.values))


def test_a_beginning_that_is_given_is_not_written_to():
    beginning = [tuple(some(9, 1, layer)) for layer in (0, 1)]
    kept = [(keys.clone(), values.clone()) for keys, values in beginning]
    cache = open_cache(LLAMA, [(keys[..., :4, :], values[..., :4, :]) for keys, values in beginning])
    feed(cache, [3], rows=1)
    assert cache.get_seq_length() == 7
    for (keys, values), (before, others), (first, _) in zip(beginning, kept, row_layers(cache, 0, 7), strict=True):
        assert torch.equal(keys, before)
        assert torch.equal(values, others)
        assert torch.equal(first[..., :4, :], before[..., :4, :])


def test_layers_that_forget_stay_transformers_own():
    cache = open_cache(WINDOWS)
    assert not keeps_all_positions(cache)
    feed(cache, [6])
    assert not keep_rows(cache, [1], 2)
    assert cache.layers[0].keys.shape[0] == 1
