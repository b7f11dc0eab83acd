"""The universal encoder: one set of transformer layers for all signals, positions per signal (OneLLM, section 3.2).

`UniversalEncoder` takes the layers of a transformers vision model (CLIP by default) alone. `TrunkEncoder` takes a whole
vision model with its own patches, class token and positions, as OneLLM, Ferret and LISA do: signals made of pixels go
through its patch embedding, tokens of other signals join behind it. `TRUNKS` says where the parts of each type lie.

OneLLM's code swaps token and batch axes before CLIP's layers (model/LLM/onellm.py, clip_encode_image), as open_clip of
2023 required. An open_clip whose layers take the batch first turns that into attention over the *batch*: every token
attends to the same token of the other signals, and to none of its own signal. Weights were trained with the former;
`attention="batch"` is the latter, to reproduce results that were computed this way.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedConfig

from deixis.errors import ConfigError
from deixis.model.encoder.field import fourier_features
from deixis.model.tokenizers.stems import Tokens

POSITION_BANDS = 6
VISION_LAYERS = ("clip_vision_model", "siglip_vision_model")
"""Types of vision models whose layers can be taken by themselves."""


class UniversalEncoder(nn.Module):
    """Tokens after self-attention over all tokens of their signal; same number and width.

    `axes` gives the number of axes of every modality, for its positional projection.
    """

    def __init__(self, layers: nn.Module, dim: int, axes: dict[str, int]):
        super().__init__()
        self.layers = layers
        self.position = nn.ModuleDict({name: nn.Linear(n * 2 * POSITION_BANDS, dim) for name, n in axes.items()})
        self.norm_in, self.norm_out = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, tokens: Tokens, modality: str) -> Float[Tensor, "batch token dim"]:
        assert tokens.positions is not None, "tokenizers of this encoder place their tokens"
        places = self.position[modality](fourier_features(tokens.positions, POSITION_BANDS).to(tokens.tokens.dtype))
        hidden = self.norm_in(tokens.tokens + places)
        return self.norm_out(self.layers(inputs_embeds=hidden).last_hidden_state)


def vision_layers(config: PreTrainedConfig) -> nn.Module:
    """The transformer layers of the vision model that `config` describes, freshly initialised.

    Raises ValueError for a model type without a known place of its layers.
    """
    from transformers.models.clip.modeling_clip import CLIPEncoder
    from transformers.models.siglip.modeling_siglip import SiglipEncoder

    # Any: their constructors are annotated with configurations of their own families
    layers: dict[str, Any] = dict(zip(VISION_LAYERS, (CLIPEncoder, SiglipEncoder), strict=True))
    if config.model_type not in layers:
        raise ValueError(
            f"vision_config.model_type: expected one of {', '.join(layers)}; got {config.model_type!r}, "
            "whose layers this version does not know how to take"
        )
    config._attn_implementation = config._attn_implementation or "sdpa"
    return layers[config.model_type](config)


@dataclass(frozen=True)
class TrunkParts:
    """Names of a vision model's parts; `lead` is how many tokens it puts before the patches."""

    layers: str
    norm_out: str
    norm_in: str | None = None
    class_token: str | None = None
    lead: int = 0


TRUNKS: Mapping[str, TrunkParts] = {
    "clip_vision_model": TrunkParts(
        "encoder.layers", "post_layernorm", "pre_layrnorm", "embeddings.class_embedding", lead=1
    ),
    "siglip_vision_model": TrunkParts("encoder.layers", "post_layernorm"),
    "dinov2": TrunkParts("encoder.layer", "layernorm", None, "embeddings.cls_token", lead=1),
}


class TrunkEncoder(nn.Module):
    """Tokens or pixels in; hidden states of the tokens out, and of the tokens that lead them (the class token).

    layer: -1 is the output of the last layer, -2 of the one before (LLaVA, Ferret and LISA read that). norm: the
    model's final norm is applied (OneLLM). positions: per modality that is not made of pixels, how many tokens it
    has ("learned") or axes its positions have ("fourier").
    """

    def __init__(
        self,
        trunk: nn.Module,
        parts: TrunkParts,
        dim: int,
        layer: int = -1,
        norm: bool = True,
        learned: Mapping[str, int] | None = None,
        fourier: Mapping[str, int] | None = None,
        attention: str = "tokens",
    ):
        super().__init__()
        self.trunk, self.parts, self.norm, self.attention = trunk, parts, norm, attention
        self.depth = len(attrgetter(parts.layers)(trunk)) + 1 + layer
        rows = {modality: torch.randn(parts.lead + n, dim) * 0.02 for modality, n in (learned or {}).items()}
        self.positions = nn.ParameterDict({modality: nn.Parameter(table) for modality, table in rows.items()})
        self.position = nn.ModuleDict(
            {modality: nn.Linear(axes * 2 * POSITION_BANDS, dim) for modality, axes in (fourier or {}).items()}
        )

    def look(self, values: Float[Tensor, "batch 3 height width"]) -> tuple[Tensor, Tensor | None]:
        """(hidden states of the patches (batch, patch, dim), row by row; those of the leading tokens) of pixels."""
        return self._run(self.trunk.get_submodule("embeddings")(values))

    def forward(self, tokens: Tokens, modality: str) -> tuple[Tensor, Tensor | None]:
        """(hidden states of the tokens (batch, token, dim); those of the leading tokens) of another signal."""
        hidden = tokens.tokens
        if self.parts.class_token is not None:
            lead = attrgetter(self.parts.class_token)(self.trunk).to(hidden.dtype)
            hidden = torch.cat([lead.reshape(1, 1, -1).expand(len(hidden), -1, -1), hidden], 1)
        if modality in self.positions:
            hidden = hidden + self.positions[modality].to(hidden.dtype)
        else:
            assert tokens.positions is not None, "signals without positions have learned ones"
            places = fourier_features(tokens.positions, POSITION_BANDS).to(hidden.dtype)
            placed = self.position[modality](places)
            hidden = hidden + nn.functional.pad(placed, (0, 0, self.parts.lead, 0))
        return self._run(hidden)

    def _run(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.parts.norm_in is not None:
            hidden = attrgetter(self.parts.norm_in)(self.trunk)(hidden)
        swapped = self.attention == "batch"
        hidden = hidden.transpose(0, 1) if swapped else hidden
        # layers behind the one that is read are not run; their weights stay, so that checkpoints load whole
        for layer in attrgetter(self.parts.layers)(self.trunk)[: self.depth]:
            hidden = layer(hidden, None)
        hidden = hidden.transpose(0, 1) if swapped else hidden
        if self.norm:
            hidden = attrgetter(self.parts.norm_out)(self.trunk)(hidden)
        lead = self.parts.lead
        return hidden[:, lead:], hidden[:, :lead] if lead else None


def build_trunk(config: PreTrainedConfig, **options: Any) -> TrunkEncoder:
    """A `TrunkEncoder` of the vision model that `config` describes, freshly initialised; `options` are its own.

    Raises ConfigError for a model type whose parts are not in `TRUNKS`.
    """
    if config.model_type not in TRUNKS:
        raise ConfigError(
            f"vision_config.model_type: expected one of {', '.join(TRUNKS)}; got {config.model_type!r}, "
            "whose parts this version does not know"
        )
    config = copy.deepcopy(config)
    config._attn_implementation = config._attn_implementation or "sdpa"
    if hasattr(config, "vision_use_head"):
        config.vision_use_head = False  # SigLIP's pooling head: fields are not pooled
    if getattr(config, "use_mask_token", False):
        config.use_mask_token = False  # DINOv2's, which only its pretraining reads
    trunk = AutoModel.from_config(config, trust_remote_code=False)
    return TrunkEncoder(trunk, TRUNKS[config.model_type], config.hidden_size, **options)
