"""Packing: many conversations about the same signals in one row, none seeing another.

A row is the signals' placeholders, then one block a conversation. Every block attends to the signals and to itself,
its positions count on from the signals: so each is trained as if it were alone, while the signals are read once.

    row        <image> x n  | <user> q1 <assistant> a1 <eos> | <user> q2 <assistant> a2 <eos> | padding
    block           0                     1                                  2                    -1
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from deixis.errors import ConfigError
from deixis.geometry import Region, write_answer, write_prompt
from deixis.model.masks.mask_cells import Prepared, region_to_cells
from deixis.model.processor import DeixisProcessor, region_tensors, signal_tensors
from deixis.model.regions.sampled_points import SampledPoints
from deixis.model.text import answer_text, turn_text
from deixis.samples.sample import Sample, Turn
from deixis.training.guidance import first_look, guided_tokens, token_target

IGNORED = -100


@dataclass
class PackedRow:
    """One row: ids, labels, blocks and positions of equal length; regions and masks in the order of their tokens.

    prefix: how many tokens the signals take, which lead the row.
    """

    prepared: list[Prepared]
    prefix: int = 0
    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    region_points: list[SampledPoints] = field(default_factory=list)
    region_signal: list[int] = field(default_factory=list)
    seg_target: list[np.ndarray] = field(default_factory=list)
    seg_signal: list[int] = field(default_factory=list)
    guide_position: list[int] = field(default_factory=list)
    guide_start: list[int] = field(default_factory=list)
    guide_target: list[np.ndarray] = field(default_factory=list)

    def add(self, ids: Sequence[int], block: int, start: int, learn: bool) -> None:
        """Appends tokens of `block`, whose first is at position `start`; their labels count only if `learn`."""
        self.ids += ids
        self.labels += ids if learn else [IGNORED] * len(ids)
        self.blocks += [block] * len(ids)
        self.positions += range(start, start + len(ids))


@dataclass(frozen=True)
class EncodedSample:
    """A conversation as it goes into a row: the tokens of each text, and whether they are learnt; then its regions and
    masks in the order of their tokens, each with its signal."""

    sample: Sample
    pieces: list[tuple[list[int], bool]]
    points: list[tuple[SampledPoints, int]]
    targets: list[tuple[np.ndarray, int]]

    def __len__(self) -> int:
        return sum(len(ids) for ids, _ in self.pieces)


def encode_sample(
    sample: Sample, prepared: Sequence[Prepared], processor: DeixisProcessor, cells: dict[str, int]
) -> EncodedSample:
    """A sample about the signals `prepared`; `cells` is the number of cells of a mask in each kind of signal.

    Raises ValueError where it asks for what the model's notation lacks, or marks what the signal cannot have marked.
    """
    encode = lambda text: processor.tokenizer(text, add_special_tokens=False)["input_ids"]  # noqa: E731
    frames = [p.frame for p in prepared]
    extents = [frame.size for frame in frames]
    asked: list[int] = []
    marked: list[int] = []
    pieces: list[tuple[list[int], bool]] = []
    for turn in sample.turns:
        regions = sample.regions if "{" in turn.user else []
        question, order = write_prompt(turn.user, regions, frames, extents, processor.notation)
        answer, targets = write_answer(turn.assistant, sample.regions, frames, processor.notation)
        pieces += [(encode(turn_text(question)), False), (encode(answer_text(answer)), True)]
        asked += order
        marked += targets
    points = [(processor.points_of(sample.regions[i], prepared), sample.regions[i].signal) for i in asked]
    return EncodedSample(sample, pieces, points, [_target(sample.regions[i], prepared, cells) for i in marked])


def _target(record: Region, prepared: Sequence[Prepared], cells: dict[str, int]) -> tuple[np.ndarray, int]:
    own = prepared[record.signal]
    if own.modality not in cells:
        raise ConfigError(
            f"region: expected a mask in {' or '.join(cells)}, which can be learnt; got one in {own.modality}"
        )
    return region_to_cells(record, own, cells[own.modality]), record.signal


def start_row(prepared: list[Prepared], processor: DeixisProcessor) -> PackedRow:
    """A row of the signals alone."""
    row = PackedRow(prepared)
    row.add(processor.tokenizer(processor.prefix(prepared), add_special_tokens=False)["input_ids"], 0, 0, learn=False)
    row.prefix = len(row.ids)
    return row


def add_sample(
    row: PackedRow,
    encoded: EncodedSample,
    processor: DeixisProcessor,
    guide_sizes: dict[str, tuple[int, int]] | None = None,
) -> None:
    """Adds a sample about the row's signals as a block of its own; for `guide_sizes` see `pack`."""
    sample, block, at = encoded.sample, row.blocks[-1] + 1, row.prefix
    for number, (ids, learn) in enumerate(encoded.pieces):
        if learn and guide_sizes:
            _guide(row, sample.turns, number // 2, ids, sample.regions, processor, guide_sizes)
        row.add(ids, block, at, learn)
        at += len(ids)
    for points, signal in encoded.points:
        row.region_points.append(points)
        row.region_signal.append(signal)
    for target, signal in encoded.targets:
        row.seg_target.append(target)
        row.seg_signal.append(signal)


def pack(
    samples: Sequence[Sample],
    prepared: list[Prepared],
    processor: DeixisProcessor,
    cells: dict[str, int],
    max_tokens: int,
    guide_sizes: dict[str, tuple[int, int]] | None = None,
) -> PackedRow:
    """One row of the samples, which all share the signals `prepared`; samples that no longer fit are left out.

    `cells` is the number of cells that a mask has in each kind of signal. `guide_sizes`, if given, holds the fine
    cells and the tokens of the kinds whose attention is guided.
    """
    row = start_row(prepared, processor)
    for sample in samples:
        encoded = encode_sample(sample, prepared, processor, cells)
        if len(row.ids) + len(encoded) <= max_tokens:
            add_sample(row, encoded, processor, guide_sizes)
    return row


def _guide(
    row: PackedRow,
    turns: Sequence[Turn],
    number: int,
    ids: list[int],
    regions: Sequence[Region],
    processor: DeixisProcessor,
    sizes: dict[str, tuple[int, int]],
) -> None:
    """Adds where the tokens of an answer, about to be added to the row, should look (see `guidance`)."""
    grammar = processor.notation
    tokens = processor.tokenizer.convert_ids_to_tokens(ids)
    pairs = guided_tokens(turns[number].assistant, tokens, grammar.phrase_open, grammar.seg_token)
    look = first_look(turns, number, pairs, len(regions))
    if look is not None:
        pairs.insert(0, (-1, look))  # the last token of the question
    targets: dict[int, tuple[int, np.ndarray] | None] = {-1: (0, np.ones(1, np.float32))}  # nothing: the first token
    for at, index in pairs:
        if index not in targets:
            targets[index] = _place(row, regions[index], processor, sizes)
        if (target := targets[index]) is not None:
            row.guide_position.append(len(row.ids) + at)
            row.guide_start.append(target[0])
            row.guide_target.append(target[1])


def _place(
    row: PackedRow, record: Region, processor: DeixisProcessor, sizes: dict[str, tuple[int, int]]
) -> tuple[int, np.ndarray] | None:
    """Where the tokens of a region's signal begin in the row, and how attention should lie on them."""
    own = row.prepared[record.signal]
    if own.modality not in sizes:
        return None
    target = token_target(record, own, *sizes[own.modality])
    before = sum(processor.token_counts[p.modality] for p in row.prepared[: record.signal + 1])
    # after the first token of the row and the projection's queries
    return None if target is None else (1 + before - len(target), target)


def block_attention(blocks: Int[Tensor, "batch position"]) -> Bool[Tensor, "batch 1 position position"]:
    """Who may look at whom: earlier positions of the own block and of block 0; padding (-1) at itself alone."""
    query, key = blocks[:, :, None], blocks[:, None, :]
    length = blocks.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=blocks.device).tril()
    return (causal & ((query == key) | (key == 0))).unsqueeze(1)


def collate(rows: Sequence[PackedRow], pad_id: int) -> dict[str, Tensor]:
    """The batch of some rows, as `DeixisForConditionalGeneration.forward` takes it; right-padded."""
    length = max(len(row.ids) for row in rows)

    def fill(name: str, value: int) -> Tensor:
        return torch.tensor([getattr(row, name) + [value] * (length - len(row.ids)) for row in rows])

    offsets = np.cumsum([0] + [len(row.prepared) for row in rows[:-1]]).tolist()

    def signals(name: str) -> Tensor:
        return torch.tensor([s + first for row, first in zip(rows, offsets, strict=True) for s in getattr(row, name)])

    batch = {
        "input_ids": fill("ids", pad_id),
        "labels": fill("labels", IGNORED),
        "position_ids": fill("positions", 0),
        "attention_mask": block_attention(fill("blocks", -1)),
        **signal_tensors([row.prepared for row in rows]),
    }
    if points := [p for row in rows for p in row.region_points]:
        batch |= region_tensors(points, signals("region_signal").tolist())
    if targets := [t for row in rows for t in row.seg_target]:
        cells = max(len(t) for t in targets)
        padded = np.stack([np.pad(t, (0, cells - len(t))) for t in targets])
        batch |= {"seg_target": torch.from_numpy(padded), "seg_signal": signals("seg_signal")}
    if guides := [t for row in rows for t in row.guide_target]:
        width = max(len(t) for t in guides)
        batch["guide"] = {
            "row": torch.tensor([i for i, row in enumerate(rows) for _ in row.guide_target]),
            "position": torch.tensor([p for row in rows for p in row.guide_position]),
            "start": torch.tensor([s for row in rows for s in row.guide_start]),
            "target": torch.from_numpy(np.stack([np.pad(t, (0, width - len(t))) for t in guides])),
        }
    return batch
