"""Prefix cache: keys and values of a conversation's beginning, so that the next question feeds only what is new.

Two prompts share a prefix as far as their tokens are equal and their placeholders stand for the same signals and the
same regions of them. `token_keys` expresses that as one number per token, so that the common prefix is found by
comparing two arrays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from transformers import PreTrainedConfig

from deixis.inference.kv_cache import Layers, keeps_all_positions, open_cache
from deixis.inference.lru_cache import LRUCache

Keys = Int64[np.ndarray, "_"]  # of any length: rows differ


@dataclass
class CachedPrefix:
    """Keys of the tokens that were fed, and (keys, values) of every layer, (1, head, position, dim) each."""

    keys: Keys
    layers: Layers


def token_keys(
    ids: Sequence[int],
    signals: Sequence[tuple[int, int, bytes]],
    regions: Sequence[bytes],
    region_token_id: int,
) -> Keys:
    """One number per token: its id, or the negative digest of what a placeholder stands for.

    signals: (placeholder token, number of them, content) of each signal in order. regions: the content that each region
    token stands for, in order.
    """
    keys = np.asarray(ids, dtype=np.int64).copy()
    tokens = keys.copy()
    at: dict[int, int] = {}
    for token, count, content in signals:
        places = np.flatnonzero(tokens == token)[at.get(token, 0) : at.get(token, 0) + count]
        keys[places] = _negative_digest(content)
        at[token] = at.get(token, 0) + count
    for place, content in zip(np.flatnonzero(tokens == region_token_id), regions, strict=True):
        keys[place] = _negative_digest(content)
    return keys


def common_length(one: Keys, other: Keys) -> int:
    """The length of the common prefix of two rows of keys."""
    count = min(len(one), len(other))
    different = np.flatnonzero(one[:count] != other[:count])
    return int(different[0]) if len(different) else count


class PrefixCache:
    """Finds and stores prefixes of one network in an LRU cache.

    config: of its language model. is_possible: whether that keeps all keys and values, so that they can be cut out.
    """

    def __init__(self, config: PreTrainedConfig, cache: LRUCache):
        self.config, self.cache = config, cache
        self.is_possible = keeps_all_positions(open_cache(config))

    def find(self, keys: Keys, place: tuple[str, str]) -> tuple[Layers, int]:
        """The longest stored prefix of `keys` without its last token (one must be left to feed), and its length.

        place: dtype and device that the tensors must have. Views of what is stored; an empty list where nothing is.
        """
        best, length = None, 0
        longest = len(keys) - 1  # logits come from feeding a token
        for name, prefix in self.cache.entries("prefix"):
            # most prefixes are of other signals: one comparison tells that they are not longer
            if name[1:3] == place and _equal_at(prefix.keys, keys, length) and length < longest:
                shared = min(common_length(prefix.keys, keys), longest)
                if shared > length:
                    best, length = name, shared
        # `get` marks it as used, and gives nothing where another thread has evicted it meanwhile
        prefix = None if best is None else self.cache.get(best)
        return ([], 0) if prefix is None else (beginning(prefix.layers, length), length)

    def store(self, keys: Keys, layers: Layers, place: tuple[str, str]) -> None:
        """Stores copies of the keys and values of these tokens, replacing stored prefixes of them."""
        # a conversation grows turn by turn: its shorter prefixes are worth nothing beside the longer one
        for name, prefix in self.cache.entries("prefix"):
            own = len(prefix.keys)
            if name[1:3] == place and _equal_at(prefix.keys, keys, own - 1) and common_length(prefix.keys, keys) == own:
                self.cache.drop(name)
        copies = [(own_keys.clone(), values.clone()) for own_keys, values in layers]
        self.cache.put(("prefix", *place, keys.tobytes()), CachedPrefix(keys, copies))


def beginning(layers: Layers, length: int) -> Layers:
    """Views of the first `length` positions."""
    return [(keys[..., :length, :], values[..., :length, :]) for keys, values in layers]


def _equal_at(one: Keys, other: Keys, place: int) -> bool:
    return place < len(one) and place < len(other) and bool(one[place] == other[place])


def region_contents(inputs: Mapping[str, Tensor], signals: Sequence[bytes]) -> list[bytes]:
    """The content of each region of a batch as bytes: its rows of all inputs called region_*, and its signal."""
    which = inputs.get("region_signal")
    if which is None:
        return []
    names = sorted(name for name in inputs if name.startswith("region_") and name != "region_signal")
    tables = [inputs[name].cpu().contiguous() for name in names]
    own = [b"".join(table[i].numpy().tobytes() for table in tables) for i in range(len(which))]
    return [signals[int(signal)] + points for signal, points in zip(which, own, strict=True)]


def _negative_digest(content: bytes) -> int:
    """A negative number from a 63-bit digest of the content; token ids are never negative, so they cannot collide."""
    return -1 - (int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 1)


def place_of(tensor: torch.nn.Module) -> tuple[str, str]:
    """Dtype and device, as text."""
    return str(tensor.dtype), str(tensor.device)
