"""Tokenizers as OneLLM published them (Han et al., CVPR 2024, section 3.2; csuhan/OneLLM@8587a47, model/LLM/onellm.py).

Each is one layer, `conv`, from a prepared signal to tokens; images have none, because they share the patch embedding of
the vision model (`model.trunk`). None of them has a finer map.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from deixis.model.encoder.field import grid_positions
from deixis.model.tokenizers.stems import Tokens
from deixis.ops import farthest_points, gather_points, nearest_neighbours


class AudioPatches(nn.Module):
    """Overlapping patches of a filterbank, (mel, frame) `kernel` in `steps`; input (batch, frame, mel).

    Tokens run over time within a band of mel bins, band after band; positions are in time.
    """

    def __init__(self, dim: int, kernel: tuple[int, int] = (16, 16), steps: tuple[int, int] = (10, 10)):
        super().__init__()
        self.conv = nn.Conv2d(1, dim, tuple(kernel), tuple(steps))

    def forward(self, values: Float[Tensor, "batch frame mel"]) -> Tokens:
        maps = self.conv(rearrange(values, "b frame mel -> b 1 mel frame").to(self.conv.weight.dtype))
        bands, times = maps.shape[2:]
        places = (torch.arange(times, device=maps.device) * self.conv.stride[1] + self.conv.kernel_size[1] / 2) / (
            values.shape[1]
        )
        positions = places.repeat(bands).view(1, -1, 1).expand(len(maps), -1, -1)
        return Tokens(rearrange(maps, "b c band time -> b (band time) c"), positions, None)


class PointPatches(nn.Module):
    """The maximum of a 1x1 convolution over the `neighbours` of `groups` farthest points; input (batch, point, 6).

    `place_columns` are the columns that distances are taken on, first and behind the last. OneLLM's code passes colours
    there (columns 3 to 5: model/lib/point_utils.py, PointPatchEmbed.forward), which a converted checkpoint has to
    follow; the positions of the tokens are those of x, y, z all the same.
    """

    def __init__(self, dim: int, groups: int = 1024, neighbours: int = 32, place_columns: tuple[int, int] = (0, 3)):
        super().__init__()
        self.groups, self.neighbours, self.columns = groups, neighbours, slice(*place_columns)
        self.conv = nn.Conv2d(6, dim, 1)

    def forward(self, values: Float[Tensor, "batch point 6"]) -> Tokens:
        places = values[..., self.columns].contiguous()
        chosen = farthest_points(places, self.groups)
        index, _ = nearest_neighbours(gather_points(places, chosen), places, self.neighbours)
        # Every point is mapped once; a group is a selection of mapped points.
        mapped = self.conv(rearrange(values.to(self.conv.weight.dtype), "b p c -> b c p 1"))
        tokens = gather_points(rearrange(mapped, "b c p 1 -> b p c"), index).amax(2)
        return Tokens(tokens, gather_points(values[..., :3].contiguous(), chosen), None)


class ImuPatches(nn.Module):
    """A convolution in time over six channels; input (batch, 6, sample)."""

    def __init__(self, dim: int, kernel: int = 10, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(6, dim, kernel, stride, bias=False)

    def forward(self, values: Float[Tensor, "batch 6 sample"]) -> Tokens:
        maps = self.conv(values.to(self.conv.weight.dtype))
        positions = grid_positions((maps.shape[-1],), maps.device).expand(len(maps), -1, -1)
        return Tokens(rearrange(maps, "b c time -> b time c"), positions, (maps.shape[-1],))


class FmriMap(nn.Module):
    """One linear map of all voxels to `tokens` tokens without places; input (batch, voxel)."""

    def __init__(self, dim: int, voxels: int = 15724, tokens: int = 8):
        super().__init__()
        self.tokens = tokens
        self.conv = nn.Linear(voxels, dim * tokens)

    def forward(self, values: Float[Tensor, "batch voxel"]) -> Tokens:
        mapped = self.conv(values.to(self.conv.weight.dtype))
        return Tokens(rearrange(mapped, "b (c token) -> b token c", token=self.tokens), None, None)
