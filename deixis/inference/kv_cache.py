"""The language model's KV cache with spare capacity: a step writes its tokens and copies nothing.

transformers' `DynamicLayer` appends by copying all keys and values, every step and layer; for a batch of short answers
that is as much work as attention itself. `PreallocatedLayer` allocates `SPARE` positions at a time, and rows may join
it and leave it, each at the cost of one row. Layers that discard (sliding windows, recurrent states) stay
transformers' own: their rows may leave, but none can join.

All rows end at the same position, the last; a shorter one is padded on its left, and its padding must be masked.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

SPARE = 64  # positions

Layers = list[tuple[Tensor, Tensor]]


class PreallocatedLayer(DynamicLayer):
    """Keys and values (row, head, position, dim) as a window into larger tensors."""

    buffers: tuple[Tensor, Tensor] | None = None
    start: int = 0  # of the window, in positions of the buffers; its rows are the first ones

    def update(
        self,
        key_states: Float[Tensor, "row head new dim"],
        value_states: Float[Tensor, "row head new value_dim"],
        *args,
        **kwargs,
    ) -> tuple[Tensor, Tensor]:
        """All keys and values, the new ones last."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, _, new, _ = key_states.shape
        before = self.get_seq_length()
        # Full: the only step in SPARE that copies what is held.
        if self.buffers is None or self.buffers[0].shape[-2] < self.start + before + new:
            self._allocate((key_states, value_states), rows, before, new + SPARE)
        end = self.start + before
        for buffer, states in zip(self.buffers or (), (key_states, value_states), strict=True):
            buffer[:rows, :, end : end + new] = states
        self._show(rows, before + new)
        return self._held

    def keep(self, order: Sequence[int], width: int) -> None:
        """Continues with these rows in this order, and with their last `width` positions."""
        moved = [(place, row) for place, row in enumerate(order) if place != row]
        if moved:
            places, rows = map(list, zip(*moved, strict=True))
            for half in self._held:
                half[places] = half[rows]
        self.start += self.get_seq_length() - width
        self._show(len(order), width)

    def append_rows(self, other: "PreallocatedLayer") -> None:
        """Adds the rows of another layer behind the own ones; the shorter ones are padded."""
        assert self.buffers is not None, "prompts were fed"
        held, new = self.get_seq_length(), other.get_seq_length()
        own, width = len(self._held[0]), max(held, new)
        rows = own + len(other._held[0])
        # A free row, and as many positions to the left: only the new row is written.
        if len(self.buffers[0]) < rows or self.start + held < width:
            self._allocate(self._held, rows, width, SPARE)
        end = self.start + held
        for buffer, half in zip(self.buffers, other._held, strict=True):
            buffer[own:rows, :, end - new : end] = half
        self.start = end - width
        self._show(rows, width)

    @property
    def _held(self) -> tuple[Tensor, Tensor]:
        assert self.keys is not None, "initialised before"
        assert self.values is not None, "initialised before"
        return self.keys, self.values

    def _allocate(self, like: tuple[Tensor, Tensor], rows: int, end: int, spare: int) -> None:
        """Larger buffers, in which the window ends at `end`.

        They are zero where nothing is held: padding is masked, but what is masked must be finite.
        """
        held = self.get_seq_length()
        buffers = []
        for states, half in zip(like, self._held, strict=True):
            buffer = states.new_zeros(rows, states.shape[1], end + spare, states.shape[-1])
            if held:  # else not even its dimensions are known
                buffer[: len(half), :, end - held : end] = half
            buffers.append(buffer)
        self.buffers, self.start = (buffers[0], buffers[1]), end - held

    def _show(self, rows: int, width: int) -> None:
        """Attention and transformers' own methods see a cache without spare capacity."""
        assert self.buffers is not None, "allocated before"
        self.keys, self.values = (buffer[:rows, :, self.start : self.start + width] for buffer in self.buffers)


def open_cache(config: PreTrainedConfig, layers: Sequence[tuple[Tensor, Tensor]] = ()) -> DynamicCache:
    """A cache for a language model of this configuration, filled with copies of `layers` (keys, values)."""
    cache = DynamicCache(config=config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        cache.layers = [PreallocatedLayer() for _ in cache.layers]
    for number, (keys, values) in enumerate(layers):
        cache.layers[number].update(keys, values)
    return cache


def keeps_all_positions(cache: DynamicCache) -> bool:
    """Whether every layer keeps all that it was fed, so that rows can join, and a beginning can be cut out."""
    return all(isinstance(layer, PreallocatedLayer) for layer in cache.layers)


def closed_up(count: int, gone: Sequence[int]) -> list[int]:
    """The rows that stay of `count`, each gap filled by the last of them, so that few have to be moved.

    >>> closed_up(5, [1, 3])
    [0, 4, 2]
    """
    order = list(range(count))
    for row in sorted(gone, reverse=True):
        last = order.pop()
        if row < len(order):
            order[row] = last
    return order


def keep_rows(cache: DynamicCache, order: Sequence[int], width: int) -> bool:
    """Continues with these rows in this order; True where they could be cut to their last `width` positions too."""
    if not keeps_all_positions(cache):
        cache.batch_select_indices(torch.tensor(order))
        return False
    for layer in _preallocated(cache):
        layer.keep(order, width)
    return True


def append_rows(cache: DynamicCache, other: DynamicCache) -> None:
    """Adds the rows of another cache behind the own ones; both must keep all positions."""
    for layer, own in zip(_preallocated(cache), _preallocated(other), strict=True):
        layer.append_rows(own)


def row_layers(cache: DynamicCache, row: int, length: int) -> Layers:
    """(keys, values) of every layer of one row, (1, head, position, dim) each: views of its last `length` positions."""
    halves = [layer._held for layer in _preallocated(cache)]
    return [(keys[row : row + 1, :, -length:], values[row : row + 1, :, -length:]) for keys, values in halves]


def _preallocated(cache: DynamicCache) -> list[PreallocatedLayer]:
    layers = [layer for layer in cache.layers if isinstance(layer, PreallocatedLayer)]
    assert len(layers) == len(cache.layers), "the caller checked that all positions are kept"
    return layers
