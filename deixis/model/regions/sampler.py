"""The region sampler: one vector per region, from features at points inside it, in any dimension.

After Ferret's spatial-aware visual sampler (You et al., ICLR 2024, section 3.2; apple/ml-ferret, GeoRegionSampler):
stages of farthest point sampling, grouping of nearest neighbours, a PointMLP-style local layer and pooling; then all
anchors are flattened and projected. Parameters have the published names and shapes, so its weights load as they are.
With `local="pointmlp"` the local layer is PointMLP's own: geometric affine module and residual blocks before and after
pooling (`point_blocks`). `RegionAverage` is Ferret's baseline: the mean of the features at a region's points.

With gradients, and wherever an adapter, a hook or a quantised weight is attached, the local layer calls its modules;
without gradients and with plain modules it is computed folded (`folded`), with equal results.

Not here: which points lie in a region (geometry) and reading the feature field at them (ops.sample_grid).
"""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from deixis.errors import ConfigError
from deixis.model.config import DeixisConfig
from deixis.model.part_configs import SamplerConfig
from deixis.model.regions.folded import can_fold, folded_layer, pool
from deixis.model.tokenizers.point_blocks import NORMALIZE, LocalGrouper, PosExtraction, PreExtraction
from deixis.ops import farthest_points, gather_points, nearest_neighbours

# PointMLP's layers as the local layer: one lean block, as in its elite form (Ma et al., section 3.4), and LayerNorm
# instead of BatchNorm, because a batch may hold one region or none.
POINTMLP_LAYERS = {"res_expansion": 0.25, "norm": "layer"}


class LocalAggregator(nn.Module):
    """1x1 convolution, ReLU and LayerNorm over [difference, anchor] of every neighbour; pooled by `RegionSampler`."""

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(in_dim, out_dim, kernel_size=1), nn.ReLU())
        self.norm = nn.LayerNorm(out_dim)

    def forward(
        self, grouped: Float[Tensor, "region anchor neighbour channel"]
    ) -> Float[Tensor, "region anchor neighbour out"]:
        mixed = self.net(rearrange(grouped, "r a n c -> (r a) c n"))
        return self.norm(rearrange(mixed, "(r a) c n -> r a n c", a=grouped.shape[1]))


class PointMLPStage(nn.Module):
    """One stage of PointMLP over `in_dim` features and, if asked, `dim` coordinates: anchors with pooled features."""

    def __init__(
        self, in_dim: int, dim: int, anchors: int, near: int, pooling: str, coordinates: bool, normalize: str | None
    ):
        super().__init__()
        self.grouper = LocalGrouper(in_dim, anchors, near, coordinates, normalize, axes=dim)
        self.before = PreExtraction(2 * in_dim + dim * coordinates, in_dim, 1, pooling, **POINTMLP_LAYERS)
        self.after = PosExtraction(in_dim, 1, **POINTMLP_LAYERS)

    def forward(
        self,
        features: Float[Tensor, "region point channel"],
        points: Float[Tensor, "region point axis"],
        valid: Bool[Tensor, "region point"] | None,
    ) -> tuple[Float[Tensor, "region anchor channel"], Float[Tensor, "region anchor axis"]]:
        anchor_points, grouped = self.grouper(points, features, valid)
        return self.after(self.before(grouped)).transpose(1, 2), anchor_points


class RegionSampler(nn.Module):
    """One vector of `out_dim` per region from `in_dim` features at its points.

    dim: axes of the points (1 audio, 2 image, 3 point cloud). anchors, neighbours: per stage, how many anchors are
    chosen and how many points are pooled around each. pooling: "max" or "mean" over the neighbours. coordinates:
    whether the points' coordinates are features too, as published. local: "difference", as published, or "pointmlp",
    whose geometric affine module is set by `normalize`: "anchor", "center" or None.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        dim: int = 2,
        anchors: tuple[int, ...] = (128, 32),
        neighbours: tuple[int, ...] = (24, 24),
        pooling: str = "max",
        coordinates: bool = True,
        local: str = "difference",
        normalize: str | None = "anchor",
    ):
        super().__init__()
        if pooling not in ("max", "mean"):
            raise ValueError(f"pooling: expected 'max' or 'mean', got {pooling!r}")
        if local not in ("difference", "pointmlp"):
            raise ValueError(f"local: expected 'difference' or 'pointmlp', got {local!r}")
        if normalize not in NORMALIZE:
            raise ValueError(f"normalize: expected 'center', 'anchor' or None, got {normalize!r}")
        if not anchors or len(anchors) != len(neighbours) or min(*anchors, *neighbours) < 1:
            raise ValueError(
                f"anchors, neighbours: expected as many of each, all at least 1, got {anchors} and {neighbours}"
            )
        self.dim, self.anchors, self.neighbours = dim, tuple(anchors), tuple(neighbours)
        self.pooling, self.coordinates, self.local = pooling, coordinates, local
        width = in_dim + dim * coordinates
        if local == "difference":
            self.diff_projector_list = nn.ModuleList(nn.Linear(width, width) for _ in anchors)
            self.agg_projector_list = nn.ModuleList(LocalAggregator(2 * width, in_dim) for _ in anchors)
        else:
            self.local_layers = nn.ModuleList(
                PointMLPStage(in_dim, dim, count, near, pooling, coordinates, normalize)
                for count, near in zip(anchors, neighbours, strict=True)
            )
        self.flatten_projector = nn.Linear(anchors[-1] * in_dim, in_dim)
        self.dim_projector = nn.Linear(in_dim, out_dim)

    def forward(
        self,
        features: Float[Tensor, "region point channel"],
        points: Float[Tensor, "region point axis"],
        valid: Bool[Tensor, "region point"] | None = None,
    ) -> Float[Tensor, "region out"]:
        """Region vectors from features at points in unit coordinates; `valid` False marks padding.

        A region with fewer points than anchors or neighbours repeats them; padding changes nothing. Farthest point
        sampling starts at the first valid point (the published code starts at a random one), so equal inputs give equal
        outputs. Raises ValueError where the points have another number of axes than the sampler, or a region has no
        points.
        """
        _check_points(points, self.dim)
        if not len(points):
            return self.dim_projector(features.new_zeros(0, self.dim_projector.in_features))
        if valid is not None:
            # Padding is never gathered, but it is mapped where the layer is folded, and zero times NaN is NaN.
            features = features.masked_fill(~valid[..., None], 0.0)
            points = points.masked_fill(~valid[..., None], 0.0)
        for stage in range(len(self.anchors)):
            if self.local == "pointmlp":
                features, points = self.local_layers[stage](features, points, valid)
            else:
                features, points = self._stage(stage, features, points, valid)
            valid = None  # every anchor is a valid point
        return self.dim_projector(self.flatten_projector(features.flatten(1)))

    def _stage(
        self, stage: int, features: Tensor, points: Tensor, valid: Tensor | None
    ) -> tuple[Float[Tensor, "region anchor channel"], Float[Tensor, "region anchor axis"]]:
        """Anchors of this stage: their pooled features and their coordinates."""
        near = self.neighbours[stage]
        if self.pooling == "max":
            near = min(near, points.shape[1])  # repeats cannot change a maximum
        # Anchors spread over the region, so that small parts of it have one; each pools its own neighbourhood.
        anchor_index = farthest_points(points, self.anchors[stage], valid)  # (region, anchor)
        anchor_points = gather_points(points, anchor_index)
        group_index, _ = nearest_neighbours(anchor_points, points, near, valid)  # (region, anchor, neighbour)

        values = torch.cat([features, points.to(features.dtype)], -1) if self.coordinates else features
        difference, aggregator = self.diff_projector_list[stage], self.agg_projector_list[stage]
        if not torch.is_grad_enabled() and can_fold(difference, aggregator.net[0]):
            pooled = folded_layer(difference, aggregator, values, anchor_index, group_index, self.pooling)
            return pooled, anchor_points
        # As published: the local layer reads each neighbour relative to its anchor, and the anchor itself beside it.
        anchor = gather_points(values, anchor_index).unsqueeze(2)  # (region, anchor, 1, channel)
        offset = difference(gather_points(values, group_index) - anchor)
        grouped = aggregator(torch.cat([offset, anchor.expand_as(offset).to(offset.dtype)], -1))
        return pool(grouped, self.pooling), anchor_points


class RegionAverage(nn.Module):
    """One vector of `out_dim` per region: the mean of the features at its points, and one linear map.

    coordinates: whether the mean coordinates of the points are features too. pooling: "mean", or "max" over the points.
    """

    def __init__(self, in_dim: int, out_dim: int, dim: int = 2, pooling: str = "mean", coordinates: bool = True):
        super().__init__()
        if pooling not in ("max", "mean"):
            raise ValueError(f"pooling: expected 'max' or 'mean', got {pooling!r}")
        self.dim, self.pooling, self.coordinates = dim, pooling, coordinates
        self.dim_projector = nn.Linear(in_dim + dim * coordinates, out_dim)

    def forward(
        self,
        features: Float[Tensor, "region point channel"],
        points: Float[Tensor, "region point axis"],
        valid: Bool[Tensor, "region point"] | None = None,
    ) -> Float[Tensor, "region out"]:
        """Region vectors from features at points in unit coordinates; `valid` False marks padding, never read.

        Raises ValueError where the points have another number of axes than `dim`, or a region has no points.
        """
        _check_points(points, self.dim)
        values = torch.cat([features, points.to(features.dtype)], -1) if self.coordinates else features
        if valid is None:
            valid = torch.ones(points.shape[:2], dtype=torch.bool, device=points.device)
        if self.pooling == "max":
            pooled = values.masked_fill(~valid[..., None], float("-inf")).amax(1)
        else:
            pooled = values.masked_fill(~valid[..., None], 0.0).sum(1) / valid.sum(1, keepdim=True)
        return self.dim_projector(pooled)


def _check_points(points: Tensor, dim: int) -> None:
    if points.shape[-1] != dim or points.shape[1] < 1:
        raise ValueError(f"points: expected (region, point, {dim}) with at least one point, got {tuple(points.shape)}")


def region_width(config: DeixisConfig) -> int:
    """Channels that regions read of a field: of the tokens alone, or of both levels."""
    both = config.has_fine and config.sampler.features == "levels"
    return config.vision_config.hidden_size + config.pointing.dim * both


def build_region_parts(config: DeixisConfig) -> tuple[nn.Module, RegionSampler | RegionAverage | None]:
    """The map from a field's features to the sampler's, and the sampler; none where regions are not taken.

    Raises ConfigError where the sampler reads the encoder's tokens as they are and has another width.
    """
    options, dim = config.sampler, config.vision_config.hidden_size
    if not config.takes_regions:
        return nn.Identity(), None
    sampler = _build_sampler(options, config.text_config.hidden_size)
    if options.features == "levels":
        return nn.Linear(region_width(config), options.in_dim), sampler
    if options.in_dim != dim:
        raise ConfigError(f"sampler.in_dim: expected {dim}, the encoder's width, for 'tokens'; got {options.in_dim}")
    return nn.Identity(), sampler


def _build_sampler(options: SamplerConfig, out_dim: int) -> RegionSampler | RegionAverage:
    if options.type == "average":
        pooling = "mean" if options.pooling == "auto" else options.pooling
        return RegionAverage(options.in_dim, out_dim, options.axes, pooling, options.coordinates)
    return RegionSampler(
        options.in_dim,
        out_dim,
        options.axes,
        options.anchors,
        options.neighbours,
        pooling="max" if options.pooling == "auto" else options.pooling,
        coordinates=options.coordinates,
        local=options.local,
        normalize=options.normalize,
    )
