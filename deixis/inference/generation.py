"""The generation loop: rows of a batch in, a token of each out per step, with the hidden state of every `<seg>`.

Rows may join a batch between steps, and leave it; each has positions, options and a random generator of its own, so its
answer does not depend on the rows beside it. The state that prompts a mask is taken where the configuration says: "at"
`<seg>`, when it is fed (a last `<seg>` is fed once more for that), or "before" it, the state that predicted `<seg>`
(LISA). Knows token ids only, no text.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import DynamicCache

from deixis.errors import CheckpointError
from deixis.inference.generation_options import GenerationOptions
from deixis.inference.kv_cache import Layers, append_rows, closed_up, keep_rows, keeps_all_positions, row_layers
from deixis.inference.sampling import TokenSampler, choose_tokens
from deixis.model import DeixisForConditionalGeneration


@dataclass
class GenerationState:
    """What one row has generated: tokens without the end, the hidden state of each `<seg>`, and how it ended.

    finish_reason: "stop" where the model ended its answer, "length" where it reached its limit, None until then.
    """

    ids: list[int] = field(default_factory=list)
    seg_states: list[Tensor] = field(default_factory=list)
    finish_reason: Literal["stop", "length"] | None = None

    @property
    def done(self) -> bool:
        return self.finish_reason is not None


@dataclass(frozen=True)
class StopCriteria:
    """What ends an answer, and which tokens are treated specially.

    end_ids: tokens that end it and are not part of it. has_stop_string: whether tokens end in a text that ends it.
    suppressed_ids: tokens that are never generated. seg_id: the token of `<seg>`; seg_state: "at" or "before".
    """

    end_ids: frozenset[int]
    has_stop_string: Callable[[Sequence[int]], bool]
    suppressed_ids: tuple[int, ...]
    seg_id: int
    seg_state: str


@dataclass(eq=False)
class GenerationRow:
    """One row of a batch: how it chooses tokens, how many were fed (prompt and answer), and what it has generated."""

    sampler: TokenSampler
    length: int
    state: GenerationState = field(default_factory=GenerationState)


class GenerationBatch:
    """Rows that generate together. Between two steps the last token of every row is chosen, but not yet fed.

    network: whose language model generates. cache: its KV cache, which may hold the beginning of the only prompt.
    embeds: the prompts, right-aligned, or the rest of the only one. mask: True at tokens, None where nothing is
    padding. The prompts are fed, and their first tokens chosen, at once. Other batches can be merged into one whose
    cache keeps all positions; where a language model's does not (sliding windows, recurrent states), rows only leave.
    """

    @torch.inference_mode()
    def __init__(
        self,
        network: DeixisForConditionalGeneration,
        criteria: StopCriteria,
        cache: DynamicCache,
        embeds: Float[Tensor, "row position hidden"],
        mask: Bool[Tensor, "row position"] | None,
        options: GenerationOptions,
    ):
        self.network, self.criteria, self.cache = network, criteria, cache
        self.width = cache.get_seq_length() + embeds.shape[1]  # positions of the cache, padding included
        lengths = [self.width] * len(embeds) if mask is None else mask.sum(1).tolist()
        self._suppressed_ids: Int[Tensor, " token"] | None = None
        # one generator per row, all with the same seed
        self.rows = [GenerationRow(TokenSampler(options), length) for length in lengths]
        hidden = self._feed(embeds)
        check_finite(hidden)
        self._choose(hidden)
        if options.drop_prompt_tokens:  # the prompt predicted its first token with these in place
            self._drop(options.drop_prompt_tokens)

    @property
    def can_merge(self) -> bool:
        return keeps_all_positions(self.cache)

    @torch.inference_mode()
    def step(self) -> None:
        """Feeds the last token of every row and chooses the next; no row may be done."""
        ids = torch.tensor([[row.state.ids[-1]] for row in self.rows], device=self.network.device)
        self.width += 1
        for row in self.rows:
            row.length += 1
        hidden = self._feed(self.network.get_input_embeddings()(ids))
        # `hidden` belongs to the tokens just fed, and is what predicts the next ones
        for row, state in zip(self.rows, hidden, strict=True):
            if row.state.ids[-1] == self.criteria.seg_id and self.criteria.seg_state == "at":
                row.state.seg_states.append(state)
        self._choose(hidden)

    @torch.inference_mode()
    def merge(self, other: "GenerationBatch") -> None:
        """Takes the rows of another batch over, behind its own; both `can_merge`."""
        append_rows(self.cache, other.cache)
        self.rows += other.rows
        self.width = max(self.width, other.width)

    @torch.inference_mode()
    def remove(self, rows: Collection[GenerationRow]) -> None:
        """Continues without these rows, and without padding that all others have; they cost nothing more."""
        order = closed_up(len(self.rows), [number for number, row in enumerate(self.rows) if row in rows])
        self.rows = [self.rows[number] for number in order]
        if self.rows:
            # the longest row may have left: the others' keys and values begin later then
            longest = max(row.length for row in self.rows)
            if keep_rows(self.cache, order, longest):
                self.width = longest

    def layers(self, row: GenerationRow) -> Layers:
        """Views of the keys and values of a row, whose cache keeps all positions."""
        return row_layers(self.cache, self.rows.index(row), row.length)

    def _feed(self, embeds: Float[Tensor, "row new hidden"]) -> Float[Tensor, "row hidden"]:
        """The last hidden state of each row; `width` and lengths count what is fed."""
        padding = torch.tensor([[self.width - row.length] for row in self.rows], device=embeds.device)
        columns = torch.arange(self.width, device=embeds.device)
        is_padded = any(row.length < self.width for row in self.rows)
        output = self.network.language_model.get_decoder()(
            inputs_embeds=embeds,
            attention_mask=(columns >= padding).to(torch.int64) if is_padded else None,
            # padding has no position of its own
            position_ids=(columns[-embeds.shape[1] :] - padding).clamp(min=0),
            past_key_values=self.cache,
            use_cache=True,
        )
        return output.last_hidden_state[:, -1]

    def _choose(self, hidden: Float[Tensor, "row hidden"]) -> None:
        """Chooses the next token of every row and appends it."""
        logits = self.network.get_output_embeddings()(hidden)
        if self._suppressed_ids is None:  # once: placeholders may lie beyond the vocabulary
            suppressed = [token for token in self.criteria.suppressed_ids if 0 <= token < logits.shape[-1]]
            self._suppressed_ids = torch.tensor(suppressed, device=logits.device, dtype=torch.int64)
        tokens = choose_tokens(logits, [row.sampler for row in self.rows], self._suppressed_ids)
        for row, token, state in zip(self.rows, tokens, hidden, strict=True):
            _append(row.state, token, state, self.criteria, row.sampler.options.max_new_tokens)

    def _drop(self, count: int) -> None:
        """Removes the last tokens from the cache; what comes next takes their positions."""
        self.cache.crop(-count)
        self.width -= count
        for row in self.rows:
            row.length -= count


def check_finite(values: Tensor) -> None:
    """Raises CheckpointError for what a network computes of damaged weights: NaN, or infinite numbers."""
    if not torch.isfinite(values).all():
        raise CheckpointError(
            f"the model: expected finite numbers of its weights, got NaN or infinity in {values.dtype}; they are "
            "damaged, or a type of another range fits them: --dtype float32"
        )


def _append(state: GenerationState, token: int, hidden: Tensor, criteria: StopCriteria, max_new_tokens: int) -> None:
    """Adds a token to a row, or ends the row; `hidden` is the state that predicted the token."""
    if token in criteria.end_ids:
        state.finish_reason = "stop"
        return
    if len(state.ids) == max_new_tokens:
        state.finish_reason = "length"
        return
    state.ids.append(token)
    is_seg = token == criteria.seg_id
    if is_seg and criteria.seg_state == "before":
        state.seg_states.append(hidden)
    if criteria.has_stop_string(state.ids):
        state.finish_reason = "stop"
    # a last <seg> must still be fed, for its own state prompts the mask
    elif len(state.ids) == max_new_tokens and not (is_seg and criteria.seg_state == "at"):
        state.finish_reason = "length"
