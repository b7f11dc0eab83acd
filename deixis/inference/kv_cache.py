"""The language model's KV cache with spare capacity: a step writes its token and copies nothing.

transformers' `DynamicLayer` appends by copying all keys and values, every step and layer; for a batch of short answers
that is as much work as attention itself. `PreallocatedLayer` allocates `SPARE` positions at a time. Layers that discard
(sliding windows, recurrent states) stay transformers' own.
"""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

SPARE = 64  # positions

Layers = list[tuple[Tensor, Tensor]]


class PreallocatedLayer(DynamicLayer):
    """Keys and values (batch, head, position, dim) at the beginning of larger tensors."""

    buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self,
        key_states: Float[Tensor, "batch head new dim"],
        value_states: Float[Tensor, "batch head new value_dim"],
        *args,
        **kwargs,
    ) -> tuple[Tensor, Tensor]:
        """All keys and values, the new ones last."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        # Full: the only step in SPARE that copies what is held.
        if self.buffers is None or self.buffers[0].shape[-2] < after:
            self.buffers = (
                _with_spare(self.keys, key_states, before, after),
                _with_spare(self.values, value_states, before, after),
            )
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[..., before:after, :] = new
        # Views of the used beginning: attention and transformers' own methods see a cache without spare capacity.
        self.keys, self.values = (buffer[..., :after, :] for buffer in self.buffers)
        return self.keys, self.values

    def select(self, rows: Int[Tensor, " row"], first: int) -> None:
        """Continues with these rows, from position `first` on."""
        self.keys, self.values = (half[rows, :, first:] for half in (self.keys, self.values))
        self.buffers = None  # they hold the old rows; the next update makes new ones around the selection


def _with_spare(held: Tensor | None, new: Tensor, before: int, after: int) -> Tensor:
    """A tensor for `after` positions and `SPARE` more, the `before` that are held at its beginning."""
    buffer = new.new_empty(*new.shape[:2], after + SPARE, new.shape[-1])
    if held is not None and before:
        buffer[..., :before, :] = held
    return buffer


def open_cache(config: PreTrainedConfig, layers: Sequence[tuple[Tensor, Tensor]] = ()) -> DynamicCache:
    """A cache for a language model of this configuration, filled with copies of `layers` (keys, values)."""
    cache = DynamicCache(config=config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        cache.layers = [PreallocatedLayer() for _ in cache.layers]
    for number, (keys, values) in enumerate(layers):
        cache.layers[number].update(keys, values)
    return cache


def keeps_all_positions(cache: DynamicCache) -> bool:
    """Whether every layer keeps all that it was fed, so that a beginning can be cut out and reused."""
    return all(isinstance(layer, PreallocatedLayer) for layer in cache.layers)


def select_rows(cache: DynamicCache, rows: Int[Tensor, " row"], first: int) -> bool:
    """Continues with these rows of the batch; True where positions before `first` could be cut off too."""
    if not keeps_all_positions(cache):
        cache.batch_select_indices(rows)
        return False
    for layer in cache.layers:
        assert isinstance(layer, PreallocatedLayer)
        layer.select(rows, first)
    return True


def copied_layers(cache: DynamicCache) -> Layers:
    """Copies of (keys, values) of every layer, without spare capacity."""
    return [(layer.keys.clone(), layer.values.clone()) for layer in cache.layers]
