"""PointMLP as the tokenizer of clouds: tokens are the features of its last anchors (Ma et al., ICLR 2022)."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from deixis.errors import ConfigError
from deixis.model.tokenizers.pointmlp import PRESETS, PointMLP
from deixis.model.tokenizers.stems import Tokens


class PointMLPTokenizer(nn.Module):
    """`groups` tokens at the last anchors of a PointMLP. Input (batch, point, 6): xyz unit, rgb 0..1.

    preset: one of `PRESETS`, whose stages are kept; its anchors are counted back from `groups`, its neighbours and its
    first width may be set. colours: whether colours are channels; without them the weights of a published network fit
    `network`. normalize: the geometric affine module, "center", "anchor" or None. The early map is the embedding of
    every point.

    Raises ConfigError for an unknown preset.
    """

    def __init__(
        self,
        dim: int,
        groups: int = 64,
        neighbours: int = 24,
        early_dim: int = 96,
        preset: str = "pointmlp-elite",
        embed_dim: int | None = None,
        normalize: str | None = "anchor",
        colours: bool = True,
    ):
        super().__init__()
        if preset not in PRESETS:
            raise ConfigError(f"preset: expected one of {', '.join(PRESETS)}; got {preset!r}")
        base = PRESETS[preset]
        points = groups
        for reducer in base.reducers:
            points *= reducer
        config = replace(
            base,
            points=points,
            class_num=0,
            in_dim=6 if colours else 3,
            embed_dim=embed_dim or base.embed_dim,
            k_neighbors=(neighbours,) * len(base.reducers),
            normalize=normalize,
        )
        self.network = PointMLP(config)
        self.project = nn.Linear(config.widths[-1], dim)
        self.early = nn.Linear(config.embed_dim, early_dim) if early_dim else None

    def forward(self, values: Float[Tensor, "batch point 6"]) -> Tokens:
        xyz = values[..., :3].contiguous()
        centred = (
            values[..., : self.network.config.in_dim] * 2 - 1
        )  # the published networks saw clouds about the origin
        anchors, features, embedded = self.network.encode(xyz, centred.to(self.project.weight.dtype))
        tokens = self.project(features)
        if self.early is None:
            return Tokens(tokens, anchors, None)
        return Tokens(tokens, anchors, None, self.early(embedded), xyz, None)
