"""Putting signals and regions into text: which embedding goes where, found by token positions and nothing else.

`SignalBatch` says which signals a batch holds and whose they are; `place` puts rows into placeholder positions after
counting both, sample by sample, because a surplus row would otherwise land in the next sample in silence.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.model.config import KINDS
from deixis.model.field import Field


@dataclass
class SignalBatch:
    """The signals of a batch in the order of their placeholders, row by row of the batch.

    kind: (signal,) index into `KINDS`. sample: (signal,) the row of the batch a signal belongs to, never decreasing.
    """

    kind: Int[Tensor, " signal"]
    sample: Int[Tensor, " signal"]

    def of(self, kind: str) -> Int[Tensor, " own"]:
        """Which signals are of this kind; their order is the order of the rows of that kind's values."""
        return (self.kind == KINDS.index(kind)).nonzero().squeeze(1)

    def row(self, signal: Int[Tensor, " any"]) -> Int[Tensor, " any"]:
        """The row of each signal among the signals of its own kind."""
        same = self.kind[:, None] == self.kind[None]
        before = torch.ones_like(same).tril(-1)
        return (same & before).sum(1)[signal]


@dataclass
class Encoded:
    """A batch of signals after the encoder: their fields by kind, and their tokens for the language model by kind."""

    batch: SignalBatch
    fields: dict[str, Field]
    tokens: dict[str, Float[Tensor, "row token hidden"]]


def place(
    embeds: Float[Tensor, "batch position hidden"],
    where: Bool[Tensor, "batch position"],
    rows: Float[Tensor, "row hidden"],
    sample: Int[Tensor, " row"],
    what: str,
) -> Float[Tensor, "batch position hidden"]:
    """`embeds` with the marked positions replaced by `rows`, in order; `sample` is the batch row of each.

    Raises ValueError naming the first sample in which the number of placeholders and of rows differ.
    """
    wanted = where.sum(1)
    given = torch.bincount(sample, minlength=len(embeds))
    if not torch.equal(wanted, given):
        bad = int((wanted != given).nonzero()[0])
        raise ValueError(
            f"input_ids: sample {bad} has {int(wanted[bad])} {what} placeholder(s) but {int(given[bad])} {what} "
            "embedding(s); the text and the signals or regions were not prepared together"
        )
    embeds = embeds.clone()
    embeds[where] = rows.to(embeds.dtype)
    return embeds
