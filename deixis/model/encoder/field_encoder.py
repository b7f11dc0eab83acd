"""`FieldEncoder`: from prepared signals to feature fields, tokenizer, universal encoder and upsampling together.

Tokenizers and upsampling modules are those that each modality names (`deixis.signals.Modality`). Modalities made of
pixels need no tokenizer: with tokenizer "patch" they go through the vision model's own patches. Frames of a video, and
the image beside its depth or normal map, are then encoded one by one; they stay apart in time, or are averaged
(`pool_frames`, OneLLM). A video's own tokenizer ("stem"), or that of images ("image"), has them encoded together.
"""

import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from deixis.errors import ConfigError
from deixis.model.config import DeixisConfig
from deixis.model.encoder.field import Field, grid_positions
from deixis.model.encoder.universal_encoder import TrunkEncoder, UniversalEncoder, build_trunk, vision_layers
from deixis.model.tokenizers.stems import ImageStem, Tokens, grid_tokens
from deixis.signals import MODALITIES
from deixis.signals.modality import load
from deixis.signals.tokenizer_options import IMAGE


class FieldEncoder(nn.Module):
    """Signals of any modality to fields: a tokenizer and an upsampling per modality, one encoder for all.

    stems make the finer map of pixels that have no tokenizer. pooled: modalities whose frames are averaged. lead: the
    encoder's leading tokens are kept for the projection. as_images: modalities whose frames are read and upsampled by
    the modules of images.
    """

    def __init__(
        self,
        tokenizers: nn.ModuleDict,
        encoder: UniversalEncoder | TrunkEncoder,
        upsamples: nn.ModuleDict,
        stems: nn.ModuleDict | None = None,
        pooled: tuple[str, ...] = (),
        lead: bool = False,
        as_images: tuple[str, ...] = (),
    ):
        super().__init__()
        self.tokenizers, self.encoder, self.upsamples = tokenizers, encoder, upsamples
        self.stems = stems if stems is not None else nn.ModuleDict()
        self.pooled, self.lead, self.as_images = pooled, lead, as_images

    def forward(self, values: Float[Tensor, "batch ..."], modality: str) -> Field:
        """The fields of a batch of prepared signals of one modality (see `deixis.signals.to_tensor`).

        Several images per signal (batch, view, 3, side, side), frames or tiles, are encoded one by one and joined.
        """
        record = MODALITIES[modality]
        is_whole = modality in self.tokenizers and record.views == "frames"  # its tokenizer takes all frames
        if not record.patches or values.ndim == 4 or is_whole:
            return self._encode(values, modality)
        field, views = self._encode(values.flatten(0, 1), modality), values.shape[1]
        if record.views == "tiles":
            return _tiled(field, views)
        return _averaged(field, views) if modality in self.pooled else _in_time(field, views)

    def _encode(self, values: Float[Tensor, "batch ..."], modality: str) -> Field:
        if modality not in self.tokenizers and modality not in self.as_images:
            return self._pixels(values, modality)
        tokens = self._tokens(values, modality)
        if isinstance(self.encoder, TrunkEncoder):
            return self._field(modality, *self.encoder(tokens, modality), tokens)
        return self._field(modality, self.encoder(tokens, modality), None, tokens)

    def _tokens(self, values: Float[Tensor, "batch ..."], modality: str) -> Tokens:
        if modality not in self.as_images:
            return self.tokenizers[modality](values)
        image = self.tokenizers[IMAGE]
        return self.tokenizers[modality](values, image) if modality in self.tokenizers else image(values)

    def _pixels(self, values: Float[Tensor, "batch 3 side side"], modality: str) -> Field:
        """The fields of pixels, through the vision model's own patches."""
        assert isinstance(self.encoder, TrunkEncoder), "the configuration lets a trunk alone read pixels"
        hidden, lead = self.encoder.look(values.to(next(self.encoder.parameters()).dtype))
        side = round(hidden.shape[1] ** 0.5)
        maps = hidden.transpose(1, 2).unflatten(-1, (side, side))
        early = self.stems[modality](values.to(maps.dtype)) if modality in self.stems else None
        return self._field(modality, hidden, lead, grid_tokens(maps, early))

    def _field(self, modality: str, hidden: Tensor, lead: Tensor | None, tokens: Tokens) -> Field:
        lead = lead if self.lead else None
        own = IMAGE if modality in self.as_images else modality
        if own not in self.upsamples:
            return Field(modality, hidden, tokens.positions, tokens.grid, lead=lead)
        cells = self.upsamples[own](hidden, tokens)
        places = tokens.positions, tokens.grid, cells, tokens.early_positions, tokens.early_grid
        return Field(modality, hidden, *places, lead)


def _tiled(field: Field, views: int) -> Field:
    """One field per image: its tiles side by side, the tokens of the thumbnail before them (`prepare_tiles`)."""
    tiles = round((views - 1) ** 0.5)

    def joined(level: Tensor, grid: tuple[int, ...]) -> Tensor:
        cut = rearrange(level, "(b v) n c -> b v n c", v=views)[:, 1:]
        names = {"r": tiles, "c": tiles, "h": grid[0], "w": grid[1]}
        return rearrange(cut, "b (r c) (h w) d -> b (r h c w) d", **names)

    def placed(grid: tuple[int, ...] | None) -> tuple[Tensor | None, tuple[int, ...] | None]:
        if grid is None:
            return None, None
        whole = (tiles * grid[0], tiles * grid[1])
        places = grid_positions(whole, field.tokens.device)
        return places.expand(len(field.tokens) // views, -1, -1), whole

    leading = [level for level in (field.lead, field.tokens) if level is not None]
    lead = torch.cat([rearrange(level, "(b v) n c -> b v n c", v=views)[:, 0] for level in leading], 1)
    assert field.grid is not None, "tiles lie on a grid"
    fine = None if field.fine is None or field.fine_grid is None else joined(field.fine, field.fine_grid)
    return Field(
        field.modality, joined(field.tokens, field.grid), *placed(field.grid), fine, *placed(field.fine_grid), lead
    )


def _averaged(field: Field, frames: int) -> Field:
    """One field a signal: the mean over its frames."""

    def mean(level: Tensor) -> Tensor:
        return rearrange(level, "(b f) n c -> b f n c", f=frames).mean(1)

    return _regrouped(field, mean, lambda positions: positions[::frames], lambda grid: grid)


def _in_time(field: Field, frames: int) -> Field:
    """One field a signal, its frames one after the other; positions are x, y, t, the grid (frames, rows, columns)."""

    def joined(level: Tensor) -> Tensor:
        return rearrange(level, "(b f) n c -> b (f n) c", f=frames)

    def placed(positions: Tensor) -> Tensor:
        times = grid_positions((frames,), positions.device).repeat(len(positions) // frames, 1)  # (signal * frame, 1)
        return joined(torch.cat([positions, times[:, None].expand(-1, positions.shape[1], -1)], -1))

    return _regrouped(field, joined, placed, lambda grid: (frames, *grid))


def _regrouped(
    field: Field,
    level: Callable[[Tensor], Tensor],
    positions: Callable[[Tensor], Tensor],
    grid: Callable[[tuple[int, ...]], tuple[int, ...]],
) -> Field:
    """The field with its levels (tokens, fine, lead), their positions and grids mapped; what is None stays None."""
    maps: dict[str, Callable] = {"tokens": level, "fine": level, "lead": level}
    maps |= {"positions": positions, "fine_positions": positions, "grid": grid, "fine_grid": grid}
    present = {name: getattr(field, name) for name in maps if getattr(field, name) is not None}
    return replace(field, **{name: maps[name](value) for name, value in present.items()})


def build_field_encoder(config: DeixisConfig) -> FieldEncoder:
    """A `FieldEncoder` of the sizes in `config`, freshly initialised."""
    dim = config.vision_config.hidden_size
    tokenizers, upsamples, stems = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
    as_images = tuple(name for name, options in config.signals.items() if options.tokenizer == IMAGE)
    for name, options in config.signals.items():
        has_fine = options.early_dim > 0 and config.has_fine
        if name in as_images and IMAGE not in MODALITIES[name].tokenizers:
            continue  # it has nothing of its own
        if options.tokenizer != "patch" or not MODALITIES[name].patches:
            tokenizers[name] = _tokenizer(name, options, dim)
        elif has_fine:
            stems[name] = ImageStem(options.early_dim)
        if has_fine and name not in as_images:
            upsamples[name] = load(MODALITIES[name].upsample)(dim, options.early_dim, config.pointing.dim)
    pooled = tuple(name for name, options in config.signals.items() if getattr(options, "pool_frames", False))
    return FieldEncoder(tokenizers, _encoder(config), upsamples, stems, pooled, config.encoder.class_token, as_images)


def _tokenizer(name: str, options: Any, dim: int) -> nn.Module:
    """The tokenizer that the options name, built with those of them that its constructor accepts."""
    known = MODALITIES[name].tokenizers
    if options.tokenizer not in known:
        raise ConfigError(f"signals.{name}.tokenizer: expected one of {', '.join(known)}; got {options.tokenizer!r}")
    module = load(known[options.tokenizer])
    accepted = inspect.signature(module).parameters
    return module(dim, **{f.name: getattr(options, f.name) for f in fields(options) if f.name in accepted})


def _encoder(config: DeixisConfig) -> UniversalEncoder | TrunkEncoder:
    options, vision = config.encoder, config.vision_config
    axes = {name: len(MODALITIES[name].axes) for name in config.signals}
    if options.type == "fourier":
        return UniversalEncoder(vision_layers(vision), vision.hidden_size, axes)
    # Pixels have the vision model's own positions; all others need some of their own.
    foreign = {name: own for name, own in config.signals.items() if not MODALITIES[name].patches}
    placed = [name for name, own in foreign.items() if options.positions == "fourier" and own.has_places]
    return build_trunk(
        vision,
        layer=options.layer,
        norm=options.norm,
        attention=options.attention,
        learned={name: own.token_count for name, own in foreign.items() if name not in placed},
        fourier={name: axes[name] for name in placed},
    )
