"""Rows of training conversations with guided attention: where the tokens of an answer should look (`guidance`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from deixis.conversation import MaskTarget, Rendered, Row, System, collate
from deixis.model.processor import DeixisProcessor
from deixis.samples.sample import Sample
from deixis.training.guidance import first_look, guided_tokens, token_target

GuideSizes = Mapping[str, tuple[int, int]]
"""Modality -> (fine cells of its field, tokens of a signal) where attention is guided."""


@dataclass(frozen=True)
class Guide:
    """One guided position: `position` in the row should attend to `target` over the tokens that begin at `start`."""

    position: int
    start: int
    target: np.ndarray


NOWHERE = (0, np.ones(1, np.float32))  # absent objects: attend to the row's first token


@dataclass
class GuidedRow:
    """A packed row and the guides of its answers."""

    row: Row
    guides: list[Guide] = field(default_factory=list)

    def add(
        self,
        sample: Sample,
        rendered: Rendered,
        targets: Sequence[MaskTarget],
        processor: DeixisProcessor,
        sizes: GuideSizes | None,
    ) -> None:
        """Adds a sample about the row's signals; its answers are guided if `sizes` are given."""
        start = self.row.add(rendered, targets) - self.row.prefix
        for number, span in enumerate(rendered.answers if sizes else ()):
            tokens = processor.tokenizer.convert_ids_to_tokens(rendered.ids[span.first : span.end])
            notation = processor.notation
            pairs = guided_tokens(sample.turns[number].assistant, tokens, notation.phrase_open, notation.seg_token)
            look = first_look(sample.turns, number, pairs, len(sample.regions))
            if look is not None:
                pairs.insert(0, (-1, look))  # the last token of the question
            self._guide(sample, pairs, start + span.first, processor, sizes or {})

    def _guide(
        self,
        sample: Sample,
        pairs: Sequence[tuple[int, int]],
        first: int,
        processor: DeixisProcessor,
        sizes: GuideSizes,
    ) -> None:
        """Guides of (token of an answer, region) pairs; the answer begins at `first` in the row."""
        targets: dict[int, tuple[int, np.ndarray] | None] = {-1: NOWHERE}
        for token, index in pairs:
            if index not in targets:
                targets[index] = self._target(sample, index, processor, sizes)
            if (target := targets[index]) is not None:
                self.guides.append(Guide(first + token, *target))

    def _target(
        self, sample: Sample, index: int, processor: DeixisProcessor, sizes: GuideSizes
    ) -> tuple[int, np.ndarray] | None:
        """Where the tokens of a region's signal begin in the row, and how attention should lie on them."""
        region = sample.regions[index]
        own = self.row.prepared[region.signal]
        if own.modality not in sizes:
            return None
        target = token_target(region, own, *sizes[own.modality])
        if target is None:
            return None
        # a signal's patch tokens come last among its tokens, after the projection's queries
        held = np.isin(self.row.ids[: self.row.prefix], list(processor.placeholder_ids.values()))
        ends = np.cumsum([processor.token_counts[p.modality] for p in self.row.prepared])
        last = int(np.flatnonzero(held)[ends[region.signal] - 1])
        return last + 1 - len(target), target


def collate_guided(rows: Sequence[GuidedRow], pad_id: int, system: System) -> dict[str, Any]:
    """The batch of some rows (`conversation.collate`), with `guide` where there are guided positions."""
    batch = collate([own.row for own in rows], pad_id, system)
    guides = [(number, guide) for number, own in enumerate(rows) for guide in own.guides]
    if guides:
        width = max(len(guide.target) for _, guide in guides)
        padded = [np.pad(guide.target, (0, width - len(guide.target))) for _, guide in guides]
        batch["guide"] = {
            "row": torch.tensor([number for number, _ in guides]),
            "position": torch.tensor([guide.position for _, guide in guides]),
            "start": torch.tensor([guide.start for _, guide in guides]),
            "target": torch.from_numpy(np.stack(padded)),
        }
    return batch
