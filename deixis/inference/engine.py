"""The engine under `ask`: samples in, generated tokens out, with nothing computed twice.

    signals --SignalEncoder (cached)--> encoded signals --joined--> Encoded --+
    sample --render--> ids, sampled points -----------------------------------+--> embeddings --ContinuousBatch-->
                                                   ^                                             tokens, states at <seg>
                        PrefixCache -- keys and values of a prompt that was fed before

It handles tokens and hidden states; `answer_reader` makes answers of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deixis.conversation import Rendered, render
from deixis.errors import InputError
from deixis.inference.abilities import check_abilities
from deixis.inference.continuous_batch import ContinuousBatch, Prompts
from deixis.inference.generation import GenerationState, StopCriteria
from deixis.inference.generation_options import GenerationOptions
from deixis.inference.lru_cache import LRUCache
from deixis.inference.prefix_cache import Keys, PrefixCache, region_contents, token_keys
from deixis.inference.signal_encoder import EncodedSignal, SignalEncoder, joined
from deixis.inference.training_distribution import TrainingDistribution
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.prepared import prompt_tensors
from deixis.samples.sample import Sample

NO_TOKEN = -1  # an id that no token has


@dataclass
class Prompt:
    """A sample as token ids, with its signals, which may still have to be encoded."""

    signals: list[EncodedSignal]
    rendered: Rendered

    def __len__(self) -> int:
        return len(self.rendered.ids)


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

    def render(self, sample: Sample) -> Prompt:
        """The prompt of a sample whose signals are open; given answers are part of it. Nothing is encoded.

        Raises InputError for what the model does not take, and for more tokens than it can hold.
        """
        check_abilities(sample, self.network.config.abilities)
        signals = [self.encoder.prepare(own.values) for own in sample.signals]
        prompt = Prompt(signals, render(sample, [signal.prepared for signal in signals], self.processor))
        self.check_length(len(prompt))
        return prompt

    @torch.inference_mode()
    def embed(self, prompts: Sequence[Prompt]) -> Prompts:
        """Prompts as one batch, their signals encoded together."""
        signals, rendered = [own.signals for own in prompts], [own.rendered for own in prompts]
        counts, pad_id = list(map(len, signals)), self.processor.tokenizer.pad_token_id
        inputs = prompt_tensors([row.ids for row in rendered], [row.points for row in rendered], counts, pad_id)
        ids, mask = inputs.pop("input_ids"), inputs.pop("attention_mask").bool()
        self.encoder.encode([signal for own in signals for signal in own])
        keys = self._keys(rendered, signals, inputs)
        device = self.network.device
        ids, mask = ids.to(device), mask.to(device)
        regions = {name: value.to(device) for name, value in inputs.items()}
        return Prompts(signals, rendered, ids, mask, self.network.embed(ids, joined(signals), **regions), keys)

    def encode(self, samples: Sequence[Sample]) -> Prompts:
        """`render` and `embed`: what does not fit is refused before anything is encoded."""
        return self.embed([self.render(sample) for sample in samples])

    def open_batch(self) -> ContinuousBatch:
        """A batch without rows, which prompts can join."""
        return ContinuousBatch(self.network, self._stop_criteria(), self.prefixes)

    def generate(self, prompts: Prompts, options: GenerationOptions) -> Iterator[list[GenerationState]]:
        """The state of each row after every step (always the same list).

        A single prompt starts from the longest cached prefix, and its own keys and values are cached for the next
        question, also where the caller stops early.
        """
        batch = self.open_batch()
        states = [row.state for row in batch.join(prompts, options)]
        try:
            yield states
            while batch.step():
                yield states
        except GeneratorExit:  # at rest between two steps; what another exception leaves behind may be half fed
            batch.leave(batch.rows)
            raise

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

    def check_length(self, count: int, is_least: bool = False) -> None:
        """Raises InputError for so many tokens, or more where `is_least`, that no position is left to answer at."""
        positions = getattr(self.network.config.text_config, "max_position_embeddings", None)
        if positions is not None and count >= positions:
            raise InputError(
                f"the conversation: this model reads {positions} tokens at most, those of its files included, got "
                f"{count}{' or more' if is_least else ''}; ask in fewer words, or begin a new conversation"
            )
