"""Encoded signals, computed once: prepared tensors, feature fields, language-model tokens, SAM's features.

Signals are cached by the digest of their content, the preprocessing and the dtype, so the same file has one entry
however often and under whatever name it is asked about. A batch of questions encodes only what is missing and is joined
from the parts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from deixis.inference.lru_cache import Key, LRUCache
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.fusion import Encoded, SignalBatch
from deixis.model.prepared import Prepared, signal_tensors, to_device
from deixis.signals import Signal


@dataclass
class EncodedSignal:
    """One signal: its cache key, its preparation, and the encoder's result for it alone once it was encoded."""

    key: Key
    prepared: Prepared
    encoded: Encoded | None = None


class SignalEncoder:
    """Prepares and encodes signals, through an LRU cache."""

    def __init__(self, network: DeixisForConditionalGeneration, processor: DeixisProcessor, cache: LRUCache):
        self.network, self.processor, self.cache = network, processor, cache

    def prepare(self, signal: Signal) -> EncodedSignal:
        """The signal prepared, not yet encoded if new. Raises InputError for a modality the model does not take."""
        key = self._key(signal)
        found = self.cache.get(key)
        if found is None:
            found = EncodedSignal(key, self.processor.prepare(signal))
            self.cache.put(key, found)
        return found

    @torch.inference_mode()
    def encode(self, signals: Sequence[EncodedSignal]) -> None:
        """Encodes those that are not yet; signals of one modality and size go through the encoder together.

        Not where attention goes over the batch (`encoder.attention` "batch"): a signal's features must not depend on
        the signals beside it.
        """
        apart = self.network.config.encoder.attention == "batch"
        groups: dict[tuple, dict[Key, EncodedSignal]] = {}
        for signal in signals:
            if signal.encoded is None:
                group = (signal.prepared.modality, signal.prepared.values.shape, *(signal.key if apart else ()))
                groups.setdefault(group, {}).setdefault(signal.key, signal)
        made: dict[Key, Encoded] = {}
        for group in groups.values():
            inputs = signal_tensors([[signal.prepared] for signal in group.values()])
            inputs = to_device(inputs, self.network.device)
            # several signals go through the encoder at once, and are taken apart so that each has its own entry
            whole = self.network.encode_inputs(inputs)
            assert whole is not None, "there are signals in a group"
            for row, signal in enumerate(group.values()):
                signal.encoded = made[signal.key] = part(whole, row) if len(group) > 1 else whole
                self.cache.put(signal.key, signal)
        for signal in signals:  # the same signal twice, prepared twice because nothing could be cached
            signal.encoded = signal.encoded or made[signal.key]

    @torch.inference_mode()
    def point(self, signal: EncodedSignal, states: Float[Tensor, "mask hidden"]) -> list[Float[Tensor, " cell"]]:
        """Mask logits of each state over the cells of the signal; SAM's features are cached from then on."""
        encoded = signal.encoded
        assert encoded is not None, "encode comes before point"
        pending = encoded.sam is not None and encoded.sam.features is None
        index = torch.zeros(len(states), dtype=torch.int64, device=states.device)
        logits = self.network.point(encoded, states, index)
        if pending and encoded.sam.features is not None:
            self.cache.put(signal.key, signal)  # again, because its size has changed
        return logits

    def _key(self, signal: Signal) -> Key:
        spec = repr(self.processor.spec(signal.modality)) if signal.modality in self.processor.specs else ""
        return "signal", signal.digest, spec, str(self.network.dtype), str(self.network.device)


def part(encoded: Encoded, row: int) -> Encoded:
    """One signal out of several of the same modality, in memory of its own."""
    own = _mapped(lambda tensors: tensors[0][row : row + 1].clone(), encoded)  # a view would keep the whole batch alive
    return replace(own, batch=SignalBatch(own.batch.modality, own.batch.sample * 0))


def joined(signals: Sequence[Sequence[EncodedSignal]]) -> Encoded | None:
    """All signals of a batch, from one list per row, without SAM's inputs; None where there are none."""
    parts = [signal.encoded for own in signals for signal in own]
    if not parts:
        return None
    sample = [row for row, own in enumerate(signals) for _ in own]
    modality = torch.cat([p.batch.modality for p in parts])
    batch = SignalBatch(modality, torch.tensor(sample, device=modality.device))
    names = dict.fromkeys(batch.names)
    by_modality = {
        name: {own: _mapped(_concatenated, *[getattr(p, name)[own] for p in parts if own in p.tokens]) for own in names}
        for name in ("fields", "tokens")
    }
    return Encoded(batch, **by_modality)


def _concatenated(tensors: list[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)  # most questions have one signal: nothing is copied


def _mapped(function: Callable[[list[Tensor]], Tensor], *values: Any) -> Any:
    """One value of the structure that all `values` have, each tensor `function` of theirs; the rest is the first's."""
    first = values[0]
    if isinstance(first, Tensor):
        return function(list(values))
    if isinstance(first, tuple):
        return tuple(_mapped(function, *own) for own in zip(*values, strict=True))
    if isinstance(first, dict):
        return {key: _mapped(function, *[value[key] for value in values]) for key in first}
    if is_dataclass(first):
        own = {f.name: _mapped(function, *[getattr(value, f.name) for value in values]) for f in fields(first)}
        return replace(first, **own)
    return first
