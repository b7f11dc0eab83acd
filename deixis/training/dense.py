"""Dense pretraining: before any language, every cell of every signal is classified and localised.

For each cell of a field: the class, colour and part of the object it shows and the object's box (in audio: the event
and its span). Linear heads read both levels of the field; they are used for pretraining only and discarded later. The
targets come from the world (`deixis.world.dense_targets`). A cell's box loss is the L1 distance in unit coordinates.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from deixis.model.encoder.field import Field
from deixis.model.encoder.field_encoder import FieldEncoder

NOTHING_WEIGHT = 0.25  # of cells that show nothing, against 1 for all others together
BOX_WEIGHT = 4.0


class DenseHeads(nn.Module):
    """Linear heads of one modality on both levels of its field.

    Each token predicts `split` ** axes cells of a regular grid (its quarters in an image), or the point nearest its
    centre in a point cloud.
    """

    def __init__(self, token_dim: int, fine_dim: int, class_counts: tuple[int, ...], axes: int, split: int):
        super().__init__()
        self.class_counts, self.axes, self.split = class_counts, axes, split
        outputs = sum(class_counts) + 2 * axes
        self.fine = nn.Linear(fine_dim, outputs)
        self.token = nn.Sequential(nn.LayerNorm(token_dim), nn.Linear(token_dim, outputs * split**axes))

    def forward(
        self, field: Field, classes: Int[Tensor, "batch cell names"], box: Float[Tensor, "batch cell bounds"]
    ) -> dict[str, Tensor]:
        """Losses of the field against the targets of its fine cells, by name; `accuracy` of the first class name."""
        fine = self._loss(self.fine(field.fine).float(), classes, box)
        token_classes, token_box = self._token_truth(field, classes, box)
        outputs = self.token(field.tokens).float().flatten(1).unflatten(1, (token_classes.shape[1], -1))
        token = self._loss(outputs, token_classes, token_box)
        return {
            "loss": fine["loss"] + token["loss"],
            "kind": fine["kind"],
            "colour": fine["colour"],
            "box": token["box"],
        }

    def _token_truth(self, field: Field, classes: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """The ground truth at the cells that each token covers, token by token."""
        if field.grid is None:
            nearest = torch.cdist(field.positions, field.fine_positions).argmin(-1)
            pick = lambda truth: truth.gather(1, nearest.unsqueeze(-1).expand(-1, -1, truth.shape[-1]))  # noqa: E731
            return pick(classes), pick(box)
        return self._grid_truth(field, classes), self._grid_truth(field, box)

    def _grid_truth(self, field: Field, truth: Tensor) -> Tensor:
        assert field.grid is not None
        assert field.fine_grid is not None
        maps = truth.unflatten(1, field.fine_grid)
        for axis, (cells, tokens) in enumerate(zip(field.fine_grid, field.grid, strict=True), 1):
            step = cells // (tokens * self.split)
            index = torch.arange(step // 2, cells, step, device=truth.device)
            maps = maps.index_select(axis, index)
        if len(field.grid) == 1:
            return maps
        rows, columns = field.grid
        blocks = maps.unflatten(1, (rows, self.split)).unflatten(3, (columns, self.split))
        return blocks.transpose(2, 3).flatten(1, 4)  # (batch, row, column, quarter...) flattened token by token

    def _loss(self, outputs: Tensor, classes: Tensor, box: Tensor) -> dict[str, Tensor]:
        shown = classes[..., 0] > 0
        weight = torch.where(shown, 1 / shown.sum().clamp(min=1), NOTHING_WEIGHT / (~shown).sum().clamp(min=1))
        *scores, bounds = outputs.split([*self.class_counts, 2 * self.axes], -1)
        losses = [
            (cross_entropy(s.flatten(0, -2), classes[..., i].flatten(), reduction="none") * weight.flatten()).sum()
            for i, s in enumerate(scores)
        ]
        box_loss = (bounds.sigmoid() - box).abs().mean(-1)[shown].mean() if shown.any() else bounds.sum() * 0
        hits = [(s.argmax(-1) == classes[..., i])[shown].float().mean() for i, s in enumerate(scores)]
        loss = sum(losses) + BOX_WEIGHT * box_loss
        return {"loss": loss, "kind": hits[0], "colour": hits[min(1, len(hits) - 1)], "box": box_loss.detach()}


class DensePretrainer(nn.Module):
    """A `FieldEncoder` with dense heads; `forward` gives {"loss", "losses"} for transformers' Trainer."""

    def __init__(self, encoder: FieldEncoder, heads: nn.ModuleDict):
        super().__init__()
        self.encoder, self.heads = encoder, heads

    def forward(self, **batch: dict[str, Tensor]) -> dict[str, Tensor | dict[str, Tensor]]:
        """`batch` maps a modality to {"values", "classes", "box"}; modalities may be absent."""
        losses = {}
        for kind, part in batch.items():
            result = self.heads[kind](self.encoder(part["values"], kind), part["classes"], part["box"])
            losses |= {f"{kind}/{name}": value for name, value in result.items()}
        total = sum(losses[f"{kind}/loss"] for kind in batch)
        return {"loss": total, "losses": {name: value.detach() for name, value in losses.items()}}
