"""The decoding loop: prompts of a batch in, tokens out one step at a time, with the state of every `<seg>` on the way.

Rows are left-padded; each has positions of its own, and leaves the batch as soon as it is over. The state that
prompts a mask is taken where the configuration says: "at" `<seg>`, when it is fed (a last `<seg>` is fed once more
for that), or "before" it, the state that `<seg>` was chosen from (LISA). It knows ids only, no words.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import DynamicCache

from deixis.inference.kv_cache import select_rows
from deixis.inference.question import Decoding
from deixis.model import DeixisForConditionalGeneration


@dataclass
class Said:
    """What one row has said: tokens without the end, the hidden state of each of its `<seg>`, whether it is over.

    fed: how many of the tokens the cache holds.
    """

    ids: list[int] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    over: bool = False
    fed: int = 0


@dataclass(frozen=True)
class Ends:
    """What ends an answer, and what is looked at.

    end_ids: tokens that end it and are no part of it. has_stop: whether tokens end in a text that ends it.
    never_ids: tokens that are never said. seg_id: the token of `<seg>`; state: whether the state "at" or "before" it.
    """

    end_ids: frozenset[int]
    has_stop: Callable[[Sequence[int]], bool]
    never_ids: tuple[int, ...]
    seg_id: int
    state: str


def decode(
    network: DeixisForConditionalGeneration,
    embeds: Float[Tensor, "batch position hidden"],
    mask: Bool[Tensor, "batch position"] | None,
    cache: DynamicCache,
    ends: Ends,
    how: Decoding,
) -> Iterator[list[Said]]:
    """The rows after every step, always the same list; `cache` may hold the beginning of the one prompt of a batch.

    embeds: what is fed first, on the right of its row; mask: True where it is a token, None for no padding.
    """
    said = [Said() for _ in embeds]
    choose = Chooser(how, len(said), ends.never_ids)
    alive = list(range(len(said)))  # the rows that the batch still holds
    steps = _Steps(network, cache, mask)
    hidden = steps.feed(embeds)
    while True:
        chosen = choose(steps.logits(hidden), alive)
        for row, token, state in zip(alive, chosen, hidden, strict=True):
            own = said[row]
            if len(own.ids) == how.max_new_tokens or token in ends.end_ids:
                own.over = True
                continue
            own.ids.append(token)
            if token == ends.seg_id and ends.state == "before":
                own.states.append(state)
            is_open_seg = token == ends.seg_id and ends.state == "at"
            own.over = (len(own.ids) == how.max_new_tokens and not is_open_seg) or ends.has_stop(own.ids)
        if how.forget:
            steps.forget(how.forget)
            how = replace(how, forget=0)
        yield said
        kept = [i for i, row in enumerate(alive) if not said[row].over]
        if not kept:
            return
        if len(kept) < len(alive):
            alive = [alive[i] for i in kept]
            steps.select(torch.tensor(kept, device=hidden.device))
        last = torch.tensor([[said[row].ids[-1]] for row in alive], device=hidden.device)
        hidden = steps.feed_ids(last)
        for row, state in zip(alive, hidden, strict=True):
            said[row].fed += 1
            if said[row].ids[-1] == ends.seg_id and ends.state == "at":
                said[row].states.append(state)


class _Steps:
    """Feeds tokens to the decoder: cache, mask and positions of the rows that are left."""

    def __init__(self, network, cache: DynamicCache, mask: Tensor | None):
        self.network, self.cache = network, cache
        self.mask = None if mask is None or bool(mask.all()) else mask
        self.last: Tensor | None = None  # (batch, 1) position of the token fed last

    @torch.inference_mode()
    def feed(self, embeds: Float[Tensor, "batch position hidden"]) -> Float[Tensor, "batch hidden"]:
        """The last hidden state of each row."""
        if self.last is not None:
            positions = self.last + 1
            if self.mask is not None:
                self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], 1)
        elif self.mask is not None:
            positions = (self.mask.cumsum(1) - 1).clamp(min=0)
        else:
            before = self.cache.get_seq_length()
            positions = torch.arange(before, before + embeds.shape[1], device=embeds.device).expand(len(embeds), -1)
        self.last = positions[:, -1:]
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
        """What the next token is to be chosen from."""
        return self.network.get_output_embeddings()(hidden)

    def forget(self, count: int) -> None:
        """Takes the last tokens back; what comes next stands in their places."""
        assert self.last is not None, "something was fed"
        self.cache.crop(-count)
        self.last = self.last - count
        self.mask = None if self.mask is None else self.mask[:, :-count]

    @torch.inference_mode()
    def select(self, rows: Int[Tensor, " row"]) -> None:
        """Goes on with these rows of the batch alone, without padding that all of them have."""
        self.last = self.last[rows]
        mask = None if self.mask is None else self.mask[rows]
        padding = 0 if mask is None else int(mask.to(torch.int64).argmax(1).min())
        is_cut = select_rows(self.cache, rows, padding)
        if mask is not None:
            mask = mask[:, padding:] if is_cut else mask
            self.mask = None if bool(mask.all()) else mask


class Chooser:
    """The next token of each row from its logits."""

    def __init__(self, how: Decoding, rows: int, never_ids: Sequence[int]):
        self.how, self.never_ids = how, never_ids
        self.dice = [torch.Generator().manual_seed(how.seed) for _ in range(rows)]

    def __call__(self, logits: Float[Tensor, "row vocabulary"], rows: Sequence[int]) -> list[int]:
        """One token each; `rows` are the rows' numbers in the whole batch, which have dice of their own."""
        never = [token for token in self.never_ids if 0 <= token < logits.shape[-1]]  # some are in no vocabulary
        logits = logits.float().index_fill(-1, torch.tensor(never, device=logits.device, dtype=torch.int64), -torch.inf)
        if self.how.temperature == 0:
            return logits.argmax(-1).tolist()
        chances, tokens = (logits / self.how.temperature).softmax(-1).sort(-1, descending=True)
        reached = chances.cumsum(-1)
        chances = chances.masked_fill(reached - chances >= self.how.top_p, 0.0)  # the first always stays
        reached = chances.double().cumsum(-1)
        drawn = torch.stack([torch.rand((), generator=self.dice[row], dtype=torch.float64) for row in rows])
        place = (reached < drawn.to(reached.device)[:, None] * reached[:, -1:]).sum(-1, keepdim=True)
        return tokens.gather(-1, place).squeeze(-1).tolist()
