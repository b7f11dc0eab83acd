"""What a configuration says of one kind of signal: how files are prepared, and which tokenizer reads them.

The fields of preparation are those of the kind's spec in `deixis.signals`; the fields below are the tokenizer's
(`model.tokenizers`). Knows no module: it counts tokens from the options alone.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from transformers import PreTrainedConfig

from deixis.errors import ConfigError
from deixis.model.kinds import PICTURES
from deixis.model.part_configs import EncoderConfig
from deixis.signals import SIGNALS

STRIDE = 16  # pixels or filterbank frames a token of the "stem" tokenizers
FINE_STRIDE = 4  # pixels or frames a cell of their finer map
FRAMES_A_SECOND = 100  # of a filterbank

_PICTURE = {"tokenizer": "patch", "patch_px": 16, "early_dim": 0, "size_px": 224, "pool_frames": False}
DEFAULTS: dict[str, dict[str, Any]] = {
    "image": {"tokenizer": "stem", "size_px": 128, "patch_px": 16, "early_dim": 96, "tiles": 1},
    "audio": {"tokenizer": "stem", "window_s": 8.0, "mel_bins": 64, "stride": 16, "early_dim": 96},
    "point_cloud": {"tokenizer": "groups", "count": 2048, "groups": 96, "neighbours": 32, "early_dim": 96},
    "video": {**_PICTURE, "frames": 8},
    "depth": dict(_PICTURE),
    "normal": dict(_PICTURE),
    "imu": {"tokenizer": "conv", "rate_hz": 200.0, "window_s": 2.0, "kernel": 10, "stride": 1, "early_dim": 0},
    "fmri": {"tokenizer": "linear", "tokens": 8, "early_dim": 0},
}
"""The fields of each kind that are set where a configuration does not; 0 as `early_dim` is: no finer map."""
MORE: dict[str, tuple[str, ...]] = {
    "audio": ("kernel", "steps"),  # of the "patch" tokenizer: (mel, frame)
    "point_cloud": ("place_columns", "embed_dim", "preset", "normalize", "colours"),
}
"""Fields of one tokenizer only, which have their defaults there."""
PLACELESS = ("linear",)
"""Tokenizers whose tokens lie nowhere, so that no region can lie in their signals."""


def spec_fields(kind: str) -> tuple[str, ...]:
    """The fields of the kind's spec in `deixis.signals`."""
    return tuple(field.name for field in fields(SIGNALS[kind].spec_type)) if kind in SIGNALS else ()


def known_fields(kind: str) -> tuple[str, ...]:
    """Every field that the options of this kind may have."""
    return tuple(dict.fromkeys((*DEFAULTS[kind], *MORE.get(kind, ()), *spec_fields(kind))))


def with_defaults(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with what they leave out."""
    return {**DEFAULTS[kind], **options}


def encoder_token_count(kind: str, options: Mapping[str, Any]) -> int:
    """How many tokens the encoder makes of a signal of this kind, class tokens not counted."""
    if kind in PICTURES:
        frames = options.get("frames", 1) if kind == "video" and not options["pool_frames"] else 1
        return frames * (options.get("tiles", 1) * options["size_px"] // options["patch_px"]) ** 2
    if kind == "point_cloud":
        return options["groups"]
    if kind == "fmri":
        return options["parcels"] if options["tokenizer"] == "parcels" else options["tokens"]
    steps = round(options["window_s"] * (options["rate_hz"] if kind == "imu" else FRAMES_A_SECOND))
    if options["tokenizer"] == "stem":
        return steps // options["stride"]
    if kind == "imu":
        return (steps - options["kernel"]) // options["stride"] + 1
    kernel, apart = options.get("kernel", (16, 16)), options.get("steps", (10, 10))
    sizes = zip((options["mel_bins"], steps), kernel, apart, strict=True)
    mel, time = ((size - k) // step + 1 for size, k, step in sizes)
    return mel * time


def check_signals(options: Mapping[str, Mapping[str, Any]], encoder: EncoderConfig, vision: PreTrainedConfig) -> None:
    """Raises ValueError for sizes that the tokenizers of these kinds cannot take."""
    for kind, own in options.items():
        if own["tokenizer"] == "stem":
            unit = "patch_px" if kind == "image" else "stride"
            seconds = {"audio": FRAMES_A_SECOND, "imu": own.get("rate_hz")}
            size = own["size_px"] if kind == "image" else round(own["window_s"] * seconds[kind])
            if own[unit] != STRIDE or size % STRIDE:
                raise ConfigError(
                    f"{kind}.{unit}: expected {STRIDE}, which is four times the spacing of mask features, and a signal "
                    f"of a multiple of it; got {own[unit]} for {size}"
                )
        if own.get("paired") and not own["pool_frames"]:
            raise ConfigError(
                f"{kind}.paired: a picture beside its map is averaged with it; set {kind}.pool_frames too"
            )
        if kind in PICTURES and own["tokenizer"] == "patch":
            if encoder.type != "trunk":
                raise ConfigError(
                    f"{kind}.tokenizer: 'patch' shares a vision model's patches, which needs encoder.type 'trunk'; "
                    f"got {encoder.type!r}"
                )
            if (own["size_px"], own["patch_px"]) != (vision.image_size, vision.patch_size):
                raise ConfigError(
                    f"{kind}: expected the sizes of vision_config, size_px {vision.image_size} and patch_px "
                    f"{vision.patch_size}; got {own['size_px']} and {own['patch_px']}"
                )
