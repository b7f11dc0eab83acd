"""PointMLP: residual point-wise layers in stages of ever fewer anchors (Ma et al., ICLR 2022, section 3.2, 3.4).

`PointMLPConfig` holds the constructor arguments of the published code under their published names, and `PRESETS` the
two published networks; weights of ma-xu/pointMLP-pytorch load as they are. Farthest points are chosen from the first
point on, as the published CUDA kernel does; that kernel also passes over points within about 0.03 of the origin,
which is no part of the method and is not done here.

Used as a classifier (`systems.pointmlp`, `deixis train`) and as a tokenizer of clouds (`PointMLPTokenizer`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import accumulate, pairwise
from operator import floordiv, mul
from typing import Any, Literal, no_type_check

from jaxtyping import Float
from torch import Tensor, nn

from deixis.errors import ConfigError
from deixis.model.loading import one_load
from deixis.model.tokenizers.point_blocks import ACTIVATIONS, LocalGrouper, PointLayer, PosExtraction, PreExtraction
from deixis.model.tokenizers.stems import Tokens
from deixis.options import Checked, Count, Natural, Positive, check_choice, read_options

HEAD_DIMS = (512, 256)  # widths of the classifier
DROPOUT = 0.5


@no_type_check
@dataclass(frozen=True, kw_only=True)
class PointMLPConfig(Checked):
    """The sizes of a PointMLP, named as the published constructor names them; one entry per stage in the tuples.

    points: of a cloud; stage n keeps points // (reducers[0] * .. * reducers[n]) anchors, each with k_neighbors[n].
    class_num: classes, or 0 for a network without classifier. embed_dim: channels of the first layer, times
    dim_expansion[n] in every stage. in_dim: channels of a point, 3 as published. pre_blocks, pos_blocks: residual
    blocks before and after pooling; res_expansion: their inner width. normalize: "center", "anchor" or None, the
    geometric affine module; use_xyz: coordinates are channels in every stage. Raises ConfigError where a field does not
    fit, or the stages do not fit each other.
    """

    points: Count = 1024
    class_num: Natural = 40
    embed_dim: Count = 64
    groups: Count = 1
    res_expansion: Positive = 1.0
    activation: str = "relu"
    bias: bool = False
    use_xyz: bool = False
    normalize: Literal["center", "anchor"] | None = "anchor"
    dim_expansion: tuple[Count, ...] = (2, 2, 2, 2)
    pre_blocks: tuple[Natural, ...] = (2, 2, 2, 2)
    pos_blocks: tuple[Natural, ...] = (2, 2, 2, 2)
    k_neighbors: tuple[Count, ...] = (24, 24, 24, 24)
    reducers: tuple[Count, ...] = (2, 2, 2, 2)
    in_dim: Count = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        lists = ("dim_expansion", "pre_blocks", "pos_blocks", "k_neighbors", "reducers")
        if len({len(getattr(self, name)) for name in lists}) != 1 or not self.reducers:
            lengths = ", ".join(f"{name} {len(getattr(self, name))}" for name in lists)
            raise ConfigError(f"stages: expected lists of one length, at least 1, got {lengths}")
        if self.anchors[-1] < 1:
            raise ConfigError(f"reducers: expected an anchor left of {self.points} points, got {self.reducers}")

    @classmethod
    def of(cls, values: Any, where: str = "") -> "PointMLPConfig":
        """The sizes in a mapping as JSON and YAML hold it; `preset` fills in the rest.

        Raises ConfigError where a field or the preset is unknown or does not fit; the message begins with `where`.
        """
        if not isinstance(values, Mapping):
            return read_options(cls, values, where or "PointMLPConfig.")
        name = values.get("preset", "pointmlp")
        check_choice(f"{where}preset", name, tuple(PRESETS))
        own = {key: value for key, value in values.items() if key != "preset"}
        preset = {field.name: getattr(PRESETS[name], field.name) for field in fields(cls)}
        return read_options(cls, {**preset, **own}, where)

    @property
    def abilities(self) -> dict[str, list[str]]:
        """What this network can do, as `DeixisConfig.abilities` says it."""
        return {"signals": ["point_cloud"], "regions": [], "answers": ["class"]}

    @property
    def anchors(self) -> tuple[int, ...]:
        """Anchors that each stage keeps."""
        return tuple(accumulate(self.reducers, floordiv, initial=self.points))[1:]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels after the embedding and after each stage."""
        return tuple(accumulate(self.dim_expansion, mul, initial=self.embed_dim))


PRESETS: dict[str, PointMLPConfig] = {
    "pointmlp": PointMLPConfig(),
    "pointmlp-elite": PointMLPConfig(
        embed_dim=32, res_expansion=0.25, dim_expansion=(2, 2, 2, 1), pre_blocks=(1, 1, 2, 1), pos_blocks=(1, 1, 2, 1)
    ),
}


class PointMLP(nn.Module):
    """The network of a `PointMLPConfig`. `encode` gives features at the last anchors, `forward` class scores."""

    @one_load()
    def __init__(self, config: PointMLPConfig):
        super().__init__()
        self.config = config
        widths, anchors = config.widths, config.anchors
        plain: dict[str, Any] = {"bias": config.bias, "activation": config.activation}
        options: dict[str, Any] = {"groups": config.groups, "res_expansion": config.res_expansion, **plain}
        self.embedding = PointLayer(config.in_dim, widths[0], **plain)
        self.local_grouper_list, self.pre_blocks_list = nn.ModuleList(), nn.ModuleList()
        self.pos_blocks_list = nn.ModuleList()
        for stage, (width, wider) in enumerate(pairwise(widths)):
            grouping = (anchors[stage], config.k_neighbors[stage], config.use_xyz, config.normalize)
            self.local_grouper_list.append(LocalGrouper(width, *grouping))
            into = 2 * width + 3 * config.use_xyz
            self.pre_blocks_list.append(PreExtraction(into, wider, config.pre_blocks[stage], **options))
            self.pos_blocks_list.append(PosExtraction(wider, config.pos_blocks[stage], **options))
        if config.class_num:
            self.classifier = _classifier(widths[-1], config.class_num, config.activation)

    def encode(
        self, xyz: Float[Tensor, "batch point 3"], values: Float[Tensor, "batch point channel"]
    ) -> tuple[Float[Tensor, "batch anchor 3"], Float[Tensor, "batch anchor dim"], Float[Tensor, "batch point embed"]]:
        """Positions of the last anchors, their features, and the embedding of every point.

        xyz: positions, by which points are grouped; values: the features of each point, `in_dim` channels.
        """
        embedded = features = self.embedding(values.transpose(1, 2)).transpose(1, 2)
        stages = zip(self.local_grouper_list, self.pre_blocks_list, self.pos_blocks_list, strict=True)
        for grouper, before, after in stages:
            xyz, grouped = grouper(xyz, features)
            features = after(before(grouped)).transpose(1, 2)
        return xyz, features, embedded

    def forward(self, points: Float[Tensor, "batch point 3"]) -> Float[Tensor, "batch class"]:
        """Class scores (logits) of clouds; as published they lie in the unit sphere about the origin.

        Raises ValueError for a network without classifier.
        """
        if not self.config.class_num:
            raise ValueError("class_num: expected classes, got 0: this network has no classifier")
        _, features, _ = self.encode(points, points)
        return self.classifier(features.amax(1))


def _classifier(dim: int, class_num: int, activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for into, out in zip((dim, *HEAD_DIMS), HEAD_DIMS, strict=False):
        layers += [nn.Linear(into, out), nn.BatchNorm1d(out), ACTIVATIONS[activation](), nn.Dropout(DROPOUT)]
    return nn.Sequential(*layers, nn.Linear(HEAD_DIMS[-1], class_num))


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
        config = replace(
            base,
            points=groups * math.prod(base.reducers),
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
        # the published networks were trained on clouds about the origin
        centred = values[..., : self.network.config.in_dim] * 2 - 1
        anchors, features, embedded = self.network.encode(xyz, centred.to(self.project.weight.dtype))
        tokens = self.project(features)
        if self.early is None:
            return Tokens(tokens, anchors, None)
        return Tokens(tokens, anchors, None, self.early(embedded), xyz, None)
