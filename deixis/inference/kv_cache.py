"""The language model's cache of keys and values, with room to grow: a step writes its token and copies nothing.

transformers' `DynamicLayer` puts what is new behind what is there by copying both, every step and layer; for a batch
of short answers that is as much work as attention itself. `RoomyLayer` takes memory ahead, `ROOM` positions at a time.
Layers that forget (sliding windows, recurrent states) stay transformers' own.
"""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

ROOM = 64

Layers = list[tuple[Tensor, Tensor]]


class RoomyLayer(DynamicLayer):
    """Keys and values (batch, head, position, dim) at the beginning of larger tensors."""

    room: tuple[Tensor, Tensor] | None = None

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
        if self.room is None or self.room[0].shape[-2] < after:
            self.room = _roomy(self.keys, key_states, before, after), _roomy(self.values, value_states, before, after)
        for place, new in zip(self.room, (key_states, value_states), strict=True):
            place[..., before:after, :] = new
        self.keys, self.values = (place[..., :after, :] for place in self.room)
        return self.keys, self.values

    def select(self, rows: Int[Tensor, " row"], first: int) -> None:
        """Goes on with these rows, from position `first` on."""
        self.keys, self.values = (half[rows, :, first:] for half in (self.keys, self.values))
        self.room = None


def _roomy(held: Tensor | None, new: Tensor, before: int, after: int) -> Tensor:
    """A tensor for `after` positions and more, with the `before` that are held at its beginning."""
    room = new.new_empty(*new.shape[:2], after + ROOM, new.shape[-1])
    if held is not None and before:
        room[..., :before, :] = held
    return room


def open_cache(config: PreTrainedConfig, layers: Sequence[tuple[Tensor, Tensor]] = ()) -> DynamicCache:
    """A cache for a language model of this configuration, holding `layers` (keys, values); they are not written to."""
    cache = DynamicCache(config=config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        cache.layers = [RoomyLayer() for _ in cache.layers]
    for number, (keys, values) in enumerate(layers):
        cache.layers[number].update(keys, values)
    return cache


def can_be_cut(cache: DynamicCache) -> bool:
    """Whether every layer keeps all that it was fed."""
    return all(isinstance(layer, RoomyLayer) for layer in cache.layers)


def select_rows(cache: DynamicCache, rows: Int[Tensor, " row"], first: int) -> bool:
    """Goes on with these rows of the batch; from position `first` on where that can be, which is the result."""
    if not can_be_cut(cache):
        cache.batch_select_indices(rows)
        return False
    for layer in cache.layers:
        assert isinstance(layer, RoomyLayer)
        layer.select(rows, first)
    return True


def held(cache: DynamicCache) -> Layers:
    """Copies of (keys, values) of every layer, with no room."""
    return [(layer.keys.clone(), layer.values.clone()) for layer in cache.layers]
