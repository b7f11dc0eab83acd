"""`FieldEncoder`: from prepared signals to feature fields, tokenizer, universal encoder and upsampling together."""

from jaxtyping import Float
from torch import Tensor, nn

from deixis.model.config import DeixisConfig
from deixis.model.encoder import UniversalEncoder, vision_layers
from deixis.model.field import Field
from deixis.model.pointing import UPSAMPLES
from deixis.model.tokenizers import TOKENIZERS

AXES = {"image": 2, "audio": 1, "point_cloud": 3}
_PREPARATION = {"image": ("size_px", "mean", "std"), "audio": ("window_s", "mean", "std"), "point_cloud": ("count",)}


class FieldEncoder(nn.Module):
    """Signals of any kind to fields: one tokenizer and one upsampling per kind, one encoder for all."""

    def __init__(self, tokenizers: nn.ModuleDict, encoder: UniversalEncoder, upsamples: nn.ModuleDict):
        super().__init__()
        self.tokenizers, self.encoder, self.upsamples = tokenizers, encoder, upsamples

    def forward(self, values: Float[Tensor, "batch ..."], kind: str) -> Field:
        """The fields of a batch of prepared signals of one kind (see `deixis.signals.to_tensor`)."""
        tokens = self.tokenizers[kind](values)
        hidden = self.encoder(tokens, kind)
        cells = self.upsamples[kind](hidden, tokens)
        places = tokens.positions, tokens.grid, cells, tokens.early_positions, tokens.early_grid
        return Field(kind, hidden, *places)


def build_field_encoder(config: DeixisConfig) -> FieldEncoder:
    """A `FieldEncoder` of the sizes in `config`, freshly initialised."""
    dim = config.vision_config.hidden_size
    tokenizers, upsamples = nn.ModuleDict(), nn.ModuleDict()
    for kind in config.kinds:
        plain = {k: v for k, v in getattr(config, kind).items() if k not in _PREPARATION[kind]}
        tokenizers[kind] = TOKENIZERS[kind](dim, **plain)
        upsamples[kind] = UPSAMPLES[kind](dim, plain.get("early_dim", 96), config.pointing["dim"])
    axes = {kind: AXES[kind] for kind in config.kinds}
    encoder = UniversalEncoder(vision_layers(config.vision_config), dim, axes)
    return FieldEncoder(tokenizers, encoder, upsamples)
