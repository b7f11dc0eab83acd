"""`LRUCache`: never more bytes than allowed, the least recently used go first."""

import numpy as np
import pytest
import torch

from deixis.inference.lru_cache import LRUCache, byte_count
from deixis.model.fusion import Encoded, LazyFeatures, SignalBatch


def of_bytes(count):
    return np.zeros(count, np.uint8)


def test_a_limit_below_zero_is_refused():
    with pytest.raises(ValueError, match="cache_bytes: expected 0"):
        LRUCache(-1)


def test_the_least_recently_used_goes_first():
    kept = LRUCache(100)
    for name in "abc":
        kept.put((name,), of_bytes(30))
    assert kept.get(("a",)) is not None
    kept.put(("d",), of_bytes(30))
    assert [name for name in "abcd" if kept.get((name,)) is not None] == ["a", "c", "d"]
    assert kept.bytes == 90


@pytest.mark.parametrize(
    ("sizes", "left"),
    [
        pytest.param([101], [], id="larger_than_all"),
        pytest.param([40, 101], ["0"], id="larger_than_all_drives_nothing_out"),
        pytest.param([40, 100], ["1"], id="as_large_as_all"),
        pytest.param([0, 0, 100], ["0", "1", "2"], id="nothing_weighs_nothing"),
    ],
)
def test_no_more_is_kept_than_allowed(sizes, left):
    kept = LRUCache(100)
    for number, size in enumerate(sizes):
        kept.put((str(number),), of_bytes(size))
    assert [str(n) for n in range(len(sizes)) if kept.get((str(n),)) is not None] == left


def test_a_value_put_again_is_counted_anew():
    kept = LRUCache(100)
    kept.put(("a",), of_bytes(60))
    kept.put(("a",), of_bytes(90))
    assert (len(kept), kept.bytes) == (1, 90)
    kept.drop(("a",))
    kept.drop(("never",))
    assert (len(kept), kept.bytes) == (0, 0)


def test_what_begins_with_a_word_is_found_last_used_first():
    kept = LRUCache(100)
    for key in (("x", 1), ("y", 1), ("x", 2), ("x", 3)):
        kept.put(key, of_bytes(1))
    kept.get(("x", 1))
    assert [key for key, _ in kept.entries("x")] == [("x", 1), ("x", 3), ("x", 2)]
    kept.clear()
    assert (list(kept.entries("x")), kept.bytes) == ([], 0)


def test_all_arrays_in_a_value_are_counted():
    batch = SignalBatch(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    encoded = Encoded(batch, {}, {"image": torch.zeros(1, 2, 3)}, sam=LazyFeatures(torch.zeros(1, 3, 4, 4)))
    assert byte_count([encoded, (of_bytes(5), "words", None)]) == 8 + 8 + 24 + 192 + 5
