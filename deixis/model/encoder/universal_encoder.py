"""The universal encoder: one set of transformer layers for all signals, positions per signal.

The layers are those of a transformers vision model (CLIP by default); their weights are shared by all
modalities (OneLLM, section 3.2). There is one tokenizer and one positional projection per modality.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedConfig

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
