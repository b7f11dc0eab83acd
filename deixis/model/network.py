"""`DeixisForConditionalGeneration`: signals, regions and text in; text and masks out.

    signals -> FieldEncoder -> fields -> projection -> signal tokens --+
    regions -> field.at(points) -> RegionSampler -> region tokens -----+-> language model -> text
                                                                              +-> hidden at <seg> -> masks
                                              (of the fields' fine features, or of SAM where configured) --+

The forward is the same while training and while generating. Inputs are what `DeixisProcessor` makes. It knows grid
numbers and special tokens by id only; files, units and wording are the processor's.
"""

from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.generation import LogitsProcessorList, SuppressTokensLogitsProcessor
from transformers.utils import ModelOutput

from deixis.model.config import DeixisConfig
from deixis.model.encoder.field_encoder import build_field_encoder
from deixis.model.encoder.projection import build_projection
from deixis.model.fusion import Encoded, LazyFeatures, SignalBatch, modality_index, place, repeat_signals
from deixis.model.loading import one_load
from deixis.model.losses import mask_losses, number_loss, text_loss
from deixis.model.masks.pointing_head import PointingHead
from deixis.model.meta import limited_parts
from deixis.model.regions.sampler import build_region_parts, region_width
from deixis.signals import MODALITIES


@dataclass
class DeixisOutput(ModelOutput):
    """Result of a forward.

    loss: weighted sum, with `labels` given. losses: each loss by name. logits: (batch, position, vocab).
    hidden: (batch, position, hidden) after the final norm. seg_states: (mask, hidden) those that prompt the masks of
    the `<seg>` among the inputs, row by row: at them, or before them (`pointing.state`). mask_logits: with labels and
    seg_signal, the logits (cell,) of each mask in order.
    """

    loss: Tensor | None = None
    losses: dict[str, Tensor] | None = None
    logits: Tensor | None = None
    past_key_values: object | None = None
    hidden: Tensor | None = None
    seg_states: Tensor | None = None
    mask_logits: list[Tensor] | None = None


class DeixisForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """One network for every modality; see the diagram of the module."""

    config: DeixisConfig
    config_class = DeixisConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True  # the layers of the language model, the encoder and SAM are checkpointed
    _supports_sdpa = True
    accepts_loss_kwargs = False  # the losses are means: Trainer is to divide them when it accumulates gradients
    _no_split_modules = ["CLIPEncoderLayer", "LlamaDecoderLayer"]

    @one_load()
    @limited_parts()
    def __init__(self, config: DeixisConfig):
        super().__init__(config)
        hidden, pointing = config.text_config.hidden_size, config.pointing
        self.field_encoder = build_field_encoder(config)
        self.projection = build_projection(config)
        self.region_features, self.region_sampler = build_region_parts(config)
        self.pointing_head = build_pointing_head(config) if config.has_fine else None
        self.sam_pointing = None
        if pointing.uses_sam:
            from deixis.model.masks.sam import build_sam_pointing

            self.sam_pointing = build_sam_pointing(config.mask_config, hidden)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config, trust_remote_code=False)
        self._tied_weights_keys = _tied_keys("language_model", self.language_model)
        if self.sam_pointing is not None:
            self._tied_weights_keys |= _tied_keys("sam_pointing.sam", self.sam_pointing.sam)
        self.post_init()

    @classmethod
    @one_load()
    def from_pretrained(cls, *args, **kwargs):
        """As in transformers; loads of other threads wait."""
        return super().from_pretrained(*args, **kwargs)

    def tie_weights(self, *args, **kwargs) -> None:
        """As in transformers, also while, or after, loads of other models leave its own classes without this method."""
        _TIE_WEIGHTS(self, *args, **kwargs)

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing: every part is initialised where it is built, the language model by its own class."""

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.language_model.get_output_embeddings()

    def encode(self, signals: Mapping[str, Tensor], batch: SignalBatch, sam_values: Tensor | None = None) -> Encoded:
        """Fields and language-model tokens of all signals of a batch; `signals` by modality, rows in `batch` order.

        sam_values: SAM's input of the images, where SAM makes the masks. Raises ValueError where the number of rows of
        a modality is not that in `batch`.
        """
        expected = Counter(batch.names)
        for name in expected.keys() | signals.keys():
            if (given := len(signals.get(name, ()))) != expected[name]:
                raise ValueError(
                    f"signals: expected {expected[name]} row(s) of {name}, as in signal_modality, got {given}"
                )
        fields = {name: self.field_encoder(signals[name], name) for name in MODALITIES if name in signals}
        tokens = {name: self.projection(field.all_tokens, name) for name, field in fields.items()}
        return Encoded(batch, fields, tokens, None if sam_values is None else LazyFeatures(sam_values))

    def encode_inputs(self, inputs: MutableMapping[str, Any]) -> Encoded | None:
        """Takes the signals out of `inputs`, which the processor made, and encodes them; None where there are none."""
        signals, sam_values = inputs.pop("signals", None), inputs.pop("sam_values", None)
        modality, sample = inputs.pop("signal_modality", None), inputs.pop("signal_sample", None)
        if modality is None or not len(modality):
            return None
        return self.encode(signals or {}, SignalBatch(modality, sample), sam_values)

    def region_tokens(
        self,
        encoded: Encoded,
        points: Float[Tensor, "region point axis"],
        signal: Int[Tensor, " region"],
        places: Float[Tensor, "region point axis"] | None = None,
    ) -> Float[Tensor, "region hidden"]:
        """One token a region: the sampler's reading of the field at its points (unit coordinates, absent axes zero).

        The field is read at `places` where these are given, and at the points elsewhere. Raises ValueError for a
        network that takes no regions, or a signal without places.
        """
        if self.region_sampler is None:
            raise ValueError("region_points: this network takes no regions (its sampler.type is None), got some")
        row, read_at = encoded.batch.row(signal), points if places is None else places
        width, dtype = region_width(self.config), next(self.region_sampler.parameters()).dtype
        features = points.new_zeros(*points.shape[:2], width, dtype=dtype)
        for name, field in encoded.fields.items():
            own = (encoded.batch.modality[signal] == modality_index(name)).nonzero().squeeze(1)
            if len(own):
                read = field.at(read_at[own][..., : field.axes or 1].float(), row[own])[..., :width].to(dtype)
                read = nn.functional.pad(read, (0, width - read.shape[-1]))  # of a field without a finer level
                features = features.index_copy(0, own, read)
        return self.region_sampler(self.region_features(features), points)

    def embed(
        self,
        input_ids: Int[Tensor, "batch position"],
        encoded: Encoded | None = None,
        region_points: Float[Tensor, "region point axis"] | None = None,
        region_signal: Int[Tensor, " region"] | None = None,
        region_places: Float[Tensor, "region point axis"] | None = None,
    ) -> Float[Tensor, "batch position hidden"]:
        """Text embeddings with signal and region tokens in their placeholders, whose own ids are never looked up."""
        held = torch.isin(input_ids, input_ids.new_tensor(self.input_only_token_ids))
        embeds = self.get_input_embeddings()(input_ids.masked_fill(held, 0))
        has_regions = region_points is not None and len(region_points) > 0
        if encoded is None and not has_regions and not held.any():  # plain text, as in a step of generation
            return embeds
        # Modalities without a signal are checked too: their placeholders would stay what they are, unnoticed.
        none = embeds.new_zeros(0, embeds.shape[-1]), input_ids.new_zeros(0)
        for name, token_id in self.config.signal_token_ids.items():
            rows, sample = none
            if encoded is not None and name in encoded.tokens:
                tokens = encoded.tokens[name]
                rows = tokens.flatten(0, 1)
                sample = encoded.batch.sample[encoded.batch.of(name)].repeat_interleave(tokens.shape[1])
            embeds = place(embeds, input_ids == token_id, rows, sample, name)
        rows, sample = none
        if has_regions:
            if encoded is None:
                raise ValueError("region_points: expected signals beside the regions, got none")
            rows = self.region_tokens(encoded, region_points, region_signal, region_places)
            sample = encoded.batch.sample[region_signal]
        if not self.config.takes_regions:
            return embeds
        return place(embeds, input_ids == self.config.region_token_id, rows, sample, "region")

    def point(
        self, encoded: Encoded, states: Float[Tensor, "mask hidden"], signal: Int[Tensor, " mask"]
    ) -> list[Float[Tensor, " cell"]]:
        """Mask logits over the cells (`deixis.model.masks.cells`) of the signal that each state points into."""
        # one call per modality, whose masks have equally many cells
        logits: dict[int, Tensor] = {}
        row = encoded.batch.row(signal)
        for name in encoded.fields:
            own = (encoded.batch.modality[signal] == modality_index(name)).nonzero().squeeze(1)
            if len(own):
                logits |= zip(own.tolist(), self._mask_logits(encoded, name, states[own], row[own]), strict=True)
        return [logits[index] for index in range(len(signal))]

    def _mask_logits(self, encoded: Encoded, name: str, states: Tensor, row: Tensor) -> Tensor:
        """(mask, cell): mask logits of `states` in signals of one modality, whose rows are given."""
        if not MODALITIES[name].sam or self.sam_pointing is None:
            if self.pointing_head is None or encoded.fields[name].fine is None:
                raise ValueError(
                    f"<seg>: this network makes no masks in {MODALITIES[name].noun}, and was asked for one"
                )
            return self.pointing_head(states, encoded.fields[name].fine.index_select(0, row))
        if encoded.sam is None:
            raise ValueError("sam_values: expected SAM's input of every image, got none; use this model's processor")
        return self.sam_pointing(states, tuple(level[row] for level in encoded.sam.get(self.sam_pointing.encode)))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        signals: Mapping[str, Tensor] | None = None,
        sam_values: Tensor | None = None,
        signal_modality: Tensor | None = None,
        signal_sample: Tensor | None = None,
        region_points: Tensor | None = None,
        region_signal: Tensor | None = None,
        region_places: Tensor | None = None,
        labels: Tensor | None = None,
        coordinates: Tensor | None = None,
        seg_signal: Tensor | None = None,
        seg_target: Tensor | None = None,
        encoded: Encoded | None = None,
        past_key_values: object | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **kwargs,
    ) -> DeixisOutput:
        """Logits, and with `labels` (batch, position; -100 ignored) the losses.

        signals: prepared values by modality, (row, ...), and sam_values where SAM makes the masks, with signal_modality
        and signal_sample (signal,) as in `SignalBatch`; or `encoded`, made by `encode`. region_points (region, point,
        axis), region_signal (region,): in the order of the region tokens; region_places likewise, where the field is
        read elsewhere than at the points. coordinates (batch, position): where a number among the labels is a
        coordinate, not text; None: everywhere. seg_signal (mask,), seg_target (mask, cell): of the `<seg>` tokens among
        the labels, in order; cells beyond those of the signal's modality are ignored. Without seg_target, masks have no
        loss here.
        """
        if encoded is None and signal_modality is not None and len(signal_modality):
            encoded = self.encode(signals or {}, SignalBatch(signal_modality, signal_sample), sam_values)
        if inputs_embeds is None:
            inputs_embeds = self.embed(input_ids, encoded, region_points, region_signal, region_places)
        outputs = self.language_model.get_decoder()(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache if labels is None else False,  # nothing follows a training step
        )
        hidden, cache = outputs.last_hidden_state, outputs.past_key_values
        if labels is not None:
            return self._with_losses(hidden, labels, coordinates, seg_signal, seg_target, encoded)
        logits = self.get_output_embeddings()(hidden[:, -logits_to_keep:] if logits_to_keep else hidden)
        states = None if input_ids is None else hidden[self._prompting(input_ids)]
        return DeixisOutput(logits=logits, past_key_values=cache, hidden=hidden, seg_states=states)

    def _with_losses(self, hidden, labels, coordinates, seg_signal, seg_target, encoded) -> DeixisOutput:
        losses = self._text_losses(hidden, labels, coordinates)
        mask_logits = None
        if seg_signal is not None and len(seg_signal):
            mask_logits = self._predicted_masks(hidden, labels, seg_signal, encoded)
            if seg_target is not None:
                losses |= _cell_losses(mask_logits, seg_target)
        total = sum(getattr(self.config.loss_weights, name) * value for name, value in losses.items())
        detached = {name: value.detach() for name, value in losses.items()}
        return DeixisOutput(loss=total, losses=detached, mask_logits=mask_logits, hidden=hidden)

    def _prompting(self, ids: Int[Tensor, "batch position"]) -> Bool[Tensor, "batch position"]:
        """Where the states lie that prompt the masks of the `<seg>` among `ids`."""
        where = ids == self.config.seg_token_id
        return nn.functional.pad(where[:, 1:], (0, 1)) if self.config.pointing.state == "before" else where

    def _text_losses(self, hidden, labels, coordinates) -> dict[str, Tensor]:
        shifted = nn.functional.pad(labels[:, 1:], (0, 1), value=-100)
        # logits of learnt positions only: a row is mostly signals and questions, and a vocabulary is wide
        learnt = shifted != -100
        if coordinates is not None:
            coordinates = nn.functional.pad(coordinates[:, 1:], (0, 1))[learnt]
        grid, spread = self.config.number_tokens, self.config.number_spread
        logits, labels = self.get_output_embeddings()(hidden[learnt]), shifted[learnt]
        losses = {"text": text_loss(logits, labels, *grid, spread, coordinates)}
        if self.config.loss_weights.numbers > 0:
            losses["numbers"] = number_loss(logits, labels, *grid, coordinates)
        return losses

    def _predicted_masks(self, hidden, labels, seg_signal, encoded) -> list[Tensor]:
        """Mask logits (cell,) of each `<seg>` among the labels, in order."""
        where = self._prompting(labels)
        seg_states, seg_sample = hidden[where], where.nonzero()[:, 0]
        if encoded is None or not torch.equal(encoded.batch.sample[seg_signal], seg_sample):
            raise ValueError(
                f"seg_signal: expected a signal of its own sample for each of {len(seg_states)} <seg> in the labels, "
                f"in order; got {len(seg_signal)}"
            )
        return self.point(encoded, seg_states, seg_signal)

    def generate(self, inputs=None, generation_config=None, logits_processor: Sequence | None = None, **kwargs):
        """As in transformers, except that placeholders of signals and regions are never generated: they mean nothing.

        Stop strings of the generation configuration need `tokenizer=` beside the inputs, as transformers requires.
        """
        suppressed = [token for token in self.input_only_token_ids if token < self.config.text_config.vocab_size]
        own = LogitsProcessorList([SuppressTokensLogitsProcessor(suppressed, device=self.device)] if suppressed else [])
        return super().generate(inputs, generation_config, own + list(logits_processor or ()), **kwargs)

    @property
    def input_only_token_ids(self) -> tuple[int, ...]:
        """Tokens that stand for a signal or a region in a question; some may lie beyond the vocabulary."""
        region = (self.config.region_token_id,) if self.config.takes_regions else ()
        return (*self.config.signal_token_ids.values(), *region)

    def prepare_inputs_for_generation(self, input_ids, past_key_values=None, **kwargs):
        """Signals and regions go in with the prompt; afterwards text alone, the rest is in the cache."""
        inputs = super().prepare_inputs_for_generation(input_ids, past_key_values=past_key_values, **kwargs)
        if past_key_values is not None and past_key_values.get_seq_length() > 0:
            for name in _SIGNAL_INPUTS:
                inputs.pop(name, None)
        return inputs

    def _expand_inputs_for_generation(self, expand_size=1, is_encoder_decoder=False, input_ids=None, **kwargs):
        """Beams and several answers a question: signals and regions are repeated with their rows of text."""
        if expand_size == 1:
            return input_ids, kwargs
        if kwargs.get("encoded") is not None:
            raise ValueError("encoded: expected the signals themselves for several beams or answers, got them encoded")
        signals = repeat_signals({name: kwargs.pop(name, None) for name in _SIGNAL_INPUTS}, expand_size)
        input_ids, kwargs = super()._expand_inputs_for_generation(expand_size, False, input_ids, **kwargs)
        return input_ids, kwargs | signals


def _cell_losses(logits: list[Tensor], target: Tensor) -> dict[str, Tensor]:
    """Mean bce and dice over masks whose targets (mask, cell) are padded to the largest number of cells."""
    bce, dice = [], []
    for cells in sorted({len(own) for own in logits}):  # masks of one modality have as many cells
        own = [index for index, mask in enumerate(logits) if len(mask) == cells]
        parts = mask_losses(torch.stack([logits[index] for index in own]), target[own, :cells])
        bce.append(parts[0])
        dice.append(parts[1])
    return {"bce": torch.cat(bce).mean(), "dice": torch.cat(dice).mean()}


_TIE_WEIGHTS = PreTrainedModel.tie_weights
_SIGNAL_INPUTS = (
    "signals",
    "sam_values",
    "signal_modality",
    "signal_sample",
    "region_points",
    "region_signal",
    "region_places",
    "encoded",
)


def build_pointing_head(config: DeixisConfig) -> PointingHead:
    """The pointing head over the fields' finer level, freshly initialised."""
    return PointingHead(config.text_config.hidden_size, config.pointing.dim)


def _tied_keys(prefix: str, part: PreTrainedModel) -> dict[str, str]:
    """Copies and originals of a part's tied weights, by their names in the whole network."""
    keys = part._tied_weights_keys
    if not isinstance(keys, dict) or not getattr(part.config, "tie_word_embeddings", True):
        return {}
    return {f"{prefix}.{copy}": f"{prefix}.{original}" for copy, original in keys.items()}
