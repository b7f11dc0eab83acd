"""`LRUCache`: values by key within a limit of bytes; the least recently used are evicted first."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from deixis.errors import InputError

Key = tuple[Hashable, ...]


class LRUCache:
    """At most `max_bytes` of values; one that is larger by itself is not stored. Thread-safe."""

    def __init__(self, max_bytes: int):
        if max_bytes < 0:
            raise InputError(f"cache_bytes: expected 0 (cache nothing) or more, got {max_bytes}")
        self.max_bytes, self.bytes = max_bytes, 0
        self._values: OrderedDict[Key, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Any:
        """The value, which counts as used now; None where it is not (or no longer) stored."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Key, value: Any) -> None:
        """Stores the value as the one used last, replacing any under the same key; its bytes are counted now."""
        size = byte_count(value)
        with self._lock:
            # the old value goes even where the new one is too large, for it is no longer right
            self._remove(key)
            if size > self.max_bytes:
                return
            self._values[key] = value, size
            self.bytes += size
            while self.bytes > self.max_bytes:
                self._remove(next(iter(self._values)))

    def drop(self, key: Key) -> None:
        """Removes the value, if it is stored."""
        with self._lock:
            self._remove(key)

    def clear(self) -> None:
        """Removes everything."""
        with self._lock:
            self._values.clear()
            self.bytes = 0

    def entries(self, group: Hashable) -> Iterator[tuple[Key, Any]]:
        """Keys that begin with `group` and their values, the most recently used first; this does not count as use."""
        with self._lock:
            own = [(key, value) for key, (value, _) in reversed(self._values.items()) if key[0] == group]
        yield from own

    def _remove(self, key: Key) -> None:
        _, size = self._values.pop(key, (None, 0))
        self.bytes -= size


def byte_count(value: Any) -> int:
    """Bytes of all arrays and tensors in a value, through dataclasses, dicts, lists and tuples; nothing else counts."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return sum(byte_count(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return 0
    return sum(map(byte_count, value))
