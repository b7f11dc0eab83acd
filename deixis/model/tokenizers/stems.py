"""The union's own tokenizers: from a prepared tensor to tokens at positions, and an early, finer feature map.

Regions and masks read the early map as well, because a cell of 16 pixels can hold several objects. Images go through
convolutions (a stem, then patches), audio through the same in time over a Kaldi filterbank, clouds through groups
around farthest points, kNN and 1x1 convolutions with a maximum (OneLLM, section 3.2, with a stem before the patches).
The tokenizers exactly as OneLLM published them are in `model.published_tokenizers`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from deixis.model.encoder.field import grid_positions
from deixis.ops import farthest_points, gather_points, nearest_neighbours


@dataclass
class Tokens:
    """tokens (batch, token, dim) at positions (batch, token, axes) on `grid`; early features on a finer spacing.

    A signal without positions (OneLLM's linear fMRI map) has none; nor has a tokenizer without early map its features.
    """

    tokens: Float[Tensor, "batch token dim"]
    positions: Float[Tensor, "batch token axes"] | None
    grid: tuple[int, ...] | None
    early: Float[Tensor, "batch cell channels"] | None = None
    early_positions: Float[Tensor, "batch cell axes"] | None = None
    early_grid: tuple[int, ...] | None = None


class ImageStem(nn.Sequential):
    """The early map of an image alone: (batch, 3, side, side) to (batch, channel, side / 4, side / 4)."""

    def __init__(self, early_dim: int):
        super().__init__(
            nn.Conv2d(3, early_dim // 2, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(early_dim // 2, early_dim, 4, 2, 1),
            nn.GELU(),
            nn.Conv2d(early_dim, early_dim, 3, 1, 1),
        )


class ImageTokenizer(nn.Module):
    """Two strided convolutions (stride 4 in all), then patches of `patch_px` pixels. Input (batch, 3, side, side)."""

    def __init__(self, dim: int, patch_px: int = 16, early_dim: int = 96):
        super().__init__()
        self.stem = ImageStem(early_dim)
        self.patch = nn.Conv2d(early_dim, dim, patch_px // 4, patch_px // 4)

    def forward(self, values: Float[Tensor, "batch 3 height width"]) -> Tokens:
        early = self.stem(values.to(self.patch.weight.dtype))
        return grid_tokens(self.patch(nn.functional.gelu(early)), early)


class VideoTokenizer(nn.Module):
    """As `ImageTokenizer` for every frame, whose early map also has what changes from one frame to the next.

    Input (batch, frame, 3, side, side); tokens lie on (frame, row, column), so that the encoder looks at all frames at
    once. The convolution over three frames begins as nothing: a still image has the features of its frames.
    tokenizer: "image" leaves frames to the tokenizer of images, which `forward` then takes.
    """

    def __init__(self, dim: int, patch_px: int = 16, early_dim: int = 96, tokenizer: Literal["stem", "image"] = "stem"):
        super().__init__()
        self.frame = ImageTokenizer(dim, patch_px, early_dim) if tokenizer == "stem" else None
        self.change = nn.Conv3d(early_dim, early_dim, (3, 1, 1), padding=(1, 0, 0))
        for weight in self.change.parameters():
            nn.init.zeros_(weight)

    def forward(self, values: Float[Tensor, "batch frame 3 side side"], image: ImageTokenizer | None = None) -> Tokens:
        frames, frame = values.shape[1], self.frame or image
        assert frame is not None, "with tokenizer: image, frames are read by that of images"
        early = frame.stem(values.flatten(0, 1).to(self.change.weight.dtype))
        early = early.unflatten(0, (-1, frames)).transpose(1, 2)  # (batch, channel, frame, row, column)
        early = early + self.change(early)
        patches = frame.patch(nn.functional.gelu(early).transpose(1, 2).flatten(0, 1))
        return grid_tokens(patches.unflatten(0, (-1, frames)).transpose(1, 2), early)


class AudioTokenizer(nn.Module):
    """Convolutions over the filterbank: the mel axis is folded into channels, time goes to `stride` frames a token.

    Input (batch, frame, mel); frames must be a multiple of `stride`.
    """

    def __init__(self, dim: int, mel_bins: int, stride: int = 16, early_dim: int = 96):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, (5, 5), (2, 2), 2), nn.GELU(), nn.Conv2d(16, 32, (5, 5), (2, 2), 2), nn.GELU()
        )
        self.fold = nn.Conv1d(32 * (mel_bins // 4), early_dim, 3, 1, 1)
        self.patch = nn.Conv1d(early_dim, dim, stride // 4, stride // 4)

    def forward(self, values: Float[Tensor, "batch frame mel"]) -> Tokens:
        maps = self.stem(values.unsqueeze(1).to(self.patch.weight.dtype))  # (batch, channel, frame / 4, mel / 4)
        early = self.fold(maps.transpose(2, 3).flatten(1, 2))
        return grid_tokens(self.patch(nn.functional.gelu(early)), early)


class PointTokenizer(nn.Module):
    """Groups of `neighbours` points around `groups` farthest points. Input (batch, point, 6): xyz unit, rgb 0..1.

    Early features are of every point by itself.
    """

    def __init__(self, dim: int, groups: int = 96, neighbours: int = 32, early_dim: int = 96):
        super().__init__()
        self.groups, self.neighbours = groups, neighbours
        self.point = nn.Sequential(nn.Linear(6, early_dim), nn.GELU(), nn.Linear(early_dim, early_dim))
        self.local = nn.Sequential(nn.Linear(9, 128), nn.GELU(), nn.Linear(128, dim))
        self.mix = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, values: Float[Tensor, "batch point 6"]) -> Tokens:
        xyz, scale = values[..., :3], 8.0  # neighbours lie within about an eighth of the cloud
        centres = gather_points(xyz, farthest_points(xyz, self.groups))
        index, _ = nearest_neighbours(centres, xyz, self.neighbours)
        near = gather_points(values, index)  # (batch, group, neighbour, 6)
        offset = (near[..., :3] - centres.unsqueeze(2)) * scale
        height = near[..., 2:3].expand_as(offset)
        dtype = next(self.parameters()).dtype  # places stay in float32, whatever the layers have
        local = self.local(torch.cat([offset, near[..., 3:] * 2 - 1, height], -1).to(dtype)).amax(2)
        early = self.point(torch.cat([xyz * 2 - 1, values[..., 3:] * 2 - 1], -1).to(dtype))
        return Tokens(local + self.mix(local), centres, None, early, xyz, None)


class MotionTokenizer(nn.Module):
    """Strided convolutions in time over six channels: four samples per cell, `stride` samples per token.

    Input (batch, 6, sample); samples must be a multiple of `stride`.
    """

    def __init__(self, dim: int, stride: int = 16, early_dim: int = 96):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(6, early_dim // 2, 4, 2, 1), nn.GELU(), nn.Conv1d(early_dim // 2, early_dim, 4, 2, 1)
        )
        self.patch = nn.Conv1d(early_dim, dim, stride // 4, stride // 4)

    def forward(self, values: Float[Tensor, "batch 6 sample"]) -> Tokens:
        early = self.stem(values.to(self.patch.weight.dtype))
        return grid_tokens(self.patch(nn.functional.gelu(early)), early)


class ParcelTokenizer(nn.Module):
    """A token for each parcel of an fMRI response, from its value. Input (batch, parcel, 4): xyz unit, value."""

    def __init__(self, dim: int, early_dim: int = 96):
        super().__init__()
        self.value = nn.Sequential(nn.Linear(1, early_dim), nn.GELU())
        self.token, self.early = nn.Linear(early_dim, dim), nn.Linear(early_dim, early_dim)

    def forward(self, values: Float[Tensor, "batch parcel 4"]) -> Tokens:
        places = values[..., :3].contiguous()
        hidden = self.value(values[..., 3:].to(self.token.weight.dtype))
        return Tokens(self.token(hidden), places, None, self.early(hidden), places, None)


def grid_tokens(tokens: Tensor, early: Tensor | None = None) -> Tokens:
    """`Tokens` of maps (batch, channel, *grid)."""
    return Tokens(*_level(tokens), *(_level(early) if early is not None else ()))


def _level(maps: Tensor) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    grid = tuple(maps.shape[2:])
    return maps.flatten(2).transpose(1, 2), grid_positions(grid, maps.device).expand(len(maps), -1, -1), grid
