"""The feature field: the encoder's output for a signal, features at positions.

One record for every modality, so that one sampler reads any region and one head predicts any region.
Two levels: `tokens`, the encoder's last layer, and `fine`, mask features at a finer spacing (cells of an image,
frames of audio, points of a cloud). Positions are unit coordinates (see `deixis.geometry.Frame`), x before y.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deixis.errors import UnsupportedError
from deixis.ops import interpolate_points, sample_grid


@dataclass
class Field:
    """The fields of a batch of signals of one modality.

    tokens: (batch, token, dim). positions: (batch, token, axes). grid: the shape of the regular grid the tokens lie
    on, (rows, columns), (frames,) or (frames, rows, columns), row by row; None for a cloud. fine: (batch, cell,
    channels) with fine_positions and fine_grid likewise; None where no finer level is made. lead: tokens without a
    position that the projection reads before the others (the class token).
    """

    modality: str
    tokens: Float[Tensor, "batch token dim"]
    positions: Float[Tensor, "batch token axes"] | None
    grid: tuple[int, ...] | None
    fine: Float[Tensor, "batch cell channels"] | None = None
    fine_positions: Float[Tensor, "batch cell axes"] | None = None
    fine_grid: tuple[int, ...] | None = None
    lead: Float[Tensor, "batch lead dim"] | None = None

    @property
    def axes(self) -> int:
        """The number of axes of the signal's space: 2 for an image, 1 for audio, 3 for a cloud, 0 without positions."""
        return 0 if self.positions is None else self.positions.shape[-1]

    @property
    def all_tokens(self) -> Float[Tensor, "batch any dim"]:
        """The tokens that the projection reads: those without a place before the others."""
        return self.tokens if self.lead is None else torch.cat([self.lead, self.tokens], 1)

    def at(
        self, points: Float[Tensor, "region point axes"], signal: Int[Tensor, " region"]
    ) -> Float[Tensor, "region point both"]:
        """Features interpolated at `points`, of the tokens, then of the fine level; `signal` is each region's row.

        Raises UnsupportedError for a signal without places.
        """
        if self.positions is None:
            raise UnsupportedError(
                f"{self.modality}: this model reads it as a whole, without places; a region cannot lie in it"
            )
        coarse = _interpolate(self.tokens, self.positions, self.grid, points, signal)
        if self.fine is None:
            return coarse
        fine = _interpolate(self.fine, self.fine_positions, self.fine_grid, points, signal)
        return torch.cat([coarse, fine], -1)


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
