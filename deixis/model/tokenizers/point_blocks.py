"""The parts of PointMLP: grouping with the geometric affine module, and residual blocks of point-wise layers.

After Ma et al., "Rethinking Network Design and Local Geometry in Point Cloud" (ICLR 2022), sections 3.2 (framework)
and 3.3 (geometric affine module), and ma-xu/pointMLP-pytorch@1ab7f04; parameters have the published names and shapes.
`PointMLP` is made of them, and the region sampler's local layer `pointmlp`.

Where paper and code differ the code is followed, which the weights were trained with: the deviation that neighbours
are divided by is one number for a whole set, over all groups, neighbours and channels, about its own mean and with
one degree of freedom taken off.

Not here: which sizes make a network, and what it is used for.
"""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from deixis.ops import farthest_points, gather_points, nearest_neighbours

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "rrelu": nn.RReLU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "leakyrelu": nn.LeakyReLU,
}
NORMALIZE = ("center", "anchor", None)
DEVIATION_FLOOR = 1e-5  # added to the deviation, as published


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of (row, channel, point): for batches that may hold one set, or none."""

    def forward(self, input: Float[Tensor, "row channel point"]) -> Float[Tensor, "row channel point"]:
        return super().forward(input.transpose(1, 2)).transpose(1, 2)


NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": ChannelNorm}


class PointLayer(nn.Module):
    """1x1 convolution, normalisation, activation: the same small layer for every point."""

    def __init__(self, in_dim: int, out_dim: int, bias: bool = True, activation: str = "relu", norm: str = "batch"):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(in_dim, out_dim, 1, bias=bias), NORMS[norm](out_dim), ACTIVATIONS[activation]()
        )

    def forward(self, values: Float[Tensor, "row in_dim point"]) -> Float[Tensor, "row out_dim point"]:
        return self.net(values)


class ResidualPointBlock(nn.Module):
    """Two point-wise layers around a width of dim * res_expansion, and the way past them.

    With groups above one the layers are grouped, and a third one mixes the groups again.
    """

    def __init__(
        self,
        dim: int,
        groups: int = 1,
        res_expansion: float = 1.0,
        bias: bool = True,
        activation: str = "relu",
        norm: str = "batch",
    ):
        super().__init__()
        width, normed = int(dim * res_expansion), NORMS[norm]
        self.act = ACTIVATIONS[activation]()
        self.net1 = nn.Sequential(nn.Conv1d(dim, width, 1, groups=groups, bias=bias), normed(width), self.act)
        second = [nn.Conv1d(width, dim, 1, groups=groups, bias=bias), normed(dim)]
        if groups > 1:
            second += [self.act, nn.Conv1d(dim, dim, 1, bias=bias), normed(dim)]
        self.net2 = nn.Sequential(*second)

    def forward(self, values: Float[Tensor, "row dim point"]) -> Float[Tensor, "row dim point"]:
        return self.act(self.net2(self.net1(values)) + values)


class LocalGrouper(nn.Module):
    """Groups of neighbours around farthest points, normalised by their anchor: the geometric affine module (3.3).

    normalize: what is subtracted from each neighbour before the division, the group's mean ("center") or the anchor
    itself ("anchor"); None omits the module. use_xyz: the neighbours' positions are channels too, `axes` of them.
    """

    def __init__(self, dim: int, anchors: int, neighbours: int, use_xyz: bool, normalize: str | None, axes: int = 3):
        super().__init__()
        self.anchors, self.neighbours, self.use_xyz, self.normalize = anchors, neighbours, use_xyz, normalize
        if normalize is not None:
            width = dim + axes * use_xyz
            self.affine_alpha = nn.Parameter(torch.ones(1, 1, 1, width))
            self.affine_beta = nn.Parameter(torch.zeros(1, 1, 1, width))

    def forward(
        self,
        xyz: Float[Tensor, "batch point axis"],
        features: Float[Tensor, "batch point channel"],
        valid: Bool[Tensor, "batch point"] | None = None,
    ) -> tuple[Float[Tensor, "batch anchor axis"], Float[Tensor, "batch anchor neighbour both"]]:
        """The anchors' places, and for each neighbour its channels beside those of its anchor.

        Choosing begins at the first valid point. A set of fewer points than anchors or neighbours repeats them.
        """
        chosen = farthest_points(xyz, self.anchors, valid)
        anchor_xyz, anchor = gather_points(xyz, chosen), gather_points(features, chosen).unsqueeze(2)
        near, _ = nearest_neighbours(anchor_xyz, xyz, self.neighbours, valid)
        grouped, centre = gather_points(features, near), anchor
        if self.use_xyz:
            grouped = torch.cat([grouped, gather_points(xyz, near).to(grouped.dtype)], -1)
            centre = torch.cat([centre, anchor_xyz.unsqueeze(2).to(centre.dtype)], -1)
        if self.normalize is not None:
            offset = grouped - (grouped.mean(2, keepdim=True) if self.normalize == "center" else centre)
            deviation = rearrange(offset, "b a n c -> b (a n c)").std(1).view(-1, 1, 1, 1)
            grouped = self.affine_alpha * (offset / (deviation + DEVIATION_FLOOR)) + self.affine_beta
        return anchor_xyz, torch.cat([grouped, anchor.expand(-1, -1, self.neighbours, -1)], -1)


class PreExtraction(nn.Module):
    """The blocks before pooling (Phi_pre, equation 2): one layer to `out_dim`, residual blocks, then pooling of each
    group, by its maximum as published or by its mean."""

    def __init__(self, in_dim: int, out_dim: int, blocks: int, pooling: str = "max", **options):
        super().__init__()
        self.pooling = pooling
        plain = {name: options[name] for name in ("bias", "activation", "norm") if name in options}
        self.transfer = PointLayer(in_dim, out_dim, **plain)
        self.operation = nn.Sequential(*(ResidualPointBlock(out_dim, **options) for _ in range(blocks)))

    def forward(self, grouped: Float[Tensor, "batch anchor neighbour in_dim"]) -> Float[Tensor, "batch out_dim anchor"]:
        anchors = grouped.shape[1]
        mixed = self.operation(self.transfer(rearrange(grouped, "b a n c -> (b a) c n")))
        pooled = mixed.amax(-1) if self.pooling == "max" else mixed.mean(-1)
        return rearrange(pooled, "(b a) c -> b c a", a=anchors)


class PosExtraction(nn.Module):
    """The residual blocks after pooling (Phi_pos, equation 2)."""

    def __init__(self, dim: int, blocks: int, **options):
        super().__init__()
        self.operation = nn.Sequential(*(ResidualPointBlock(dim, **options) for _ in range(blocks)))

    def forward(self, values: Float[Tensor, "batch dim anchor"]) -> Float[Tensor, "batch dim anchor"]:
        return self.operation(values)
