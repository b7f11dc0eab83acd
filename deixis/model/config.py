"""`DeixisConfig`: every size of the network, and every choice the papers compare, as plain values.

The configuration stops at the builders; the parts themselves take plain arguments. The dictionaries of signals, one a
kind, hold what `deixis.signals` needs to prepare a file and what the tokenizer of that kind is built with
(`signal_options` lists the fields). What a network can do (`abilities`) follows from its configuration.
"""

from typing import Any, no_type_check

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig

from deixis.errors import ConfigError
from deixis.geometry import Notation
from deixis.model.kinds import KINDS
from deixis.model.signal_options import PLACELESS, check_signals, known_fields, with_defaults

CHOICES: dict[str, tuple[str, ...]] = {
    "encoder.type": ("fourier", "trunk"),
    "encoder.positions": ("learned", "fourier"),
    "encoder.attention": ("tokens", "batch"),
    "projection.type": ("upm", "linear", "mlp"),
    "projection.router": ("soft", "sigmoid", "sparse", "constant"),
    "projection.route": ("sample", "token"),
    "projection.expert": ("vision", "llama"),
    "projection.maps": ("shared", "own"),
    "sampler.type": ("sampler", "average"),
    "sampler.local": ("difference", "pointmlp"),
    "sampler.pooling": ("max", "mean"),
    "sampler.features": ("levels", "tokens"),
    "pointing.backbone": ("shared", "sam", "sam2"),
    "pointing.train": ("none", "decoder", "lora", "all"),
    "pointing.state": ("at", "before"),
}
_ENCODER = {"type": "fourier", "layer": -1, "norm": True, "class_token": False, "positions": "fourier"}
_ENCODER["attention"] = "tokens"
_PROJECTION = {"type": "upm", "queries": 8, "experts": 3, "depth": 1, "mlp_ratio": 2.0, "router": "soft"}
_PROJECTION |= {"route": "sample", "router_ratio": 0.25, "expert": "vision", "maps": "shared", "tags": False}
_PROJECTION |= {"keep_tokens": True, "norm": True, "heads": 16, "multiple_of": 256, "eps": 1e-5}
_SAMPLER = {"type": "sampler", "points": 64, "in_dim": 128, "anchors": [16, 4], "neighbours": [8, 4], "pooling": "max"}
_SAMPLER |= {"coordinates": True, "local": "difference", "normalize": "anchor", "features": "levels", "axes": 3}
_POINTING = {"dim": 64, "backbone": "shared", "train": "decoder", "state": "at"}
_LOSSES = {"text": 1.0, "numbers": 0.0, "bce": 2.0, "dice": 0.5}
_PARTS = {"encoder": _ENCODER, "projection": _PROJECTION, "sampler": _SAMPLER, "pointing": _POINTING}
FREEZABLE = ("encoder", "tokenizers", "projection", "region_sampler", "pointing_head", "language_model")
"""Parts that may be kept from learning; what learns of SAM is said by `pointing.train`."""
MASK_MODELS = {"sam": "sam", "sam2": "sam2"}  # backbone -> transformers' model type


@no_type_check  # by the tests' hook: transformers checks the fields itself, and passes more than are declared
@strict
class DeixisConfig(PreTrainedConfig):
    """Configuration of `DeixisForConditionalGeneration`.

    Fields:
        vision_config: transformers configuration of the universal encoder (CLIP's vision model by default).
        text_config: transformers configuration of any causal language model.
        image, audio, point_cloud, video, depth, normal, imu, fmri: preparation and tokenizer of each kind of signal
            (`signal_options`); None leaves it out.
        encoder: {"type": "fourier" (the layers of the vision model, positions as sines) | "trunk" (the vision model
            with its own patches and positions), "layer": -1 the last, -2 the one before, ..., "norm": the final norm
            is applied, "class_token": given to the projection too, "positions": of signals that are no pictures, when
            "trunk": "learned" | "fourier", "attention": over the "tokens" of a signal, or over the "batch" (see
            `model.trunk`)}.
        projection: {"type": "upm" | "linear" | "mlp", "queries": n, "experts": K, "depth": blocks per expert,
            "router": "soft" (softmax) | "sigmoid" (divided by the sum) | "sparse" (the best) | "constant" (1/K),
            "route": weights by "sample" | "token", "expert": "vision" | "llama" blocks, "maps": linear maps into and
            out of the experts, "shared" | "own" by kind, "tags": a learnt start and end token, "keep_tokens": bool,
            ...} (`model.projection`).
        sampler: {"type": "sampler" | "average", "points": n, "in_dim": c, "anchors": [..], "neighbours": [..],
            "pooling": "max" | "mean", "coordinates": bool, "local": "difference" | "pointmlp" (its affine module by
            "normalize"), "features": "levels" (both levels of the field, mapped to in_dim) | "tokens" (the encoder's,
            as they are), "axes": of points} of the region sampler; {"type": None} for a network without regions.
        pointing: {"dim": channels of the mask features, "backbone": "shared" | "sam" | "sam2", "train": which weights
            of SAM learn, "none" | "decoder" | "lora" | "all", "state": the prompting state is "at" the `<seg>` token
            or "before" it, where it was predicted (LISA)}; {"backbone": None} for a network that makes no masks. With
            SAM the masks of pictures are SAM's; other signals always have the shared encoder's.
        mask_config: transformers' SamConfig or Sam2Config, for these backbones.
        notation: fields of `deixis.geometry.Notation`, how regions are written into text.
        system: whose checkpoint this is: "deixis", "onellm", "ferret" or "lisa".
        signal_token_ids: placeholder token of each kind; region_token_id, seg_token_id: the tokens of regions in and
            masks out. Placeholders may lie beyond the vocabulary: they are never looked up.
        number_tokens: [id of the token "0", how many numbers in a row follow], or None where numbers are spelt.
        number_spread: width in grid cells of the target of a number while training; 0 is plain cross entropy.
        frozen: the parts that do not learn, of `FREEZABLE`.
        loss_weights: weights of "text", "bce" and "dice" (LISA, section 3.2: 1, 2, 0.5), and of "numbers"
            (`losses.number_loss`, 0: not taken).
    """

    model_type = "deixis"
    sub_configs = {"vision_config": AutoConfig, "text_config": AutoConfig, "mask_config": AutoConfig}

    vision_config: dict | PreTrainedConfig | None = None
    text_config: dict | PreTrainedConfig | None = None
    image: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    point_cloud: dict[str, Any] | None = None
    video: dict[str, Any] | None = None
    depth: dict[str, Any] | None = None
    normal: dict[str, Any] | None = None
    imu: dict[str, Any] | None = None
    fmri: dict[str, Any] | None = None
    encoder: dict[str, Any] | None = None
    projection: dict[str, Any] | None = None
    sampler: dict[str, Any] | None = None
    pointing: dict[str, Any] | None = None
    mask_config: dict | PreTrainedConfig | None = None
    notation: dict[str, Any] | Notation | None = None
    system: str = "deixis"
    signal_token_ids: dict[str, int] | None = None
    region_token_id: int = 3
    seg_token_id: int = 4
    number_tokens: tuple | list | None = None
    number_spread: float = 0.0
    frozen: tuple | list | None = None
    loss_weights: dict[str, float] | None = None
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs):
        self.vision_config = _sub_config(self.vision_config, "clip_vision_model")
        self.text_config = _sub_config(self.text_config, "llama")
        averages = (self.sampler or {}).get("type") == "average"
        parts = {**_PARTS, "sampler": {**_SAMPLER, "pooling": "mean" if averages else "max"}}
        for name, defaults in parts.items():
            setattr(self, name, {**defaults, **(getattr(self, name) or {})})
        for kind in KINDS:
            if getattr(self, kind) is not None:
                setattr(self, kind, with_defaults(kind, getattr(self, kind)))
        if self.pointing["backbone"] in MASK_MODELS:
            self.mask_config = _sub_config(self.mask_config, MASK_MODELS[self.pointing["backbone"]])
        self.notation = Notation.of(self.notation)
        self.loss_weights = {**_LOSSES, **(self.loss_weights or {})}
        self.frozen = list(self.frozen or ())
        self.number_tokens = list(self.number_tokens or (0, 0))
        self.signal_token_ids = dict(self.signal_token_ids or {})
        self._check()
        super().__post_init__(**kwargs)
        self.tie_word_embeddings = self.text_config.tie_word_embeddings

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain JSON values."""
        return super().to_dict() | {"notation": Notation.of(self.notation).to_dict()}

    def _check(self) -> None:
        """Raises ValueError for values that do not go together."""
        for name, choices in CHOICES.items():
            part, field = name.split(".")
            value = getattr(self, part)[field]
            if name in ("sampler.type", "pointing.backbone") and value is None:
                continue
            _check_choice(name, value, choices)
        if (backbone := self.pointing["backbone"]) in MASK_MODELS:
            _check_choice("mask_config.model_type", self.mask_config.model_type, (MASK_MODELS[backbone],))
        for part in self.frozen:
            _check_choice("frozen", part, FREEZABLE)
        fields = {name: tuple(defaults) for name, defaults in _PARTS.items()}
        for name, known in {**fields, **{kind: known_fields(kind) for kind in KINDS}}.items():
            if unknown := (getattr(self, name) or {}).keys() - set(known):
                listed = ", ".join(known)
                raise ConfigError(f"{name}: expected {listed}; got the unknown field {sorted(unknown)[0]!r}")
        check_signals({kind: getattr(self, kind) for kind in self.kinds}, self.encoder, self.vision_config)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of signal this network takes, in the order of `KINDS`."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def takes_regions(self) -> bool:
        """Whether regions may be pointed at in a question."""
        return self.sampler["type"] is not None

    @property
    def makes_masks(self) -> bool:
        """Whether a hidden state at `<seg>` becomes a mask, spans or a point set."""
        return self.pointing["backbone"] is not None

    @property
    def has_fine(self) -> bool:
        """Whether fields have the finer level, which the shared pointing head marks and regions read."""
        shared = self.pointing["backbone"] == "shared" or any(kind != "image" for kind in self.kinds)
        return self.makes_masks and shared

    @property
    def abilities(self) -> dict[str, list[str]]:
        """What this network can do: {"signals": kinds in, "regions": kinds that regions may lie in, "answers": out}."""
        places = [k for k in self.kinds if self.takes_regions and getattr(self, k)["tokenizer"] not in PLACELESS]
        answers = ["text"] + ["box"] * self.notation.coordinates + ["mask"] * self.makes_masks
        return {"signals": list(self.kinds), "regions": places, "answers": answers}


def _sub_config(value: dict | PreTrainedConfig | None, default_type: str) -> PreTrainedConfig:
    if isinstance(value, PreTrainedConfig):
        return value
    value = dict(value or {})
    return AutoConfig.for_model(value.pop("model_type", default_type), **value)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}: expected one of {', '.join(choices)}; got {value!r}")
