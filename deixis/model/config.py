"""`DeixisConfig`: every size of the network, and every choice the papers compare, as plain values.

The configuration stops at `network.build_parts`; the parts themselves take plain arguments. The three dictionaries of
signals hold what `deixis.signals` needs to prepare a file (`ImageSpec`, `AudioSpec`, `PointCloudSpec`) and what the
tokenizer of that kind is built with.
"""

from typing import Any, no_type_check

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig

ROUTERS = ("soft", "sparse", "constant")
PROJECTIONS = ("upm", "linear")
BACKBONES = ("shared", "sam")
SAM_TRAINED = ("none", "decoder", "all")
KINDS = ("image", "audio", "point_cloud")  # the order of signal kinds, wherever a kind is a number
POINT_AXES = 3  # points of every signal are padded with zeros to three axes: one sampler for all


@no_type_check  # by the tests' hook: transformers checks the fields itself, and passes more than are declared
@strict
class DeixisConfig(PreTrainedConfig):
    """Configuration of `DeixisForConditionalGeneration`.

    Fields:
        vision_config: transformers configuration of the universal encoder (CLIP's vision model by default).
        text_config: transformers configuration of any causal language model.
        image / audio / point_cloud: preparation and tokenizer of each signal (`model.tokenizers`); None leaves it out.
        projection: {"type": "upm" | "linear", "queries": n, "experts": K, "depth": blocks per expert, "mlp_ratio": r,
            "router": "soft" | "sparse" | "constant", "keep_tokens": bool}.
        sampler: {"points": n, "in_dim": c, "anchors": [..], "neighbours": [..], "pooling": "max" | "mean",
            "coordinates": bool} of the region sampler.
        pointing: {"dim": channels of the mask features, "backbone": "shared" | "sam", "train": which weights of SAM
            learn, "none" | "decoder" | "all"}. With "sam" the masks of pictures are SAM's; sounds and clouds always
            have the shared encoder's.
        mask_config: transformers' SamConfig, for that backbone.
        dialect: the name of the notation in `deixis.geometry.DIALECTS`.
        signal_token_ids: placeholder token of each kind; region_token_id, seg_token_id: the tokens of regions in and
            masks out.
        number_tokens: [id of the token "0", how many numbers in a row follow], or None where numbers are spelt.
        number_spread: width in grid cells of the target of a number while training; 0 is plain cross entropy.
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
    projection: dict[str, Any] | None = None
    sampler: dict[str, Any] | None = None
    pointing: dict[str, Any] | None = None
    mask_config: dict | PreTrainedConfig | None = None
    dialect: str = "deixis"
    signal_token_ids: dict[str, int] | None = None
    region_token_id: int = 3
    seg_token_id: int = 4
    number_tokens: tuple | list | None = None
    number_spread: float = 0.0
    loss_weights: dict[str, float] | None = None
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs):
        self.vision_config = _sub_config(self.vision_config, "clip_vision_model")
        self.text_config = _sub_config(self.text_config, "llama")
        for kind, (defaults, _) in _SIGNALS.items():
            if getattr(self, kind) is not None:
                setattr(self, kind, {**defaults, **getattr(self, kind)})
        self.projection = {**_PROJECTION, **(self.projection or {})}
        self.sampler = {**_SAMPLER, **(self.sampler or {})}
        self.pointing = {**_POINTING, **(self.pointing or {})}
        if self.pointing["backbone"] == "sam":
            self.mask_config = _sub_config(self.mask_config, "sam")
        self.loss_weights = {"text": 1.0, "numbers": 0.0, "bce": 2.0, "dice": 0.5, **(self.loss_weights or {})}
        self.number_tokens = list(self.number_tokens or (0, 0))
        self.signal_token_ids = dict(self.signal_token_ids or {})
        _check_choice("projection.type", self.projection["type"], PROJECTIONS)
        _check_choice("projection.router", self.projection["router"], ROUTERS)
        self._check()
        super().__post_init__(**kwargs)
        self.tie_word_embeddings = self.text_config.tie_word_embeddings

    def _check(self) -> None:
        """Raises ValueError for values that do not go together."""
        _check_choice("pointing.backbone", self.pointing["backbone"], BACKBONES)
        _check_choice("pointing.train", self.pointing["train"], SAM_TRAINED)
        if self.pointing["backbone"] == "sam":
            _check_choice("mask_config.model_type", self.mask_config.model_type, ("sam",))
        known = {"projection": (_PROJECTION, ()), "sampler": (_SAMPLER, ()), "pointing": (_POINTING, ()), **_SIGNALS}
        for name, (defaults, more) in known.items():
            if unknown := (getattr(self, name) or {}).keys() - {*defaults, *more}:
                fields = ", ".join((*defaults, *more))
                raise ValueError(f"{name}: expected {fields}; got the unknown field {sorted(unknown)[0]!r}")
        for kind, (size, unit) in _WHOLE.items():
            options = getattr(self, kind)
            if options is not None and (options[unit] != STRIDE or size(options) % options[unit]):
                raise ValueError(
                    f"{kind}.{unit}: expected {STRIDE}, which is four times the spacing of mask features, and a signal "
                    f"of a multiple of it; got {options[unit]} for {size(options)}"
                )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of signal this network takes, in the order of `KINDS`."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)


_PROJECTION = {"type": "upm", "queries": 8, "experts": 3, "depth": 1, "mlp_ratio": 2.0, "router": "soft"}
_PROJECTION["keep_tokens"] = True
_SAMPLER = {"points": 64, "in_dim": 128, "anchors": [16, 4], "neighbours": [8, 4], "pooling": "max"}
_SAMPLER["coordinates"] = True
_POINTING = {"dim": 64, "backbone": "shared", "train": "decoder"}
_SIGNALS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {  # defaults, and fields that deixis.signals fills in
    "image": ({"size_px": 128, "patch_px": 16, "early_dim": 96}, ("mean", "std")),
    "audio": ({"window_s": 8.0, "mel_bins": 64, "stride": 16, "early_dim": 96}, ("mean", "std")),
    "point_cloud": ({"count": 2048, "groups": 96, "neighbours": 32, "early_dim": 96}, ()),
}
STRIDE = 16  # pixels or filterbank frames a token
_WHOLE = {  # kind -> (length of the signal in tokenizer steps, field with the steps of a token)
    "image": (lambda options: options["size_px"], "patch_px"),
    "audio": (lambda options: round(options["window_s"] * 100), "stride"),
}


def _sub_config(value: dict | PreTrainedConfig | None, default_type: str) -> PreTrainedConfig:
    if isinstance(value, PreTrainedConfig):
        return value
    value = dict(value or {})
    return AutoConfig.for_model(value.pop("model_type", default_type), **value)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}; got {value!r}")
