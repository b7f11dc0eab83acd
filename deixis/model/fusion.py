"""Fusion of signals, regions and text: embeddings are placed by token positions and nothing else.

`SignalBatch` lists the signals of a batch and their samples; `place` puts rows into placeholder positions after
counting both, sample by sample, because a surplus row would otherwise land in the next sample silently.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.model.encoder.field import Field
from deixis.signals import MODALITIES


@dataclass
class SignalBatch:
    """The signals of a batch in the order of their placeholders, row by row of the batch.

    modality: (signal,) index into the names of `MODALITIES`. sample: (signal,) the row of the batch that a signal
    belongs to, never decreasing.
    """

    modality: Int[Tensor, " signal"]
    sample: Int[Tensor, " signal"]

    @property
    def names(self) -> list[str]:
        """The modality of each signal by its name."""
        known = list(MODALITIES)
        return [known[index] for index in self.modality.tolist()]

    def of(self, modality: str) -> Int[Tensor, " own"]:
        """Which signals are of this modality; their order is the order of the rows of its values."""
        return (self.modality == modality_index(modality)).nonzero().squeeze(1)

    def row(self, signal: Int[Tensor, " any"]) -> Int[Tensor, " any"]:
        """The row of each signal among the signals of its own modality."""
        same = self.modality[:, None] == self.modality[None]
        before = torch.ones_like(same).tril(-1)
        return (same & before).sum(1)[signal]


def modality_index(name: str) -> int:
    """The number that stands for a modality in `SignalBatch`: its position in `MODALITIES`."""
    return list(MODALITIES).index(name)


@dataclass
class Encoded:
    """A batch of signals after the encoder: their fields and their language-model tokens by modality."""

    batch: SignalBatch
    fields: dict[str, Field]
    tokens: dict[str, Float[Tensor, "row token hidden"]]
    sam: "LazyFeatures | None" = None  # of the images, where SAM makes the masks


@dataclass
class LazyFeatures:
    """Feature maps of SAM for the images of a batch, encoded by the first call of `get` and cached from then on.

    Most questions need no mask, and SAM's encoder costs more than everything else. Exactly one of the fields is set:
    `values` (SAM's input) before the first `get`, `features` after it.
    """

    values: Float[Tensor, "row 3 side side"] | None
    features: tuple[Float[Tensor, "row _ _ _"], ...] | None = None

    def get(self, encode: Callable[[Tensor], tuple[Tensor, ...]]) -> tuple[Float[Tensor, "row _ _ _"], ...]:
        """The feature maps of all images, finest first; `encode` is called at most once."""
        if self.features is None:
            assert self.values is not None, "features or the input they are made from"
            self.features, self.values = encode(self.values), None
        return self.features


def place(
    embeds: Float[Tensor, "batch position hidden"],
    where: Bool[Tensor, "batch position"],
    rows: Float[Tensor, "row hidden"],
    sample: Int[Tensor, " row"],
    what: str,
) -> Float[Tensor, "batch position hidden"]:
    """`embeds` with the marked positions replaced by `rows`, in order; `sample` is the batch row of each.

    Raises ValueError naming the first sample in which the number of placeholders and of rows differ, and for rows
    that are not in the order of their samples.
    """
    if len(sample) and (int(sample.min()) < 0 or int(sample.max()) >= len(embeds) or bool((sample.diff() < 0).any())):
        raise ValueError(
            f"{what}: expected embeddings sorted by sample, from 0 to {len(embeds) - 1}; got samples {sample.tolist()}"
        )
    wanted = where.sum(1)
    given = torch.bincount(sample, minlength=len(embeds))
    if not torch.equal(wanted, given):
        bad = int((wanted != given).nonzero()[0])
        raise ValueError(
            f"input_ids: sample {bad} has {int(wanted[bad])} {what} placeholder(s) but {int(given[bad])} {what} "
            "embedding(s); the text and the signals or regions were not prepared together"
        )
    if not len(rows):
        return embeds
    embeds = embeds.clone()  # the caller's tensor may be needed for its gradient, or be the embedding table's output
    embeds[where] = rows.to(embeds.dtype)
    return embeds


def repeat_signals(inputs: Mapping[str, Any], copies: int) -> dict[str, Any]:
    """Signals and regions of a batch for `copies` of each of its rows, one after the other (beams, several answers).

    `inputs` are the network's, without the text; those that are None are skipped.
    """
    inputs = {name: value for name, value in inputs.items() if value is not None}
    if "signal_modality" not in inputs:
        return inputs
    batch = SignalBatch(inputs["signal_modality"], inputs["signal_sample"])
    index = torch.arange(len(batch.sample), device=batch.sample.device)
    # Rows of text are repeated in place (a, a, b, b): the signals of a row are repeated as a group (a1 a2 a1 a2).
    own = [index[batch.sample == row] for row in range(int(batch.sample[-1]) + 1)]
    order = torch.cat([signals for signals in own for _ in range(copies)])
    sample = [signals.new_full((len(signals),), r * copies + c) for r, signals in enumerate(own) for c in range(copies)]
    repeated = {"signal_modality": batch.modality[order], "signal_sample": torch.cat(sample)}
    # Values lie by modality: their rows follow from the new order of all signals.
    row, known = batch.row(order), batch.names
    names = [known[index] for index in order.tolist()]
    repeated["signals"] = {
        name: values[row[[own == name for own in names]]] for name, values in inputs.get("signals", {}).items()
    }
    if "sam_values" in inputs:
        repeated["sam_values"] = inputs["sam_values"][row[[MODALITIES[own].sam for own in names]]]
    if "region_signal" in inputs:
        which, regions, before = inputs["region_signal"], [], []
        for row, signals in enumerate(own):
            at = (batch.sample[which] == row).nonzero().squeeze(1)
            for copy in range(copies):  # signals of this copy begin behind those of all copies before it
                regions.append(at)
                before.append(which[at] + (copies - 1) * int(signals[0]) + copy * len(signals) if len(at) else at)
        repeated["region_signal"] = torch.cat(before)
        for name in ("region_points", "region_places"):
            if name in inputs:
                repeated[name] = inputs[name][torch.cat(regions)]
    return repeated
