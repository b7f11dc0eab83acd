"""The cache with room: what it holds is what transformers' own holds, through growing, selecting and cutting."""

import pytest
import torch
from transformers import DynamicCache, LlamaConfig, MistralConfig

from deixis.inference.kv_cache import SPARE, copied_layers, keeps_all_positions, open_cache, select_rows

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


def test_rows_are_selected_and_common_padding_cut():
    ours, plain = open_cache(LLAMA), DynamicCache(config=LLAMA)
    for cache in (ours, plain):
        feed(cache, [6, 1])
    rows = torch.tensor([0, 2])
    assert select_rows(ours, rows, 2)
    plain.batch_select_indices(rows)
    assert ours.get_seq_length() == 5
    for (keys, _), (plain_keys, _) in zip(feed(ours, [1], rows=2), feed(plain, [1], rows=2), strict=True):
        assert torch.equal(keys, plain_keys[..., 2:, :])


def test_a_beginning_that_is_given_is_not_written_to():
    beginning = [tuple(some(9, 1, layer)) for layer in (0, 1)]
    kept = [(keys.clone(), values.clone()) for keys, values in beginning]
    cache = open_cache(LLAMA, [(keys[..., :4, :], values[..., :4, :]) for keys, values in beginning])
    feed(cache, [3], rows=1)
    assert cache.get_seq_length() == 7
    for (keys, values), (before, others), (first, _) in zip(beginning, kept, copied_layers(cache), strict=True):
        assert torch.equal(keys, before)
        assert torch.equal(values, others)
        assert torch.equal(first[..., :4, :], before[..., :4, :])
        assert first.is_contiguous()


def test_layers_that_forget_stay_transformers_own():
    cache = open_cache(WINDOWS)
    assert not keeps_all_positions(cache)
    feed(cache, [6])
    assert not select_rows(cache, torch.tensor([1]), 2)
    assert cache.layers[0].keys.shape[0] == 1
