"""Continuous batching: prompts join a running generation when they come, and leave it when they are answered.

A prompt that joins alone is fed from the longest prefix of it that is known: cached, or of a row that is generating.
Its keys and values then move into the cache of the batch, and when it leaves, into the prefix cache.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.conversation import Rendered
from deixis.inference.generation import GenerationBatch, GenerationRow, StopCriteria
from deixis.inference.generation_options import GenerationOptions
from deixis.inference.kv_cache import Layers, open_cache
from deixis.inference.prefix_cache import Keys, PrefixCache, beginning, common_length, place_of
from deixis.inference.signal_encoder import EncodedSignal
from deixis.model import DeixisForConditionalGeneration


@dataclass
class Prompts:
    """Prompts as the language model takes them, left-padded; `signals` are those of each, `keys` without padding."""

    signals: list[list[EncodedSignal]]
    rendered: list[Rendered]
    ids: Int[Tensor, "row position"]
    mask: Bool[Tensor, "row position"]
    embeds: Float[Tensor, "row position hidden"]
    keys: list[Keys]


class ContinuousBatch:
    """Rows that generate a token each per step, whichever are there.

    Rows of a language model that discards keys and values (sliding windows, recurrent states) cannot be moved into
    another batch: those that join together stay together, and several such groups are stepped in turn.
    """

    def __init__(self, network: DeixisForConditionalGeneration, criteria: StopCriteria, prefixes: PrefixCache):
        self.network, self.criteria, self.prefixes = network, criteria, prefixes
        self.groups: list[GenerationBatch] = []  # one, unless rows cannot be merged
        self._keys: dict[GenerationRow, Keys] = {}  # prompts whose keys and values can be reused

    @property
    def rows(self) -> list[GenerationRow]:
        """Those that have not left, done or not."""
        return [row for group in self.groups for row in group.rows]

    @torch.inference_mode()
    def join(self, prompts: Prompts, options: GenerationOptions) -> list[GenerationRow]:
        """The rows of these prompts, their first tokens chosen.

        Several prompts are fed as one batch, from their first token on, and no prefix of them is cached.
        """
        alone = len(prompts.ids) == 1
        reusable = alone and self.prefixes.is_possible
        prefix = self._longest_prefix(prompts.keys[0]) if reusable else []
        cache = open_cache(self.prefixes.config, prefix)
        # only what is not in the cache is fed
        rest = prompts.embeds[:, cache.get_seq_length() :]
        mask = None if alone else prompts.mask
        group = GenerationBatch(self.network, self.criteria, cache, rest, mask, options)
        rows = list(group.rows)
        if reusable and not options.drop_prompt_tokens:  # dropped tokens are still in the keys
            self._keys[rows[0]] = prompts.keys[0]
        if self.groups and group.can_merge:
            self.groups[0].merge(group)
        else:
            self.groups.append(group)
        return rows

    def step(self) -> bool:
        """Generates a token of every row, without those that are done, which leave; False where none was left."""
        self.leave([row for row in self.rows if row.state.done])
        for group in self.groups:
            group.step()
        return bool(self.groups)

    @torch.inference_mode()
    def leave(self, rows: Collection[GenerationRow]) -> None:
        """Ends these rows, done or not; keys and values of those that joined alone are cached."""
        for group in self.groups:
            own = [row for row in group.rows if row in rows]
            for row in own:
                if (keys := self._keys.pop(row, None)) is not None:
                    self.prefixes.store(_fed(keys, row), group.layers(row), place_of(self.network))
            if own:
                group.remove(own)
        self.groups = [group for group in self.groups if group.rows]

    def _longest_prefix(self, keys: Keys) -> Layers:
        """Keys and values of the longest known prefix, at least one token shorter; they are not copied."""
        layers, length = self.prefixes.find(keys, place_of(self.network))
        for group in self.groups:
            for row in group.rows:
                if row in self._keys:
                    shared = min(common_length(_fed(self._keys[row], row), keys), len(keys) - 1)
                    if shared > length:
                        layers, length = beginning(group.layers(row), shared), shared
        return layers


def _fed(prompt: Keys, row: GenerationRow) -> Keys:
    """The keys of all tokens of a row that were fed; the last one of an answer is chosen, but not fed."""
    generated: Sequence[int] = row.state.ids
    return np.concatenate([prompt, np.asarray(generated, dtype=np.int64)])[: row.length]
