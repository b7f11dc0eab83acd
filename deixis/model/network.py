"""`DeixisForConditionalGeneration`: signals, regions and text in; text and masks out.

    signals -> FieldEncoder -> fields -> projection -> signal tokens --+
    regions -> field.at(points) -> RegionSampler -> region tokens -----+-> language model -> text
                                                                              +-> hidden at <seg> -> masks
                                              (of the fields' fine features, or of SAM where configured) --+

The forward is the same while training and while generating. Inputs are what `DeixisProcessor` makes. It knows grid
numbers and special tokens by id only; files, units and wording are the processor's.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.utils import ModelOutput

from deixis.model.config import KINDS, POINT_AXES, DeixisConfig
from deixis.model.encoder import vision_layers
from deixis.model.field import Field
from deixis.model.fields import AXES, build_field_encoder
from deixis.model.fusion import Encoded, SignalBatch, place, repeat_signals
from deixis.model.losses import mask_losses, number_loss, text_loss
from deixis.model.pointing import PointingHead
from deixis.model.projection import LinearProjection, UniversalProjection
from deixis.model.sampler import RegionSampler


@dataclass
class DeixisOutput(ModelOutput):
    """Result of a forward.

    loss: weighted sum, with `labels` given. losses: each loss by name. logits: (batch, position, vocab).
    seg_states: (mask, hidden) final hidden states at `<seg>` inputs, row by row.
    """

    loss: Tensor | None = None
    losses: dict[str, Tensor] | None = None
    logits: Tensor | None = None
    past_key_values: object | None = None
    seg_states: Tensor | None = None


class DeixisForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """One network for every signal; see the module's drawing."""

    config_class = DeixisConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    _supports_sdpa = True
    accepts_loss_kwargs = False  # the losses are means: Trainer is to divide them when it accumulates gradients
    _no_split_modules = ["CLIPEncoderLayer", "LlamaDecoderLayer"]

    def __init__(self, config: DeixisConfig):
        super().__init__(config)
        dim, hidden = config.vision_config.hidden_size, config.text_config.hidden_size
        self.field_encoder = build_field_encoder(config)
        self.projection = _build_projection(config)
        both = dim + config.pointing["dim"]
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in config.sampler.items()}
        del plain["points"], plain["in_dim"]
        self.region_features = nn.Linear(both, config.sampler["in_dim"])
        self.region_sampler = RegionSampler(config.sampler["in_dim"], hidden, dim=POINT_AXES, **plain)
        self.pointing_head = PointingHead(hidden, config.pointing["dim"])
        self.sam_pointing = None
        if config.pointing["backbone"] == "sam":
            from deixis.model.sam import build_sam_pointing

            self.sam_pointing = build_sam_pointing(config.mask_config, hidden, config.pointing["train"])
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self._tied_weights_keys = _tied_keys("language_model", self.language_model)
        if self.sam_pointing is not None:
            self._tied_weights_keys |= _tied_keys("sam_pointing.sam", self.sam_pointing.sam)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing: every part is initialised where it is built, the language model by its own class."""

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.language_model.get_output_embeddings()

    def encode(self, values: dict[str, Tensor | None], batch: SignalBatch) -> Encoded:
        """Fields and language-model tokens of all signals of a batch; `values` by kind, rows in `batch` order.

        `values["sam"]` holds SAM's input for the pictures, where SAM makes the masks. Raises ValueError where the
        number of rows of a kind is not that in `batch`.
        """
        for kind in KINDS:
            given, wanted = 0 if values.get(kind) is None else len(values[kind]), len(batch.of(kind))
            if given != wanted:
                raise ValueError(f"{kind}_values: expected a row for each of {wanted} in signal_kind, got {given}")
        fields = {kind: self.field_encoder(values[kind], kind) for kind in KINDS if values.get(kind) is not None}
        tokens = {kind: self.projection(field.tokens, kind) for kind, field in fields.items()}
        return Encoded(batch, fields, tokens, values.get("sam"))

    def encode_inputs(self, inputs: MutableMapping[str, Tensor]) -> Encoded | None:
        """Takes the signals out of `inputs`, which the processor made, and encodes them; None where there are none."""
        values = {kind: inputs.pop(f"{kind}_values", None) for kind in (*KINDS, "sam")}
        kind, sample = inputs.pop("signal_kind", None), inputs.pop("signal_sample", None)
        return None if kind is None or not len(kind) else self.encode(values, SignalBatch(kind, sample))

    def region_tokens(
        self, encoded: Encoded, points: Float[Tensor, "region point 3"], signal: Int[Tensor, " region"]
    ) -> Float[Tensor, "region hidden"]:
        """One token a region: the sampler's reading of the field at its points (unit coordinates, zero-padded axes)."""
        row = encoded.batch.row(signal)
        dtype = self.region_features.weight.dtype
        features = points.new_zeros(*points.shape[:2], self.region_features.in_features, dtype=dtype)
        for kind, field in encoded.fields.items():
            own = (encoded.batch.kind[signal] == KINDS.index(kind)).nonzero().squeeze(1)
            if len(own):
                read = field.at(points[own][..., : AXES[kind]].to(field.fine_positions.dtype), row[own])
                features = features.index_copy(0, own, read.to(features.dtype))
        return self.region_sampler(self.region_features(features), points)

    def embed(
        self,
        input_ids: Int[Tensor, "batch position"],
        encoded: Encoded | None = None,
        region_points: Float[Tensor, "region point 3"] | None = None,
        region_signal: Int[Tensor, " region"] | None = None,
    ) -> Float[Tensor, "batch position hidden"]:
        """Text embeddings with signal and region tokens in their placeholders."""
        embeds = self.get_input_embeddings()(input_ids)
        none = input_ids.new_zeros(0)
        for kind, token_id in self.config.signal_token_ids.items():
            rows, sample = embeds.new_zeros(0, embeds.shape[-1]), none
            if encoded is not None and kind in encoded.tokens:
                tokens = encoded.tokens[kind]
                rows = tokens.flatten(0, 1)
                sample = encoded.batch.sample[encoded.batch.of(kind)].repeat_interleave(tokens.shape[1])
            embeds = place(embeds, input_ids == token_id, rows, sample, kind)
        rows, sample = embeds.new_zeros(0, embeds.shape[-1]), none
        if region_points is not None and len(region_points):
            if encoded is None:
                raise ValueError("region_points: expected signals beside the regions, got none")
            rows = self.region_tokens(encoded, region_points, region_signal)
            sample = encoded.batch.sample[region_signal]
        return place(embeds, input_ids == self.config.region_token_id, rows, sample, "region")

    def point(
        self, encoded: Encoded, states: Float[Tensor, "mask hidden"], signal: Int[Tensor, " mask"]
    ) -> list[Float[Tensor, " cell"]]:
        """Mask logits over the cells of the signal each state points into (see `deixis.model.masks`)."""
        row = encoded.batch.row(signal).tolist()
        kinds = [KINDS[k] for k in encoded.batch.kind[signal].tolist()]
        return [
            self._mask_logits(encoded, kind, states[i : i + 1], slice(row[i], row[i] + 1))[0]
            for i, kind in enumerate(kinds)
        ]

    def _mask_logits(self, encoded: Encoded, kind: str, states: Tensor, row: Tensor | slice) -> Tensor:
        """(mask, cell): what `states` mark in signals of one kind, whose rows are given."""
        if kind != "image" or self.sam_pointing is None:
            return self.pointing_head(states, encoded.fields[kind].fine[row])
        if encoded.sam_features is None:
            if encoded.sam_values is None:
                raise ValueError(
                    "sam_values: expected SAM's input of every picture, got none; use this model's processor"
                )
            encoded.sam_features = self.sam_pointing.encode(encoded.sam_values)
        return self.sam_pointing(states, encoded.sam_features[row])

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        image_values: Tensor | None = None,
        audio_values: Tensor | None = None,
        point_cloud_values: Tensor | None = None,
        sam_values: Tensor | None = None,
        signal_kind: Tensor | None = None,
        signal_sample: Tensor | None = None,
        region_points: Tensor | None = None,
        region_signal: Tensor | None = None,
        labels: Tensor | None = None,
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

        image_values (row, 3, side, side), audio_values (row, frame, mel), point_cloud_values (row, point, 6) and
        perhaps sam_values (image row, 3, side, side), with signal_kind and signal_sample (signal,) as in
        `SignalBatch`; or `encoded`, made by `encode`.
        region_points (region, point, 3), region_signal (region,): in the order of the region tokens.
        seg_signal (mask,), seg_target (mask, cell): the masks of the `<seg>` tokens among the labels, in order; cells
        beyond those of the signal's kind are ignored.
        """
        if encoded is None and signal_kind is not None and len(signal_kind):
            values = {"image": image_values, "audio": audio_values, "point_cloud": point_cloud_values}
            values["sam"] = sam_values
            encoded = self.encode(values, SignalBatch(signal_kind, signal_sample))
        if inputs_embeds is None:
            inputs_embeds = self.embed(input_ids, encoded, region_points, region_signal)
        outputs = self.language_model.get_decoder()(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
        )
        hidden, head = outputs.last_hidden_state, self.get_output_embeddings()
        if labels is not None:
            losses = self._losses(hidden, labels, seg_signal, seg_target, encoded)
            weights = self.config.loss_weights
            total = sum(weights[name] * value for name, value in losses.items())
            return DeixisOutput(loss=total, losses={name: value.detach() for name, value in losses.items()})
        seg_states = None if input_ids is None else hidden[input_ids == self.config.seg_token_id]
        logits = head(hidden[:, -logits_to_keep:] if logits_to_keep else hidden)
        return DeixisOutput(logits=logits, past_key_values=outputs.past_key_values, seg_states=seg_states)

    def _losses(self, hidden, labels, seg_signal, seg_target, encoded) -> dict[str, Tensor]:
        shifted = nn.functional.pad(labels[:, 1:], (0, 1), value=-100)
        kept = shifted != -100
        grid = self.config.number_tokens
        logits = self.get_output_embeddings()(hidden[kept])
        losses = {"text": text_loss(logits, shifted[kept], *grid, self.config.number_spread)}
        if self.config.loss_weights["numbers"] > 0:
            losses["numbers"] = number_loss(logits, shifted[kept], *grid)
        if seg_signal is None or not len(seg_signal):
            return losses
        where = labels == self.config.seg_token_id
        seg_states, seg_sample = hidden[where], where.nonzero()[:, 0]
        if encoded is None or not torch.equal(encoded.batch.sample[seg_signal], seg_sample):
            raise ValueError(
                f"seg_signal: expected a signal of its own sample for each of {len(seg_states)} <seg> in the labels, "
                f"in order; got {len(seg_signal)}"
            )
        bce, dice = [], []
        row = encoded.batch.row(seg_signal)
        for kind in encoded.fields:
            own = (encoded.batch.kind[seg_signal] == KINDS.index(kind)).nonzero().squeeze(1)
            if len(own):
                marks = self._mask_logits(encoded, kind, seg_states[own], row[own])
                parts = mask_losses(marks, seg_target[own, : marks.shape[1]])
                bce.append(parts[0])
                dice.append(parts[1])
        return losses | {"bce": torch.cat(bce).mean(), "dice": torch.cat(dice).mean()}

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


_SIGNAL_INPUTS = ("image_values", "audio_values", "point_cloud_values", "sam_values", "signal_kind", "signal_sample")
_SIGNAL_INPUTS += ("region_points", "region_signal", "encoded")


def _tied_keys(prefix: str, part: PreTrainedModel) -> dict[str, str]:
    """Copies and originals of a part's tied weights, by their names in the whole network."""
    keys = part._tied_weights_keys
    if not isinstance(keys, dict) or not part.config.tie_word_embeddings:
        return {}
    return {f"{prefix}.{copy}": f"{prefix}.{kept}" for copy, kept in keys.items()}


def _build_projection(config: DeixisConfig) -> nn.Module:
    dim, hidden = config.vision_config.hidden_size, config.text_config.hidden_size
    options = dict(config.projection)
    if options.pop("type") == "linear":
        return LinearProjection(dim, hidden)
    depth, ratio = options.pop("depth"), options.pop("mlp_ratio")
    layers = {**config.vision_config.to_dict(), "num_hidden_layers": depth, "intermediate_size": int(dim * ratio)}
    block = type(config.vision_config)(**layers)
    return UniversalProjection(dim, hidden, config.kinds, lambda: vision_layers(block), **options)


__all__ = ["DeixisForConditionalGeneration", "DeixisOutput", "Field"]
