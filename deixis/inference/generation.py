"""The generation loop: prompts of a batch in, tokens out one step at a time, with the hidden state of every `<seg>`.

Rows are left-padded; each has positions of its own, and leaves the batch as soon as it is finished. The state that
prompts a mask is taken where the configuration says: "at" `<seg>`, when it is fed (a last `<seg>` is fed once more for
that), or "before" it, the state that predicted `<seg>` (LISA). Knows token ids only, no text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, no_type_check

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import DynamicCache

from deixis.errors import CheckpointError, ConfigError, InputError
from deixis.inference.kv_cache import select_rows
from deixis.model import DeixisForConditionalGeneration
from deixis.options import Bounds, Count, Natural, NonNegative, check_fields, read_options

MAX_NEW_TOKENS = 160


@no_type_check
@dataclass(frozen=True)
class GenerationOptions:
    """How an answer is generated; greedy by default.

    Attributes:
        max_new_tokens: at most so many tokens, the end not counted.
        temperature: 0 chooses the most probable token; above 0, logits are divided by it and tokens sampled.
        top_p: sample only from the most probable tokens that together have this probability (nucleus sampling).
        seed: of the sampling. Every question of a batch has its own random generator with this seed, so its answer does
            not depend on the other questions.
        drop_prompt_tokens: so many of the prompt's last tokens are removed from the KV cache once the first token is
            chosen. 2 gives the answers of OneLLM's published inference, whose cache does not count the two tags of a
            signal, so that an answer overwrites the end of its prompt (csuhan/OneLLM@8587a47, model/LLM/onellm.py,
            forward_inference); its training has no such gap.

    Raises InputError where a value is of another type or out of range.
    """

    max_new_tokens: Count = MAX_NEW_TOKENS
    temperature: NonNegative = 0.0
    top_p: Annotated[float, Bounds(above=0, most=1)] = 1.0
    seed: Annotated[int, Bounds(least=-(2**63), below=2**64)] = 0
    drop_prompt_tokens: Natural = 0

    def __post_init__(self):
        check_fields(self, InputError)


def generation_options(given: Mapping[str, Any]) -> GenerationOptions:
    """The options of the keyword arguments of a question. Raises InputError for an unknown one and a wrong value."""
    try:
        return read_options(GenerationOptions, given, "")
    except ConfigError as error:
        raise InputError(str(error)) from None


@dataclass
class GenerationState:
    """What one row has generated: tokens without the end, the hidden state of each `<seg>`, whether it is done."""

    ids: list[int] = field(default_factory=list)
    seg_states: list[Tensor] = field(default_factory=list)
    done: bool = False


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


def generate(
    network: DeixisForConditionalGeneration,
    embeds: Float[Tensor, "batch position hidden"],
    mask: Bool[Tensor, "batch position"] | None,
    cache: DynamicCache,
    criteria: StopCriteria,
    options: GenerationOptions,
) -> Iterator[list[GenerationState]]:
    """The states of all rows after every step, always the same list.

    embeds: the prompts, right-aligned. mask: True at tokens, None where nothing is padding. cache: may hold the
    beginning of the only prompt of a batch.
    """
    states = [GenerationState() for _ in embeds]
    sample_tokens = TokenSampler(options, len(states), criteria.suppressed_ids)
    active = list(range(len(states)))  # the rows that the batch still holds
    decoder = _Decoder(network, cache, mask)
    hidden = decoder.feed(embeds)  # the whole prompt at once; from now on a token per row and step
    check_finite(hidden)
    while True:
        tokens = sample_tokens(decoder.logits(hidden), active)
        for row, token, state in zip(active, tokens, hidden, strict=True):
            _append(states[row], token, state, criteria, options.max_new_tokens)
        if options.drop_prompt_tokens:  # once only: the prompt predicted its first token with these in place
            decoder.drop(options.drop_prompt_tokens)
            options = replace(options, drop_prompt_tokens=0)
        yield states
        unfinished = [i for i, row in enumerate(active) if not states[row].done]
        if not unfinished:
            return
        if len(unfinished) < len(active):  # finished rows cost nothing more
            active = [active[i] for i in unfinished]
            decoder.select(torch.tensor(unfinished, device=hidden.device))
        hidden = decoder.feed_ids(torch.tensor([[states[row].ids[-1]] for row in active], device=hidden.device))
        # `hidden` now belongs to the tokens just fed, and is what predicts the next ones
        for row, state in zip(active, hidden, strict=True):
            if states[row].ids[-1] == criteria.seg_id and criteria.seg_state == "at":
                states[row].seg_states.append(state)


def check_finite(values: Tensor) -> None:
    """Raises CheckpointError for what a network computes of damaged weights: NaN, or infinite numbers."""
    if not torch.isfinite(values).all():
        raise CheckpointError(
            f"the model: expected finite numbers of its weights, got NaN or infinity in {values.dtype}; they are "
            "damaged, or a type of another range fits them: --dtype float32"
        )


def _append(state: GenerationState, token: int, hidden: Tensor, criteria: StopCriteria, max_new_tokens: int) -> None:
    """Adds a token to a row, or ends the row; `hidden` is the state that predicted the token."""
    if len(state.ids) == max_new_tokens or token in criteria.end_ids:
        state.done = True
        return
    state.ids.append(token)
    is_seg = token == criteria.seg_id
    if is_seg and criteria.seg_state == "before":
        state.seg_states.append(hidden)
    # a last <seg> must still be fed, for its own state prompts the mask
    awaits_state = is_seg and criteria.seg_state == "at"
    state.done = (len(state.ids) == max_new_tokens and not awaits_state) or criteria.has_stop_string(state.ids)


class _Decoder:
    """Feeds tokens to the language model: KV cache, attention mask and positions of the active rows."""

    def __init__(self, network: DeixisForConditionalGeneration, cache: DynamicCache, mask: Tensor | None):
        self.network, self.cache = network, cache
        self.mask = None if mask is None or bool(mask.all()) else mask
        self.position: Tensor | None = None  # (batch, 1), of the token fed last

    @torch.inference_mode()
    def feed(self, embeds: Float[Tensor, "batch position hidden"]) -> Float[Tensor, "batch hidden"]:
        """The last hidden state of each row."""
        if self.position is not None:  # a step: each row continues at its own position
            positions = self.position + 1
            if self.mask is not None:
                self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], 1)
        elif self.mask is not None:
            positions = (self.mask.cumsum(1) - 1).clamp(min=0)  # left padding has no position of its own
        else:  # the rest of a prompt whose beginning is in the cache
            before = self.cache.get_seq_length()
            positions = torch.arange(before, before + embeds.shape[1], device=embeds.device).expand(len(embeds), -1)
        self.position = positions[:, -1:]
        output = self.network.language_model.get_decoder()(
            inputs_embeds=embeds,
            attention_mask=None if self.mask is None else self.mask.to(torch.int64),
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
        )
        return output.last_hidden_state[:, -1]

    @torch.inference_mode()
    def feed_ids(self, ids: Int[Tensor, "batch 1"]) -> Float[Tensor, "batch hidden"]:
        """As `feed`, for tokens of the vocabulary."""
        return self.feed(self.network.get_input_embeddings()(ids))

    @torch.inference_mode()
    def logits(self, hidden: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch vocabulary"]:
        """Logits of the next token."""
        return self.network.get_output_embeddings()(hidden)

    def drop(self, count: int) -> None:
        """Removes the last tokens from the cache; what comes next takes their positions."""
        assert self.position is not None, "the prompt was fed"
        self.cache.crop(-count)
        self.position = self.position - count
        self.mask = None if self.mask is None else self.mask[:, :-count]

    @torch.inference_mode()
    def select(self, rows: Int[Tensor, " row"]) -> None:
        """Continues with these rows of the batch, without padding that all of them have."""
        assert self.position is not None, "the prompt was fed"
        self.position = self.position[rows]
        # the longest row may have left: padding that all others share is cut off their keys and values too
        mask = None if self.mask is None else self.mask[rows]
        padding = 0 if mask is None else int(mask.to(torch.int64).argmax(1).min())
        is_cut = select_rows(self.cache, rows, padding)
        if mask is not None:
            mask = mask[:, padding:] if is_cut else mask
            self.mask = None if bool(mask.all()) else mask


class TokenSampler:
    """Chooses the next token of each row from its logits: greedy, or nucleus sampling."""

    def __init__(self, options: GenerationOptions, rows: int, suppressed_ids: Sequence[int]):
        self.options, self.suppressed_ids = options, suppressed_ids
        self._suppressed: Tensor | None = None  # on the device of the logits, made at the first step
        # one generator per row: a row's draws must not depend on when its neighbours finish
        self.generators = [torch.Generator().manual_seed(options.seed) for _ in range(rows)]

    def __call__(self, logits: Float[Tensor, "row vocabulary"], rows: Sequence[int]) -> list[int]:
        """One token per row; `rows` are the rows' numbers in the whole batch."""
        if self._suppressed is None:  # placeholders may lie beyond the vocabulary
            inside = [token for token in self.suppressed_ids if 0 <= token < logits.shape[-1]]
            self._suppressed = torch.tensor(inside, device=logits.device, dtype=torch.int64)
        logits = logits.float().index_fill(-1, self._suppressed, -torch.inf)
        if self.options.temperature == 0:
            return logits.argmax(-1).tolist()
        probabilities, tokens = (logits / self.options.temperature).softmax(-1).sort(-1, descending=True)
        cumulative = probabilities.cumsum(-1)
        outside = cumulative - probabilities >= self.options.top_p  # never the most probable token
        cumulative = probabilities.masked_fill(outside, 0.0).double().cumsum(-1)
        uniform = torch.stack([torch.rand((), generator=self.generators[row], dtype=torch.float64) for row in rows])
        # inverse transform sampling: the first token whose cumulative probability exceeds the draw
        place = (cumulative < uniform.to(cumulative.device)[:, None] * cumulative[:, -1:]).sum(-1, keepdim=True)
        return tokens.gather(-1, place).squeeze(-1).tolist()
