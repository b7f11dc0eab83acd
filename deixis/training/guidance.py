"""Guided attention: one head of some layers is supervised to attend to the object that an answer refers to.

Finding the object of a phrase is a look-up of content among the signal's tokens, which a small language model learns
very slowly from answers alone; the training data hold its location. `guided_tokens` assigns tokens of an answer to
regions, `AttentionGuide` compares a head's attention with the cells of the region. Nothing of this remains in the
trained network. It requires attention layers like Llama's: q_proj, k_proj and rotary positions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from deixis.conversation import MaskTarget, Rendered, Row, System, collate
from deixis.errors import ConfigError
from deixis.geometry import Reference, Region, parse_markup
from deixis.model.masks.cells import region_to_cells
from deixis.model.prepared import Prepared
from deixis.model.processor import DeixisProcessor
from deixis.samples.sample import Sample, Turn
from deixis.signals import MODALITIES
from deixis.signals.modality import load

NOTHING = ("No.", "None.", "Nothing.")  # answers for which there is nothing to look at
GUIDED_LAYERS = (2, 3)  # of the language model, counted from 0; one head of each
SAMPLE_IDS = "sample_ids"
"""In a batch: the ids of its samples, which are named where it cannot be learnt."""
NOWHERE = (0, np.ones(1, np.float32))  # absent objects: attend to the row's first token
GuideSizes = Mapping[str, tuple[int, int]]
"""Modality -> (fine cells of its field, tokens of a signal) where attention is guided."""


def guided_tokens(markup: str, tokens: Sequence[str], phrase_open: str, seg: str) -> list[tuple[int, int]]:
    """(token, region) for every token of a written answer that belongs to the phrase or the reference of a region.

    `tokens` are the pieces of the answer as written: phrases open with `phrase_open`, marks are "[" ... "]" or `seg`.
    A phrase with several regions counts for its first.
    """
    marks = [m for piece in parse_markup(markup) if isinstance(piece, Reference) for m in piece.indices or (None,)]
    pairs: list[tuple[int, int | None]] = []
    phrase: list[int] = []
    inside, region = False, None
    for at, token in enumerate(tokens):
        if inside:
            inside = token != "]"
        elif token in ("[", seg):
            region, marks = marks[0], marks[1:]
            pairs += [(earlier, region) for earlier in phrase]
            phrase, inside = [], token == "["
            pairs += [(at, region)] * (not inside)
        elif token == phrase_open or phrase:
            phrase.append(at)
        if inside:
            pairs.append((at, region))
    return [(at, which) for at, which in pairs if which is not None]


def token_target(record: Region, prepared: Prepared, cells: int, tokens: int) -> Float[np.ndarray, " token"] | None:
    """The target attention of a region over the `tokens` of its signal; sums to 1.

    None where the region covers no token.
    """
    share = region_to_cells(record, replace(prepared, sam=None), cells)  # tokens lie in the encoder's own frame
    pooled = load(MODALITIES[prepared.modality].cells)().pool(share, prepared, tokens)
    return pooled / pooled.sum() if pooled.sum() > 0 else None


def first_look(turns: Sequence[Turn], number: int, pairs: Sequence[tuple[int, int]], regions: int) -> int | None:
    """The region to attend to before answer `number` begins; -1 for none, None where it is unknown.

    It is the first that the answer refers to (`pairs` are its guided tokens); else, of a sample whose texts name none
    of its regions, the first of these, which the answer is about.
    """
    if pairs:
        return pairs[0][1]
    answer = turns[number].assistant
    if answer in NOTHING or any(isinstance(piece, Reference) and not piece.indices for piece in parse_markup(answer)):
        return -1
    texts = (text for turn in turns for text in (turn.user, turn.assistant))
    named = any(isinstance(piece, Reference) for text in texts for piece in parse_markup(text))
    return 0 if regions and not named else None


class AttentionGuide:
    """Watches the guided layers of a language model and gives the loss of their first head's attention.

    Raises ConfigError for a language model without these layers.
    """

    def __init__(self, decoder: nn.Module, layers: Sequence[int] = GUIDED_LAYERS):
        self.seen: list[tuple[Any, Tensor, tuple[Tensor, Tensor]]] = []
        blocks = decoder.get_submodule("layers")
        assert isinstance(blocks, nn.ModuleList)
        if max(layers) >= len(blocks):
            raise ConfigError(
                f"guide_weight: expected a language model of more than {max(layers)} layers, got {len(blocks)}"
            )
        attention = [blocks[number].get_submodule("self_attn") for number in layers]
        self.hooks = [module.register_forward_pre_hook(self._watch, with_kwargs=True) for module in attention]

    def close(self) -> None:
        """Takes the hooks off the language model again."""
        for hook in self.hooks:
            hook.remove()

    def _watch(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        if module.training:
            self.seen.append((module, kwargs["hidden_states"], kwargs["position_embeddings"]))

    def loss(self, guide: dict[str, Tensor], allowed: Tensor) -> Tensor:
        """Mean cross entropy of the attention from guided positions to their regions' tokens, over layers.

        guide: row and position (query,), start (query,) of the signal's tokens, target (query, token) padded with 0.
        allowed: (batch, 1, position, position) who may look at whom.
        """
        from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

        row, position = guide["row"], guide["position"]
        keys = guide["start"][:, None] + torch.arange(guide["target"].shape[1], device=row.device)
        keys = keys.clamp(max=allowed.shape[-1] - 1)  # beyond the signal the target is 0
        losses = []
        for module, hidden, (cos, sin) in self.seen:
            size = int(module.head_dim)
            # The whole projection is called and sliced, so that adapters and quantised weights take effect; then in
            # float32, as all losses are.
            query = module.q_proj(hidden)[..., :size].unsqueeze(1).float()
            key = module.k_proj(hidden)[..., :size].unsqueeze(1).float()
            query, key = apply_rotary_pos_emb(query, key, cos.float(), sin.float())
            # of whole rows, then of guided positions: a copy of its row's keys for each would cost more
            scores = (query[:, 0] @ key[:, 0].mT)[row, position] * size**-0.5
            # as attention itself is masked: other conversations of the row must not take probability
            scores = scores.masked_fill(~allowed[row, 0, position], float("-inf"))
            chance = scores.log_softmax(-1).gather(1, keys)
            losses.append(-(guide["target"] * chance.masked_fill(guide["target"] == 0, 0)).sum(1).mean())
        self.seen.clear()
        return torch.stack(losses).mean()


@dataclass(frozen=True)
class Guide:
    """One guided position: `position` in the row should attend to `target` over the tokens that begin at `start`."""

    position: int
    start: int
    target: np.ndarray


@dataclass
class GuidedRow:
    """A packed row, the guides of its answers, and the ids of its samples."""

    row: Row
    guides: list[Guide] = field(default_factory=list)
    sample_ids: list[str] = field(default_factory=list)

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
        self.sample_ids.append(sample.id)
        if not sizes:
            return
        notation, tokenizer = processor.notation, processor.tokenizer
        # one region may be named by several answers: its target is made once
        looked_at: dict[int, tuple[int, np.ndarray] | None] = {-1: NOWHERE}
        for number, span in enumerate(rendered.answers):
            tokens = tokenizer.convert_ids_to_tokens(rendered.ids[span.first : span.end])
            pairs = guided_tokens(sample.turns[number].assistant, tokens, notation.phrase_open, notation.seg_token)
            look = first_look(sample.turns, number, pairs, len(sample.regions))
            if look is not None:
                pairs.insert(0, (-1, look))  # the last token of the question
            for token, index in pairs:
                if index not in looked_at:
                    looked_at[index] = self._target(sample.regions[index], processor, sizes)
                if (target := looked_at[index]) is not None:
                    self.guides.append(Guide(start + span.first + token, *target))

    def _target(self, region: Region, processor: DeixisProcessor, sizes: GuideSizes) -> tuple[int, np.ndarray] | None:
        """Where the tokens of a region's signal begin in the row, and how attention should lie on them."""
        own = self.row.prepared[region.signal]
        target = token_target(region, own, *sizes[own.modality]) if own.modality in sizes else None
        if target is None:
            return None
        # a signal's patch tokens come last among its tokens, after the projection's queries
        held = np.isin(self.row.ids[: self.row.prefix], list(processor.placeholder_ids.values()))
        ends = np.cumsum([processor.token_counts[p.modality] for p in self.row.prepared])
        last = int(np.flatnonzero(held)[ends[region.signal] - 1])
        return last + 1 - len(target), target


def collate_guided(rows: Sequence[GuidedRow], pad_id: int, system: System) -> dict[str, Any]:
    """The batch of some rows (`conversation.collate`), with `guide` where there are guided positions, and the ids."""
    batch = collate([own.row for own in rows], pad_id, system)
    batch[SAMPLE_IDS] = tuple(name for own in rows for name in own.sample_ids)
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
