"""`DeixisConfig`: every size of the network, and every choice the papers compare, as plain or typed values.

The configuration stops at the builders; the parts themselves take plain arguments. The options of
each modality are a typed part too (`Modality.options` in `deixis.signals`): how a file is prepared and what its
tokenizer is built with. What a network can do (`abilities`) follows from its configuration.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, no_type_check

from transformers import AutoConfig, PreTrainedConfig

from deixis.errors import ConfigError
from deixis.geometry import Notation
from deixis.model.part_configs import EncoderConfig, LossWeights, PointingConfig, ProjectionConfig, SamplerConfig
from deixis.options import check_choice, check_known, check_value, did_you_mean, plain_values, read_options
from deixis.signals import MODALITIES, SignalOptions
from deixis.signals.tokenizer_options import IMAGE

PARTS = {
    "encoder": EncoderConfig,
    "projection": ProjectionConfig,
    "sampler": SamplerConfig,
    "pointing": PointingConfig,
    "loss_weights": LossWeights,
    "notation": Notation,
}
"""The typed parts of a configuration by the name of their field."""


@no_type_check  # by the tests' hook: transformers checks the fields itself, and passes more than are declared
class DeixisConfig(PreTrainedConfig):
    """Configuration of `DeixisForConditionalGeneration`.

    Fields:
        vision_config: transformers configuration of the universal encoder (CLIP's vision model by default).
        text_config: transformers configuration of any causal language model.
        signals: the options of each modality by its name (`Modality.options`), or mappings of their fields; a
            modality that is absent or None is not taken.
        encoder, projection, sampler, pointing, loss_weights: the typed parts (`model.part_configs`), or mappings of
            their fields; None is all defaults.
        mask_config: transformers' SamConfig or Sam2Config, for these backbones.
        notation: `deixis.geometry.Notation`, or a mapping of its fields: how regions are written into text.
        system: whose checkpoint this is: "deixis", "onellm", "ferret" or "lisa".
        signal_token_ids: placeholder token per modality; region_token_id, seg_token_id: the tokens of regions in and
            masks out. Placeholders may lie beyond the vocabulary: they are never looked up.
        number_tokens: [id of the token "0", how many consecutive number tokens there are], or None where numbers
            are spelt in digits.
        number_spread: width in grid cells of the target of a number while training; 0 is plain cross entropy.

    Raises ConfigError where a field is unknown, does not fit, or contradicts another one.
    """

    model_type = "deixis"
    sub_configs = {"vision_config": AutoConfig, "text_config": AutoConfig, "mask_config": AutoConfig}

    # transformers makes the classes of these three at run time, by their model_type
    vision_config: Any = None
    text_config: Any = None
    mask_config: Any = None
    signals: dict[str, Any] = field(default_factory=dict)
    encoder: EncoderConfig = EncoderConfig()
    projection: ProjectionConfig = ProjectionConfig()
    sampler: SamplerConfig = SamplerConfig()
    pointing: PointingConfig = PointingConfig()
    loss_weights: LossWeights = LossWeights()
    notation: Notation = Notation()
    system: str = "deixis"
    signal_token_ids: dict[str, int] = field(default_factory=dict)
    region_token_id: int = 3
    seg_token_id: int = 4
    number_tokens: tuple | list = (0, 0)
    number_spread: float = 0.0
    tie_word_embeddings: bool = True

    def __setattr__(self, key: str, value: Any) -> None:
        # Files and recipes give parts as mappings; every assignment, later ones too, passes the same checks.
        if key in PARTS:
            value = read_options(PARTS[key], {} if value is None else value, f"{key}.")
        if key == "signals":
            value = _signals(value or {})
        super().__setattr__(key, value)

    def __post_init__(self, **kwargs):
        self._check_unknown(kwargs)
        self.vision_config = _sub_config(self.vision_config, "clip_vision_model")
        self.text_config = _sub_config(self.text_config, "llama")
        if self.pointing.uses_sam:
            self.mask_config = _sub_config(self.mask_config, str(self.pointing.backbone))
        self.number_tokens = list(self.number_tokens or (0, 0))
        self.signal_token_ids = dict(self.signal_token_ids or {})
        self._check()
        super().__post_init__(**kwargs)
        self.tie_word_embeddings = self.text_config.tie_word_embeddings

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain values, as `from_dict` and JSON take them."""
        signals = {name: plain_values(options) for name, options in self.signals.items()}
        return super().to_dict() | {name: plain_values(getattr(self, name)) for name in PARTS} | {"signals": signals}

    def _check_unknown(self, names: dict[str, Any]) -> None:
        """Raises ConfigError for a misspelt field; transformers keeps any other one as an attribute."""
        for name in names.keys() - {"quantization_config"}:  # which transformers adds, and is near to vision_config
            if name in MODALITIES:
                raise ConfigError(f"{name}: expected the options of a modality under signals; got them beside it")
            if near := did_you_mean(name, DeixisConfig.__annotations__):
                raise ConfigError(f"{name}: unknown field of DeixisConfig{near}")

    def _check(self) -> None:
        """Raises ConfigError for values that do not fit their fields or each other."""
        for name, hint in DeixisConfig.__annotations__.items():
            check_value(name, getattr(self, name), hint)
        if self.pointing.uses_sam:
            check_choice("mask_config.model_type", self.mask_config.model_type, (self.pointing.backbone,))
        self._check_patches()
        self._check_as_images()

    def _check_patches(self) -> None:
        """Raises ConfigError where a modality cannot share the patch embedding of the vision model."""
        vision = self.vision_config
        for name, options in self.signals.items():
            if not MODALITIES[name].patches or options.tokenizer != "patch":
                continue
            if self.encoder.type != "trunk":
                raise ConfigError(
                    f"signals.{name}.tokenizer: 'patch' shares a vision model's patches, which needs encoder.type "
                    f"'trunk'; got {self.encoder.type!r}"
                )
            if (options.size_px, options.patch_px) != (vision.image_size, vision.patch_size):
                raise ConfigError(
                    f"signals.{name}: expected the sizes of vision_config, size_px {vision.image_size} and patch_px "
                    f"{vision.patch_size}; got {options.size_px} and {options.patch_px}"
                )

    def _check_as_images(self) -> None:
        """Raises ConfigError where a modality cannot be read by the tokenizer of images."""
        image = self.signals.get(IMAGE)
        for name, options in self.signals.items():
            if options.tokenizer != IMAGE:
                continue
            if image is None or image.tokenizer != "stem" or image.early_dim != options.early_dim:
                came = "no images" if image is None else f"{image.tokenizer!r} and {image.early_dim}"
                raise ConfigError(
                    f"signals.{name}.tokenizer: 'image' expects images among the signals, with tokenizer 'stem' and "
                    f"early_dim {options.early_dim}; got {came}"
                )

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that this network takes, in the order of `MODALITIES`."""
        return tuple(self.signals)

    @property
    def takes_regions(self) -> bool:
        """Whether the features of regions in a question are read."""
        return self.sampler.type is not None

    @property
    def makes_masks(self) -> bool:
        """Whether a hidden state at `<seg>` becomes a mask, spans or a point set."""
        return self.pointing.backbone is not None

    @property
    def has_fine(self) -> bool:
        """Whether fields have the finer level, which the shared pointing head marks and regions read."""
        shared = self.pointing.backbone == "shared" or any(not MODALITIES[name].sam for name in self.signals)
        return self.makes_masks and shared

    @property
    def abilities(self) -> dict[str, list[str]]:
        """What this network can do: {"signals": modalities in, "regions": those that take regions, "answers": out}."""
        takes = self.takes_regions or self.notation.coordinates_alone
        places = [name for name, options in self.signals.items() if takes and options.has_places]
        answers = ["text"] + ["box"] * self.notation.coordinates + ["mask"] * self.makes_masks
        return {"signals": list(self.modalities), "regions": places, "answers": answers}


def _signals(values: Any) -> dict[str, SignalOptions]:
    """The typed options of each modality that is given, in the order of `MODALITIES`."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"signals: expected the options of each modality by its name; got {values!r}")
    check_known("signals.", values, MODALITIES)
    given = {name: values[name] for name in MODALITIES if values.get(name) is not None}
    return {name: read_options(MODALITIES[name].options, own, f"signals.{name}.") for name, own in given.items()}


def _sub_config(value: dict | PreTrainedConfig | None, default_type: str) -> PreTrainedConfig:
    if isinstance(value, PreTrainedConfig):
        return value
    value = dict(value or {})
    return AutoConfig.for_model(value.pop("model_type", default_type), **value)
