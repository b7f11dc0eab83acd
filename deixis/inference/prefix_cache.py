"""The language model's memory of a conversation's beginning, kept so that the next question reads only what is new.

Two prompts share a beginning where their tokens are equal and what stands in their placeholders is: the same signals,
the same regions in them. `row_keys` writes that down as one number a token, so that a common beginning is found by
comparing two rows of numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig

from deixis.inference.kv_cache import Layers, can_be_cut, held, open_cache
from deixis.inference.lru_cache import Kept

Keys = Int64[np.ndarray, "_"]  # of any length: rows differ


@dataclass
class Prefix:
    """Keys of the tokens that were fed, and (keys, values) of every layer, (1, head, position, dim) each."""

    keys: Keys
    layers: Layers


def row_keys(
    ids: Sequence[int],
    signals: Sequence[tuple[int, int, bytes]],
    regions: Sequence[bytes],
    region_token_id: int,
) -> Keys:
    """One number a token: its id, or below zero a digest of what the placeholder stands for.

    signals: (placeholder token, how many of them, what it is) of each signal in order. regions: what each region
    token stands for, in order.
    """
    keys = np.asarray(ids, dtype=np.int64).copy()
    tokens = keys.copy()
    at: dict[int, int] = {}
    for token, count, content in signals:
        places = np.flatnonzero(tokens == token)[at.get(token, 0) : at.get(token, 0) + count]
        keys[places] = _number(content)
        at[token] = at.get(token, 0) + count
    for place, content in zip(np.flatnonzero(tokens == region_token_id), regions, strict=True):
        keys[place] = _number(content)
    return keys


def common_length(one: Keys, other: Keys) -> int:
    """How many tokens two rows of keys have in common from the beginning."""
    count = min(len(one), len(other))
    different = np.flatnonzero(one[:count] != other[:count])
    return int(different[0]) if len(different) else count


class Prefixes:
    """Finds and keeps prefixes of one network, in `kept`."""

    def __init__(self, config: PreTrainedConfig, kept: Kept):
        self.config, self.kept = config, kept

    def start(self, keys: Keys, place: tuple[str, str]) -> DynamicCache:
        """A cache that holds the longest known beginning of `keys`, without its last token (there must be one to feed).

        place: dtype and device that the tensors must have.
        """
        empty = open_cache(self.config)
        best, length = None, 0
        if can_be_cut(empty):
            for name, prefix in self.kept.of("prefix"):
                shared = min(common_length(prefix.keys, keys), len(keys) - 1)
                if name[1:3] == place and shared > length:
                    best, length = name, shared
        prefix = None if best is None else self.kept.get(best)
        if prefix is None:
            return empty
        beginnings = [(keys[..., :length, :], values[..., :length, :]) for keys, values in prefix.layers]
        return open_cache(self.config, beginnings)

    def keep(self, keys: Keys, cache: DynamicCache, place: tuple[str, str]) -> None:
        """Keeps a cache that holds the beginning of `keys`, in the place of those that are a beginning of it."""
        length = cache.get_seq_length()
        if not length or not can_be_cut(cache):
            return
        keys = keys[:length]
        for name, prefix in self.kept.of("prefix"):
            if name[1:3] == place and common_length(prefix.keys, keys) == len(prefix.keys):
                self.kept.drop(name)
        self.kept.put(("prefix", *place, keys.tobytes()), Prefix(keys, held(cache)))


def region_contents(inputs: Mapping[str, Tensor], signals: Sequence[bytes]) -> list[bytes]:
    """What each region of a batch is: its numbers in all inputs called region_*, and the signal that it lies on."""
    which = inputs.get("region_signal")
    if which is None:
        return []
    names = sorted(name for name in inputs if name.startswith("region_") and name != "region_signal")
    tables = [inputs[name].cpu().contiguous() for name in names]
    own = [b"".join(table[i].numpy().tobytes() for table in tables) for i in range(len(which))]
    return [signals[int(signal)] + points for signal, points in zip(which, own, strict=True)]


def _number(content: bytes) -> int:
    """A number below zero that no other content has, as far as 63 bits go."""
    return -1 - (int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 1)


def place_of(tensor: torch.nn.Module) -> tuple[str, str]:
    """Dtype and device, as words."""
    return str(tensor.dtype), str(tensor.device)
