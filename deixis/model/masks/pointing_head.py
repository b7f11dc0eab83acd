"""Mask features of any signal, and the pointing head that turns a hidden state at `<seg>` into a mask.

`Upsample2d`, `Upsample1d` and `UpsamplePoints` join the encoder's last layer with the tokenizer's early map (image
cells, audio frames, cloud points). `PointingHead` maps a hidden state to a query and compares it with every cell
(LISA, section 3.1, with features of the shared encoder instead of SAM's).
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from deixis.model.tokenizers.stems import Tokens
from deixis.ops import interpolate_points

FINER = "modalities with an upsample have a finer map, with positions"


class _UpsampleGrid(nn.Module):
    """Tokens on a grid to the cells of the early map, about four times finer: (batch, cell, out_dim)."""

    conv: type[nn.Module]
    transposed: type[nn.Module]
    mode: str

    def __init__(self, dim: int, early_dim: int, out_dim: int):
        super().__init__()
        conv, transposed = self.conv, self.transposed
        self.up = nn.Sequential(transposed(dim, early_dim, 2, 2), nn.GELU(), transposed(early_dim, early_dim, 2, 2))
        self.early = conv(early_dim, early_dim, 1)
        self.join = nn.Sequential(nn.GELU(), conv(early_dim, early_dim, 3, 1, 1), nn.GELU())
        self.out = conv(early_dim, out_dim, 1)

    def forward(self, hidden: Float[Tensor, "batch token dim"], tokens: Tokens) -> Float[Tensor, "batch cell out"]:
        assert tokens.early is not None, FINER
        coarse = self.up(hidden.transpose(1, 2).unflatten(-1, tokens.grid))
        fine = self.early(tokens.early.transpose(1, 2).unflatten(-1, tokens.early_grid))
        if coarse.shape[2:] != fine.shape[2:]:  # patches that are no sixteen pixels
            coarse = nn.functional.interpolate(coarse, fine.shape[2:], mode=self.mode, align_corners=False)
        return self.out(self.join(coarse + fine)).flatten(2).transpose(1, 2)


class Upsample2d(_UpsampleGrid):
    """Of tokens on (rows, columns), or on (frames, rows, columns), frame by frame."""

    conv, transposed, mode = nn.Conv2d, nn.ConvTranspose2d, "bilinear"

    def forward(self, hidden: Float[Tensor, "batch token dim"], tokens: Tokens) -> Float[Tensor, "batch cell out"]:
        if tokens.grid is None or tokens.early_grid is None or len(tokens.grid) == 2:
            return super().forward(hidden, tokens)
        assert tokens.early is not None, FINER
        apart, frames = "batch (frame cell) dim -> (batch frame) cell dim", tokens.grid[0]
        states, own, early = (rearrange(v, apart, frame=frames) for v in (hidden, tokens.tokens, tokens.early))
        cells = super().forward(states, Tokens(own, None, tokens.grid[1:], early, None, tokens.early_grid[1:]))
        return rearrange(cells, "(batch frame) cell out -> batch (frame cell) out", frame=frames)


class Upsample1d(_UpsampleGrid):
    """Of tokens on (frames,)."""

    conv, transposed, mode = nn.Conv1d, nn.ConvTranspose1d, "linear"


class UpsamplePoints(nn.Module):
    """Tokens at group centres to every point, by interpolation from the three nearest: (batch, point, out_dim)."""

    def __init__(self, dim: int, early_dim: int, out_dim: int):
        super().__init__()
        self.coarse, self.early = nn.Linear(dim, early_dim), nn.Linear(early_dim, early_dim)
        self.out = nn.Sequential(nn.GELU(), nn.Linear(early_dim, early_dim), nn.GELU(), nn.Linear(early_dim, out_dim))

    def forward(self, hidden: Float[Tensor, "batch token dim"], tokens: Tokens) -> Float[Tensor, "batch cell out"]:
        assert tokens.positions is not None, FINER
        assert tokens.early_positions is not None, FINER
        coarse = interpolate_points(self.coarse(hidden), tokens.positions, tokens.early_positions, k=3)
        return self.out(coarse + self.early(tokens.early))


class PointingHead(nn.Module):
    """Hidden states at `<seg>` to mask logits over the cells of the signals they point into."""

    def __init__(self, hidden_dim: int, dim: int):
        super().__init__()
        self.query = nn.Sequential(nn.Linear(hidden_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim + 1))
        self.scale = dim**-0.5

    def forward(
        self, hidden: Float[Tensor, "mask hidden"], cells: Float[Tensor, "mask cell dim"]
    ) -> Float[Tensor, "mask cell"]:
        query = self.query(hidden)
        return torch.einsum("md,mcd->mc", query[:, :-1], cells) * self.scale + query[:, -1:]
