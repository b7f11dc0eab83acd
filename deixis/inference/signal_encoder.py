"""Signals as a model sees them, made once: prepared tensors, fields and language-model tokens, SAM's features.

A signal is known by the digest of its content, so that the same file has one entry however often and wherever it is
asked about. A batch of questions encodes only what is missing and is put together from the parts (`joined`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from deixis.inference.lru_cache import Kept, Key
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.fusion import Encoded, SignalBatch
from deixis.model.kinds import KINDS
from deixis.model.masks.mask_cells import Prepared
from deixis.model.processor import signal_tensors
from deixis.signals import Signal


@dataclass
class Sight:
    """One signal: its key, its preparation, and the encoder's result for it alone once it was asked for."""

    key: Key
    prepared: Prepared
    encoded: Encoded | None = None


class Eye:
    """Gives the `Sight` of signals, from what is kept or anew."""

    def __init__(self, network: DeixisForConditionalGeneration, processor: DeixisProcessor, kept: Kept):
        self.network, self.processor, self.kept = network, processor, kept

    def prepare(self, signal: Signal) -> Sight:
        """The signal prepared, not yet encoded if it is new. Raises ValueError for one that the model does not take."""
        key = self._key(signal)
        sight = self.kept.get(key)
        if sight is None:
            sight = Sight(key, self.processor.prepare(signal))
            self.kept.put(key, sight)
        return sight

    @torch.inference_mode()
    def encode(self, sights: Sequence[Sight]) -> None:
        """Fills in what is missing; signals of one kind and size go through the encoder together.

        Not where it looks from one signal at another (`encoder.attention` "batch"), for a signal is to look the same
        whoever is beside it.
        """
        apart = self.network.config.encoder.attention == "batch"
        groups: dict[tuple, dict[Key, Sight]] = {}
        for sight in sights:
            if sight.encoded is None:
                group = (sight.prepared.modality, sight.prepared.values.shape, *(sight.key if apart else ()))
                groups.setdefault(group, {}).setdefault(sight.key, sight)
        made: dict[Key, Encoded] = {}
        for group in groups.values():
            inputs = signal_tensors([[sight.prepared] for sight in group.values()])
            inputs = {name: value.to(self.network.device) for name, value in inputs.items()}
            whole = self.network.encode_inputs(inputs)
            assert whole is not None, "there are signals in a group"
            for row, sight in enumerate(group.values()):
                sight.encoded = made[sight.key] = part(whole, row) if len(group) > 1 else whole
                self.kept.put(sight.key, sight)
        for sight in sights:  # the same signal twice, prepared twice because nothing could be kept
            sight.encoded = sight.encoded or made[sight.key]

    @torch.inference_mode()
    def point(self, sight: Sight, states: Float[Tensor, "mask hidden"]) -> list[Float[Tensor, " cell"]]:
        """Mask logits of each state over the cells of the signal; what SAM makes of a picture is kept from then on."""
        encoded = sight.encoded
        assert encoded is not None, "a signal is encoded before anything is pointed at in it"
        pending = encoded.sam is not None and encoded.sam.features is None
        signal = torch.zeros(len(states), dtype=torch.int64, device=states.device)
        logits = self.network.point(encoded, states, signal)
        if pending and encoded.sam.features is not None:
            self.kept.put(sight.key, sight)  # again, because its size has changed
        return logits

    def _key(self, signal: Signal) -> Key:
        spec = repr(self.processor.spec(signal.modality)) if signal.modality in self.processor.specs else ""
        return "signal", signal.digest, spec, str(self.network.dtype), str(self.network.device)


def part(encoded: Encoded, row: int) -> Encoded:
    """One signal out of several of the same kind, in memory of its own."""
    batch = SignalBatch(encoded.batch.modality[:1], encoded.batch.sample[:1] * 0)
    names = [f.name for f in fields(encoded) if f.name != "batch"]
    return replace(encoded, batch=batch, **{name: _row(getattr(encoded, name), row) for name in names})


def joined(sights: Sequence[Sequence[Sight]]) -> Encoded | None:
    """All signals of a batch, for one list a row of the batch, without what SAM needs; None where there are none."""
    parts = [sight.encoded for own in sights for sight in own]
    if not parts:
        return None
    sample = [row for row, own in enumerate(sights) for _ in own]
    kind = torch.cat([p.batch.modality for p in parts])
    batch = SignalBatch(kind, torch.tensor(sample, device=kind.device))
    kinds = [k for k in KINDS if any(k in p.tokens for p in parts)]
    by_kind = {
        name: {k: _stacked([getattr(p, name)[k] for p in parts if k in p.tokens]) for k in kinds}
        for name in ("fields", "tokens")
    }
    return Encoded(batch, **by_kind)


def _row(value: Any, row: int) -> Any:
    """Row `row` of every tensor in a value."""
    if isinstance(value, Tensor):
        return value[row : row + 1].clone()
    if isinstance(value, tuple):
        return tuple(_row(item, row) for item in value)
    if isinstance(value, dict):
        return {key: _row(item, row) for key, item in value.items()}
    if is_dataclass(value):
        return replace(value, **{f.name: _row(getattr(value, f.name), row) for f in fields(value)})
    return value


def _stacked(values: Sequence[Any]) -> Any:
    """Values of one form, with their tensors stacked row under row."""
    first = values[0]
    if len(values) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.cat(list(values))
    if is_dataclass(first):
        own = {f.name: _stacked([getattr(value, f.name) for value in values]) for f in fields(first)}
        return replace(first, **own)
    return first
