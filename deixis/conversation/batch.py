"""Batches of rendered conversations: left-padded prompts for asking, packed right-padded rows for training.

A packed row holds the tokens of the signals, then one block per conversation about them. Every block attends to the
signals and to itself, and its positions continue from those of the signals: each conversation is trained as if it were
alone, while the signals are encoded once.

    row        <s> ... <image> x n  | rest of conversation 1 | rest of conversation 2 | padding
    block               0           |           1            |           2            |   -1
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from deixis.conversation.render import Rendered
from deixis.conversation.system import IGNORED, System
from deixis.errors import DataError
from deixis.geometry import Region, rasterise
from deixis.model.masks.cells import region_to_cells
from deixis.model.prepared import Prepared, region_tensors, signal_tensors


@dataclass(frozen=True)
class MaskTarget:
    """The target of one `<seg>`: the covered share of each cell of its signal, or pixels (h, w) of its image."""

    signal: int
    values: np.ndarray


def mask_targets(
    rendered: Rendered,
    regions: Sequence[Region],
    prepared: Sequence[Prepared],
    cells: Mapping[str, int],
    system: System,
) -> list[MaskTarget]:
    """The target of each `<seg>` in the answers of a conversation.

    cells: how many cells a mask has in each modality. Raises DataError for a region of a modality without masks.
    """
    targets = []
    for region in (regions[index] for index in rendered.targets):
        own = prepared[region.signal]
        if own.modality not in cells:
            raise DataError(
                f"region: expected a mask in {' or '.join(cells)}, which can be learnt; got one in {own.modality}"
            )
        if system.mask_losses is None:
            values = region_to_cells(region, own, cells[own.modality])
        else:
            size_hw = own.frame.size.size_hw
            assert size_hw is not None, "systems with mask losses of their own mark images alone"
            values = rasterise(region, size_hw)
        targets.append(MaskTarget(region.signal, values))
    return targets


@dataclass
class Row:
    """One packed row: ids, labels, coordinates, blocks and positions of equal length; regions and masks in their order.

    prefix: the number of tokens up to the last signal, once a conversation was added. region_points, region_signal: of
    each region token. masks: of each learnt `<seg>`.
    """

    prepared: list[Prepared]
    prefix: int = 0
    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    coordinates: list[bool] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    region_points: list[Any] = field(default_factory=list)
    region_signal: list[int] = field(default_factory=list)
    masks: list[MaskTarget] = field(default_factory=list)

    def length_with(self, rendered: Rendered) -> int:
        """How many tokens the row has once `rendered` is added."""
        return len(self.ids) + len(rendered) - (rendered.shared if self.ids else 0)

    def open(self, rendered: Rendered) -> None:
        """Begins an empty row with the tokens up to the last signal, which all its conversations share."""
        if not self.ids:
            self.prefix = rendered.shared
            self._extend(rendered, slice(self.prefix), 0, 0)
            self.labels = [IGNORED] * self.prefix

    def add(self, rendered: Rendered, targets: Sequence[MaskTarget] = ()) -> int:
        """The position of the conversation's first own token, after it was added as a block of its own.

        Raises ValueError for a conversation whose first tokens differ from those of the row: it is about other signals.
        """
        self.open(rendered)
        if rendered.ids[: rendered.shared] != self.ids[: self.prefix]:
            raise ValueError("rows hold conversations about the same signals; these begin with other tokens")
        start, block = len(self.ids), (self.blocks[-1] if self.blocks else 0) + 1
        # positions of every block restart after the signals, as if it were the only one
        self._extend(rendered, slice(self.prefix, None), block, self.prefix)
        self.region_points += [points for points, _ in rendered.points]
        self.region_signal += [signal for _, signal in rendered.points]
        self.masks += targets
        return start

    def _extend(self, rendered: Rendered, part: slice, block: int, position: int) -> None:
        self.ids += (ids := rendered.ids[part])
        self.labels += rendered.labels[part]
        self.coordinates += rendered.coordinates[part]
        self.blocks += [block] * len(ids)
        self.positions += range(position, position + len(ids))


def block_attention(blocks: Int[Tensor, "batch position"]) -> Bool[Tensor, "batch 1 position position"]:
    """True where a query position attends to a key position: earlier ones of its own block and of block 0.

    Padding (-1) attends to itself too, so no row of the softmax is empty; only padding attends to it.
    """
    query, key = blocks[:, :, None], blocks[:, None, :]
    length = blocks.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=blocks.device).tril()
    return (causal & ((query == key) | (key == 0))).unsqueeze(1)


def collate(rows: Sequence[Row], pad_id: int, system: System) -> dict[str, Any]:
    """The right-padded training batch of rows: the keyword arguments of `DeixisForConditionalGeneration.forward`."""
    length = max(len(row.ids) for row in rows)

    def fill(name: str, value: int) -> Tensor:
        return torch.tensor([getattr(row, name) + [value] * (length - len(row.ids)) for row in rows])

    # the index of a row's first signal among all signals of the batch
    offsets = np.cumsum([0] + [len(row.prepared) for row in rows[:-1]]).tolist()
    batch: dict[str, Any] = {
        "input_ids": fill("ids", pad_id),
        "labels": fill("labels", IGNORED),
        "coordinates": fill("coordinates", False),
        "position_ids": fill("positions", 0),
        "attention_mask": block_attention(fill("blocks", -1)),
        **signal_tensors([row.prepared for row in rows]),
    }
    pairs = list(zip(rows, offsets, strict=True))
    region_signal = [signal + first for row, first in pairs for signal in row.region_signal]
    batch |= region_tensors([points for row in rows for points in row.region_points], region_signal)
    # masks follow one another in the order of the <seg> tokens, row by row, which the network relies on
    if masks := [mask for row in rows for mask in row.masks]:
        batch["seg_signal"] = torch.tensor([mask.signal + first for row, first in pairs for mask in row.masks])
        if system.mask_losses is None:
            width = max(len(mask.values) for mask in masks)
            padded = [np.pad(mask.values, (0, width - len(mask.values))) for mask in masks]
            batch["seg_target"] = torch.from_numpy(np.stack(padded))
        else:
            # the published losses are sums per image, and several rows may share one: identical objects are one image
            images = [id(row.prepared[mask.signal]) for row in rows for mask in row.masks]
            batch["seg_image"] = torch.tensor([images.index(image) for image in images])
            batch["seg_pixels"] = [torch.from_numpy(mask.values) for mask in masks]
    return batch
