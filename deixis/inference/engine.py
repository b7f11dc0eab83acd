"""The engine under `ask`: questions in, what the network says out, with nothing computed twice.

    signals --Eye--> sights (kept) --joined--> Encoded --+
    questions, regions --processor--> ids, points -------+--> embeddings --decode--> tokens, states at <seg>
                                                                  ^
                                       Prefixes (kept) -- the beginning that was read before

It knows tokens and states; `reading` makes answers of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.errors import InputError
from deixis.inference.abilities import check_abilities
from deixis.inference.generation import Ends, Said, decode
from deixis.inference.kv_cache import open_cache
from deixis.inference.lru_cache import Kept
from deixis.inference.prefix_cache import Keys, Prefixes, place_of, region_contents, row_keys
from deixis.inference.question import Decoding, Question
from deixis.inference.signal_encoder import Eye, Sight, joined
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor

NONE = -1  # an id that no token has


@dataclass
class Prompts:
    """A batch as the language model takes it, left-padded; `sights` are the signals of each row."""

    sights: list[list[Sight]]
    ids: Int[Tensor, "batch position"]
    mask: Bool[Tensor, "batch position"]
    embeds: Float[Tensor, "batch position hidden"]
    keys: list[Keys]  # of each row, without padding


class Engine:
    """A network and its processor with what they have seen and read so far, at most `keep_bytes` of it."""

    def __init__(self, network: DeixisForConditionalGeneration, processor: DeixisProcessor, keep_bytes: int):
        self.network, self.processor = network, processor
        self.kept = Kept(keep_bytes)
        self.eye = Eye(network, processor, self.kept)
        self.prefixes = Prefixes(network.config.text_config, self.kept)

    @torch.inference_mode()
    def read(self, questions: Sequence[Question], answers: Sequence[str] | None = None) -> Prompts:
        """The prompts of a batch; with `answers`, they stand behind their questions as if the model had said them.

        Raises ValueError, one sentence, for what the model does not take, and for more than it can hold.
        """
        for question in questions:
            check_abilities(question, self.network.config)
        sights = [[self.eye.prepare(signal) for signal in question.signals] for question in questions]
        inputs = self.processor.batch(
            [question.text for question in questions],
            [[sight.prepared for sight in own] for own in sights],
            [question.regions for question in questions],
            [question.history for question in questions],
        )
        ids, mask = inputs["input_ids"], inputs["attention_mask"].bool()
        if answers is not None:
            ids, mask = self._continued(ids, mask, answers)
        self._check_length(mask)
        self.eye.encode([sight for own in sights for sight in own])
        regions = {name: value for name, value in inputs.items() if name.startswith("region_")}
        keys = self._keys(ids, mask, sights, regions)
        ids, mask = ids.to(self.network.device), mask.to(self.network.device)
        regions = {name: value.to(self.network.device) for name, value in regions.items()}
        return Prompts(sights, ids, mask, self.network.embed(ids, joined(sights), **regions), keys)

    def say(self, prompts: Prompts, how: Decoding) -> Iterator[list[Said]]:
        """What each row has said, after every step (always the same list); see `decode`.

        A question by itself begins where a kept prefix ends, and its own is kept for the next one, also where the
        caller stops in the middle.
        """
        if len(prompts.ids) > 1:
            cache = open_cache(self.network.config.text_config)
            yield from decode(self.network, prompts.embeds, prompts.mask, cache, self._ends(), how)
            return
        place = place_of(self.network)
        cache = self.prefixes.start(prompts.keys[0], place)
        rest = prompts.embeds[:, cache.get_seq_length() :]
        said: list[Said] = []
        try:
            for said in decode(self.network, rest, None, cache, self._ends(), how):
                yield said
        finally:
            if said and not how.forget:  # what was forgotten is in the keys
                keys = np.concatenate([prompts.keys[0], np.asarray(said[0].ids, dtype=np.int64)])
                self.prefixes.keep(keys, cache, place)

    @torch.inference_mode()
    def hear(self, prompts: Prompts) -> Float[Tensor, "batch position hidden"]:
        """Final hidden states of whole rows, in one pass: teacher-forced."""
        positions = (prompts.mask.cumsum(1) - 1).clamp(min=0)
        return (
            self.network.language_model.get_decoder()(
                inputs_embeds=prompts.embeds,
                attention_mask=prompts.mask.to(torch.int64),
                position_ids=positions,
                use_cache=False,
            )
        ).last_hidden_state

    def _ends(self) -> Ends:
        config = self.network.config
        never = [*config.signal_token_ids.values(), self._region_id]  # nothing stands for them in an answer
        seg_id = config.seg_token_id if config.makes_masks else NONE
        return Ends(self._end_ids, self._has_stop, tuple(never), seg_id, config.pointing.state)

    @property
    def _end_ids(self) -> frozenset[int]:
        ends = self.network.generation_config.eos_token_id
        own = ends if isinstance(ends, list) else [ends]
        return frozenset([self.processor.tokenizer.eos_token_id, *(end for end in own if end is not None)])

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end an answer and are no part of it, beside the end token."""
        return tuple(self.network.generation_config.stop_strings or ())

    def _has_stop(self, ids: Sequence[int]) -> bool:
        """Whether the last of these tokens completed a text that ends answers."""
        if not self.stops:
            return False
        tail = self.processor.tokenizer.decode(ids[-max(map(len, self.stops)) - 1 :])  # a token has a letter at least
        return any(stop in tail for stop in self.stops)

    @property
    def _region_id(self) -> int:
        """The token of a region in a question; none where the model takes no regions."""
        return self.network.config.region_token_id if self.network.config.takes_regions else NONE

    def _continued(self, ids: Tensor, mask: Tensor, answers: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Left-padded rows with the answers and their ends behind."""
        tokenizer = self.processor.tokenizer
        rows = []
        for row, own, answer in zip(ids, mask, answers, strict=True):
            more = tokenizer(answer, add_special_tokens=False)["input_ids"]
            rows.append(row[own].tolist() + more + [tokenizer.eos_token_id])
        longest = max(map(len, rows))
        padding = tokenizer.pad_token_id
        ids = torch.tensor([[padding] * (longest - len(row)) + row for row in rows])
        return ids, torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in rows])

    def _keys(self, ids: Tensor, mask: Tensor, sights: Sequence[Sequence[Sight]], regions) -> list[Keys]:
        config = self.network.config
        whose = [repr(sight.key).encode() for own in sights for sight in own]
        contents = region_contents(regions, whose)
        keys = []
        for row, own, signals in zip(ids, mask, sights, strict=True):
            tokens = row[own].tolist()
            named = []
            for sight in signals:
                kind = sight.prepared.modality
                count = sight.encoded.tokens[kind].shape[1]
                named.append((config.signal_token_ids[kind], count, repr(sight.key).encode()))
            asked = tokens.count(self._region_id)
            keys.append(row_keys(tokens, named, contents[:asked], self._region_id))
            contents = contents[asked:]
        return keys

    def _check_length(self, mask: Bool[Tensor, "batch position"]) -> None:
        """Raises ValueError for a conversation that leaves the language model no place to answer in."""
        places = getattr(self.network.config.text_config, "max_position_embeddings", None)
        longest = int(mask.sum(1).max())
        if places is not None and longest >= places:
            raise InputError(
                f"the conversation: this model reads {places} tokens at most, its files among them, got {longest}; "
                "ask in fewer words, or begin a new conversation"
            )
