"""The engine under `ask`: samples in, generated tokens out, with nothing computed twice.

    signals --SignalEncoder (cached)--> encoded signals --joined--> Encoded --+
    sample --render--> ids, sampled points -----------------------------------+--> embeddings --generate--> tokens,
                                                   ^                                                  states at <seg>
                        PrefixCache -- keys and values of a prompt that was fed before

It handles tokens and hidden states; `answer_reader` makes answers of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.conversation import Rendered, render
from deixis.errors import InputError
from deixis.inference.abilities import check_abilities
from deixis.inference.generation import GenerationOptions, GenerationState, StopCriteria, generate
from deixis.inference.kv_cache import open_cache
from deixis.inference.lru_cache import LRUCache
from deixis.inference.prefix_cache import Keys, PrefixCache, place_of, region_contents, token_keys
from deixis.inference.signal_encoder import EncodedSignal, SignalEncoder, joined
from deixis.inference.training_distribution import TrainingDistribution
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.prepared import prompt_tensors
from deixis.samples.sample import Sample

NO_TOKEN = -1  # an id that no token has


@dataclass
class Prompts:
    """A batch as the language model takes it, left-padded; `signals` are those of each row, `keys` without padding."""

    signals: list[list[EncodedSignal]]
    rendered: list[Rendered]
    ids: Int[Tensor, "batch position"]
    mask: Bool[Tensor, "batch position"]
    embeds: Float[Tensor, "batch position hidden"]
    keys: list[Keys]


class Engine:
    """A network and its processor with a cache of encoded signals and prompt prefixes of at most `cache_bytes`.

    distribution: what the model was trained on, for warnings; None where it is not known.
    """

    def __init__(
        self,
        network: DeixisForConditionalGeneration,
        processor: DeixisProcessor,
        cache_bytes: int,
        distribution: TrainingDistribution | None = None,
    ):
        self.network, self.processor, self.distribution = network, processor, distribution
        self.cache = LRUCache(cache_bytes)
        self.encoder = SignalEncoder(network, processor, self.cache)
        self.prefixes = PrefixCache(network.config.text_config, self.cache)

    @torch.inference_mode()
    def encode(self, samples: Sequence[Sample]) -> Prompts:
        """The prompts of a batch of samples whose signals are open; given answers are part of their rows.

        Raises InputError for what the model does not take, and for more tokens than it can hold.
        """
        for sample in samples:
            check_abilities(sample, self.network.config.abilities)
        # prepared, rendered and measured first: what does not fit is refused before anything is encoded
        signals = [[self.encoder.prepare(own.values) for own in sample.signals] for sample in samples]
        prepared = [[signal.prepared for signal in own] for own in signals]
        rendered = [render(sample, own, self.processor) for sample, own in zip(samples, prepared, strict=True)]
        counts, pad_id = list(map(len, signals)), self.processor.tokenizer.pad_token_id
        inputs = prompt_tensors([row.ids for row in rendered], [row.points for row in rendered], counts, pad_id)
        ids, mask = inputs.pop("input_ids"), inputs.pop("attention_mask").bool()
        self._check_length(mask)
        self.encoder.encode([signal for own in signals for signal in own])
        keys = self._keys(rendered, signals, inputs)
        device = self.network.device
        ids, mask = ids.to(device), mask.to(device)
        regions = {name: value.to(device) for name, value in inputs.items()}
        return Prompts(signals, rendered, ids, mask, self.network.embed(ids, joined(signals), **regions), keys)

    def generate(self, batch: Prompts, options: GenerationOptions) -> Iterator[list[GenerationState]]:
        """The state of each row after every step (always the same list); see `generation.generate`.

        A single prompt starts from the longest cached prefix, and its own keys and values are cached for the next
        question, also where the caller stops early.
        """
        criteria = self._stop_criteria()
        if len(batch.ids) > 1:
            cache = open_cache(self.network.config.text_config)
            yield from generate(self.network, batch.embeds, batch.mask, cache, criteria, options)
            return
        place = place_of(self.network)
        cache = self.prefixes.start(batch.keys[0], place)
        # only what is not in the cache is fed; its positions continue from the cache's length
        rest = batch.embeds[:, cache.get_seq_length() :]
        states: list[GenerationState] = []
        try:
            for states in generate(self.network, rest, None, cache, criteria, options):
                yield states
        finally:
            if states and not options.drop_prompt_tokens:  # dropped tokens are still in the keys
                keys = np.concatenate([batch.keys[0], np.asarray(states[0].ids, dtype=np.int64)])
                self.prefixes.store(keys, cache, place)

    @torch.inference_mode()
    def forward(self, batch: Prompts) -> Float[Tensor, "batch position hidden"]:
        """Final hidden states of whole rows in one pass, teacher-forced."""
        positions = (batch.mask.cumsum(1) - 1).clamp(min=0)
        output = self.network.language_model.get_decoder()(
            inputs_embeds=batch.embeds,
            attention_mask=batch.mask.to(torch.int64),
            position_ids=positions,
            use_cache=False,
        )
        return output.last_hidden_state

    def warnings(self, sample: Sample, signals: Sequence[EncodedSignal]) -> tuple[str, ...]:
        """A sentence for each signal of a question, encoded, that does not look like the model's training signals."""
        if self.distribution is None:
            return ()
        opened = zip(sample.signals, signals, strict=True)
        found = [
            self.distribution.warning(own.name, own.modality, encoded.encoded.fields[own.modality])
            for own, encoded in opened
            if encoded.encoded is not None
        ]
        return tuple(dict.fromkeys(sentence for sentence in found if sentence))

    def _stop_criteria(self) -> StopCriteria:
        config, tokenizer, stops = self.network.config, self.processor.tokenizer, self.stop_strings
        tail = (
            max(map(len, stops), default=0) + 1
        )  # tokens: each has a character at least, so they hold any stop string

        def has_stop_string(ids: Sequence[int]) -> bool:
            if not stops:
                return False
            text = tokenizer.decode(ids[-tail:])
            return any(stop in text for stop in stops)

        seg_id = config.seg_token_id if config.makes_masks else NO_TOKEN
        suppressed = self.network.input_only_token_ids
        return StopCriteria(self._end_ids(), has_stop_string, suppressed, seg_id, config.pointing.state)

    def _end_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        ends = self.network.generation_config.eos_token_id
        own = ends if isinstance(ends, list) else [ends]
        return frozenset([self.processor.tokenizer.eos_token_id, *(end for end in own if end is not None)])

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """Texts that end an answer and are not part of it, beside the end tokens."""
        return tuple(self.network.generation_config.stop_strings or ())

    def _keys(
        self, rendered: Sequence[Rendered], signals: Sequence[Sequence[EncodedSignal]], regions: dict[str, Tensor]
    ) -> list[Keys]:
        """One number per token of each row, equal where tokens stand for the same content (`token_keys`)."""
        config = self.network.config
        region_id = config.region_token_id if config.takes_regions else NO_TOKEN
        contents = region_contents(regions, [repr(signal.key).encode() for own in signals for signal in own])
        keys = []
        for row, own in zip(rendered, signals, strict=True):
            named = []
            for signal in own:
                assert signal.encoded is not None, "signals were encoded"
                modality = signal.prepared.modality
                count = signal.encoded.tokens[modality].shape[1]
                named.append((config.signal_token_ids[modality], count, repr(signal.key).encode()))
            # regions of the batch follow one another row by row, one for each region token
            asked = row.ids.count(region_id)
            keys.append(token_keys(row.ids, named, contents[:asked], region_id))
            contents = contents[asked:]
        return keys

    def _check_length(self, mask: Bool[Tensor, "batch position"]) -> None:
        """Raises InputError for a conversation that leaves the language model no position to answer at."""
        positions = getattr(self.network.config.text_config, "max_position_embeddings", None)
        longest = int(mask.sum(1).max())
        if positions is not None and longest >= positions:
            raise InputError(
                f"the conversation: this model reads {positions} tokens at most, those of its files included, got "
                f"{longest}; ask in fewer words, or begin a new conversation"
            )
