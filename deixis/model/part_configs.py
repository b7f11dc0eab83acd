"""The typed configuration of each part of the network: frozen dataclasses, checked at construction.

Every field has a default, so a configuration names only what differs. `DeixisConfig` holds one of each and writes them
as plain dictionaries; the builders read their fields by attribute, the parts themselves take plain arguments.
"""

from dataclasses import dataclass
from typing import Literal, no_type_check

from deixis.errors import ConfigError
from deixis.options import Checked, Count, Natural, NonNegative, Positive, check_fields


@no_type_check
@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The universal encoder (`model.encoder`).

    Raises ConfigError where a field does not fit, or a class token is requested from an encoder without one.
    """

    type: Literal["fourier", "trunk"] = "fourier"
    """"fourier": the layers of the vision model alone, positions as sines. "trunk": with its patches and positions."""
    layer: int = -1
    """Which layer's output is the field: -1 the last, -2 the one before (LLaVA)."""
    norm: bool = True
    """Whether the final norm of the vision model is applied."""
    class_token: bool = False
    """Whether the projection gets the class token too ("trunk")."""
    positions: Literal["learned", "fourier"] = "fourier"
    """Positions of modalities that are no images ("trunk")."""
    attention: Literal["tokens", "batch"] = "tokens"
    """Over the tokens of a signal, or over the batch, as OneLLM's code does (`model.encoder.universal_encoder`)."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.class_token and self.type != "trunk":
            raise ConfigError(f"class_token: expected type 'trunk', whose vision model has one; got type {self.type!r}")


@no_type_check
@dataclass(frozen=True, kw_only=True)
class ProjectionConfig:
    """The projection from the encoder's field to the language model (`model.encoder.projection`).

    Raises ConfigError where a field does not fit, or a mixture is left without queries and tokens.
    """

    type: Literal["upm", "linear", "mlp"] = "upm"
    """"upm": OneLLM's mixture of experts. "linear", "mlp": LLaVA's; all but `norm` and `depth` are for "upm" alone."""
    queries: Natural = 8
    """Learnt queries per modality."""
    experts: Count = 3
    depth: Count = 1
    """Blocks per expert; linear maps of "mlp"."""
    mlp_ratio: Positive = 2.0
    """Inner width of a "vision" expert's MLP over its width."""
    router: Literal["soft", "sigmoid", "sparse", "constant"] = "soft"
    """Weights of the experts: softmax, sigmoids divided by their sum, the best alone, or 1/K each."""
    route: Literal["sample", "token"] = "sample"
    """One set of weights per sample, or per token."""
    router_ratio: Positive = 0.25
    """Inner width of the router over the encoder's width."""
    expert: Literal["vision", "llama"] = "vision"
    """Blocks that an expert is made of."""
    maps: Literal["shared", "own"] = "shared"
    """Linear maps out of the experts, shared, or into and out of them, each modality its own."""
    tags: bool = False
    """A learnt start and end token per modality."""
    keep_tokens: bool = True
    """Whether the encoder's tokens follow the queries."""
    norm: bool = True
    """Layer norm before the map of "linear"."""
    heads: Count = 16
    """Attention heads of a "llama" expert, as `multiple_of` (of its inner width) and `eps` (of its norms)."""
    multiple_of: Count = 256
    eps: Positive = 1e-5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.type == "upm" and not self.queries and not self.keep_tokens:
            raise ConfigError("queries: expected at least 1 where keep_tokens is off; got 0, which leaves no token")


@no_type_check
@dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """The region sampler (`model.regions`); type None is a network without regions.

    Raises ConfigError where a field does not fit, or anchors and neighbours are not stages of the same number.
    """

    type: Literal["sampler", "average"] | None = "sampler"
    """Ferret's spatial-aware sampler, or the average that it is compared with."""
    points: Count = 64
    """Points sampled in a region."""
    in_dim: Count = 128
    """Channels of the features that the sampler reads."""
    anchors: tuple[Count, ...] = (16, 4)
    """Points kept by farthest point sampling, per stage."""
    neighbours: tuple[Count, ...] = (8, 4)
    """Points pooled around each anchor, per stage."""
    pooling: Literal["auto", "max", "mean"] = "auto"
    """Over neighbours, or over the points of a region; "auto": "max" of the sampler, "mean" of the average."""
    coordinates: bool = True
    """Whether coordinates join the features."""
    local: Literal["difference", "pointmlp"] = "difference"
    """The local layer of a stage: Ferret's, or PointMLP's with the affine module `normalize`."""
    normalize: Literal["anchor", "center"] | None = "anchor"
    features: Literal["levels", "tokens"] = "levels"
    """Both levels of the field, mapped to `in_dim`, or the encoder's tokens as they are."""
    axes: Count = 3
    """Coordinates per point."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.anchors or len(self.anchors) != len(self.neighbours):
            raise ConfigError(
                "anchors: expected at least one stage and as many as neighbours; got "
                f"{list(self.anchors)} and {list(self.neighbours)}"
            )


@no_type_check
@dataclass(frozen=True, kw_only=True)
class PointingConfig(Checked):
    """The pointing head, from the state at `<seg>` to a mask (`model.masks`); backbone None makes no masks.

    Raises ConfigError for a field that does not fit.
    """

    backbone: Literal["shared", "sam", "sam2"] | None = "shared"
    """Whose features are masked: the shared encoder's, or those of SAM for images; other modalities use the shared."""
    dim: Count = 64
    """Channels of the shared encoder's mask features."""
    state: Literal["at", "before"] = "at"
    """The prompting state is at the `<seg>` token, or before it, where it was predicted (LISA)."""

    @property
    def uses_sam(self) -> bool:
        """Whether SAM or SAM 2 makes the masks of images."""
        return self.backbone in ("sam", "sam2")


@no_type_check
@dataclass(frozen=True, kw_only=True)
class LossWeights(Checked):
    """Weights of the losses in their sum; LISA, section 3.2: 1 for text, 2 for bce, 0.5 for dice.

    Raises ConfigError where a weight is negative or no number.
    """

    text: NonNegative = 1.0
    numbers: NonNegative = 0.0
    """Of `model.losses.number_loss`, which is not computed at 0."""
    bce: NonNegative = 2.0
    dice: NonNegative = 0.5
