"""The feature field: what the encoder makes of a signal, features at positions.

One record for every kind of signal, so that one sampler can read any region and one head can mark any region.
Two levels: `tokens`, the encoder's last layer, and `fine`, mask features at a finer spacing (cells of a picture,
frames of a sound, points of a cloud). Positions are unit coordinates (see `deixis.geometry.Frame`), x before y.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deixis.ops import interpolate_points, sample_grid


@dataclass
class Field:
    """The fields of a batch of signals of one kind.

    tokens: (batch, token, dim). positions: (batch, token, axes). grid: the shape of the regular grid the tokens lie
    on, (rows, columns) or (frames,), row by row; None for a cloud. fine: (batch, cell, channels) with fine_positions
    and fine_grid likewise. valid: (batch, token), False where a token stands for padding.
    """

    kind: str
    tokens: Float[Tensor, "batch token dim"]
    positions: Float[Tensor, "batch token axes"]
    grid: tuple[int, ...] | None
    fine: Float[Tensor, "batch cell channels"]
    fine_positions: Float[Tensor, "batch cell axes"]
    fine_grid: tuple[int, ...] | None
    valid: Bool[Tensor, "batch token"] | None = None

    @property
    def axes(self) -> int:
        """The number of axes of the signal's space: 2 for a picture, 1 for a sound, 3 for a cloud."""
        return self.positions.shape[-1]

    def at(
        self, points: Float[Tensor, "region point axes"], signal: Int[Tensor, " region"]
    ) -> Float[Tensor, "region point both"]:
        """Features of both levels (tokens, then fine) interpolated at `points`; `signal` is each region's row."""
        coarse = _interpolate(self.tokens, self.positions, self.grid, points, signal)
        fine = _interpolate(self.fine, self.fine_positions, self.fine_grid, points, signal)
        return torch.cat([coarse, fine], -1)

    def row(self, index: int) -> "Field":
        """The field of one signal of the batch, as a batch of one."""
        one = slice(index, index + 1)
        valid = None if self.valid is None else self.valid[one]
        return Field(
            self.kind,
            self.tokens[one],
            self.positions[one],
            self.grid,
            self.fine[one],
            self.fine_positions[one],
            self.fine_grid,
            valid,
        )


def _interpolate(values, positions, grid, points, signal):
    if grid is None:
        return interpolate_points(values[signal], positions[signal], points, k=3)
    maps = values.transpose(1, 2).unflatten(-1, grid)
    return sample_grid(maps, points, signal)


def grid_positions(size: tuple[int, ...], device: torch.device) -> Float[Tensor, "cell axes"]:
    """Unit coordinates of the cell centres of a regular grid (rows, columns) or (frames,): x, y or t."""
    axes = [(torch.arange(n, device=device, dtype=torch.float32) + 0.5) / n for n in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).flatten(0, -2)


def fourier_features(positions: Float[Tensor, "*rest axes"], bands: int) -> Float[Tensor, "*rest features"]:
    """Sines and cosines of unit coordinates at `bands` octaves from half a wave: (..., axes * 2 * bands)."""
    octaves = 2.0 ** torch.arange(bands, device=positions.device, dtype=torch.float32) * torch.pi
    angles = positions.float().unsqueeze(-1) * octaves
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)
