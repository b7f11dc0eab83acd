"""Dense pretraining: before any language, every cell of every signal is classified and localised.

For each cell of a field: the class, colour and part of the object it shows and the object's box (in audio: the event
and its span). Linear heads read both levels of the field; they are used for pretraining only and discarded later. The
targets come from the world (`deixis.world.dense_targets`). A cell's box loss is the L1 distance in unit coordinates.

Step `s` of `DenseBatches` is a function of the recipe's seed and `s` alone, so a resumed run sees the batches of an
unbroken one, for any number of workers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from deixis.model.config import DeixisConfig
from deixis.model.encoder.field import Field
from deixis.model.encoder.field_encoder import FieldEncoder
from deixis.model.masks.cells import fine_cells
from deixis.model.prepared import Prepared
from deixis.samples.sample import MediaReference
from deixis.signals import MODALITIES, Signal, open_signal, to_tensor
from deixis.world.dense_targets import (
    CLASS_COUNTS,
    EVENT_KINDS,
    MAP_CLASSES,
    UNKNOWN,
    DenseTargets,
    event_targets,
    fmri_targets,
    image_targets,
    point_cloud_targets,
    shown_classes,
    video_targets,
)
from deixis.world.facts import EventFacts, Facts, SceneFacts, SignalFacts
from deixis.world.fmri_facts import FmriFacts
from deixis.world.generate import SIZE_PX, world_facts
from deixis.world.video_facts import VideoFacts

NOTHING_WEIGHT = 0.25  # of cells that show nothing, against 1 for all others together
BOX_WEIGHT = 4.0


class DenseHeads(nn.Module):
    """Linear heads of one modality on both levels of its field.

    classes: name of a class -> how many there are. split: the parts of a token that it predicts by themselves, along
    each axis of its grid (rows, columns; (2, 2) are the quarters of an image's token). A token of a point cloud
    predicts the point nearest its centre.
    """

    def __init__(self, token_dim: int, fine_dim: int, classes: Mapping[str, int], axes: int, split: tuple[int, ...]):
        super().__init__()
        self.classes, self.axes, self.split = dict(classes), axes, split
        outputs = sum(classes.values()) + 2 * axes
        self.fine = nn.Linear(fine_dim, outputs)
        self.token = nn.Sequential(nn.LayerNorm(token_dim), nn.Linear(token_dim, outputs * math.prod(split)))

    def forward(
        self, field: Field, classes: Int[Tensor, "batch cell names"], box: Float[Tensor, "batch cell bounds"]
    ) -> dict[str, Tensor]:
        """The loss of the field against the targets of its fine cells, and how right its classes are, by name."""
        fine = self._loss(self.fine(field.fine).float(), classes, box)
        token_classes, token_box = self._token_truth(field, classes, box)
        outputs = self.token(field.tokens).float().flatten(1).unflatten(1, (token_classes.shape[1], -1))
        token = self._loss(outputs, token_classes, token_box)
        return {**fine, "loss": fine["loss"] + token["loss"], "box": token["box"]}

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
        # per axis, of the fine cells that a part of a token covers, the one in the middle
        for axis, (cells, tokens, parts) in enumerate(zip(field.fine_grid, field.grid, self.split, strict=True), 1):
            step = cells // (tokens * parts)
            index = torch.arange(step // 2, cells, step, device=truth.device)
            maps = maps.index_select(axis, index)
        axes = len(field.grid)
        for axis, (tokens, parts) in enumerate(zip(field.grid, self.split, strict=True)):
            maps = maps.unflatten(1 + 2 * axis, (tokens, parts))
        # (batch, row, part, column, part, ...) token by token
        return maps.permute(0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), -1).flatten(1, 2 * axes)

    def _loss(self, outputs: Tensor, classes: Tensor, box: Tensor) -> dict[str, Tensor]:
        shown = classes[..., 0] > 0
        # both groups are averaged by themselves, or empty background would outweigh all objects
        weight = torch.where(shown, 1 / shown.sum().clamp(min=1), NOTHING_WEIGHT / (~shown).sum().clamp(min=1))
        *scores, bounds = outputs.split([*self.classes.values(), 2 * self.axes], -1)
        losses = [
            (cross_entropy(s.flatten(0, -2), classes[..., i].flatten(), reduction="none") * weight.flatten()).sum()
            for i, s in enumerate(scores)
        ]
        box_loss = (bounds.sigmoid() - box).abs().mean(-1)[shown].mean() if shown.any() else bounds.sum() * 0
        known = [shown & (classes[..., i] != UNKNOWN) for i in range(len(scores))]
        hits = [(s.argmax(-1) == classes[..., i])[known[i]].float().mean() for i, s in enumerate(scores)]
        loss = sum(losses) + BOX_WEIGHT * box_loss
        return {"loss": loss, **dict(zip(self.classes, hits, strict=True)), "box": box_loss.detach()}


class DensePretrainer(nn.Module):
    """A `FieldEncoder` with dense heads; `forward` gives {"loss", "losses"} for transformers' Trainer."""

    def __init__(self, encoder: FieldEncoder, heads: nn.ModuleDict):
        super().__init__()
        self.encoder, self.heads = encoder, heads

    def forward(self, **batch: dict[str, Tensor]) -> dict[str, Tensor | dict[str, Tensor]]:
        """`batch` maps a modality to {"values", "classes", "box"}; modalities may be absent."""
        losses = {}
        for modality, part in batch.items():
            result = self.heads[modality](self.encoder(part["values"], modality), part["classes"], part["box"])
            losses |= {f"{modality}/{name}": value for name, value in result.items()}
        total = sum(losses[f"{modality}/loss"] for modality in batch)
        return {"loss": total, "losses": {name: value.detach() for name, value in losses.items()}}


def dense_cells(config: DeixisConfig) -> dict[str, int]:
    """The number of fine cells of every modality whose cells have targets; a video's averaged frames have none."""
    averaged = {name for name, options in config.signals.items() if getattr(options, "pool_frames", False)}
    known = {name: count for name, count in fine_cells(config).items() if name in CLASS_COUNTS}
    return {name: count for name, count in known.items() if name not in averaged or MODALITIES[name].axes != "xyt"}


def training_facts(modality: str, seed: int, size_px: int = SIZE_PX) -> Facts:
    """The annotations of one signal of the training split; every third image is antialiased, as reduced photographs
    are."""
    return world_facts("train", seed, modality, 2 if seed % 3 == 0 else 1, size_px)


def signal_of(medium: MediaReference) -> Signal:
    """A generated signal, opened."""
    values, rate_hz = medium.values, medium.rate_hz
    return open_signal(values if rate_hz is None else (values, rate_hz), medium.modality)


def targets_of(facts: SignalFacts, prepared: Prepared, cells: int) -> DenseTargets:
    """The targets of the `cells` fine cells of a signal; `prepared` is the signal as the network reads it."""
    if isinstance(facts, EventFacts):
        return event_targets(facts.events, EVENT_KINDS[facts.subject], prepared.frame.extent[0], cells)
    if isinstance(facts, FmriFacts):
        assert prepared.indices is not None, "the network reads parcels"
        return fmri_targets(facts.brain, prepared.indices, prepared.values[:, :3])
    if isinstance(facts, VideoFacts):
        frames = len(prepared.values)
        return video_targets(facts.clip, frames, round((cells // frames) ** 0.5))
    assert isinstance(facts, SceneFacts), f"{facts.subject} has no dense targets"
    if facts.shown.has_pixels:
        targets = image_targets(facts.scene, facts.object_id, facts.part_id, round(cells**0.5), facts.shows_material)
        return targets if facts.shown.has_colours else shown_classes(targets, MAP_CLASSES)
    chosen = prepared.indices
    return point_cloud_targets(facts.scene, facts.object_id[chosen], facts.part_id[chosen], prepared.values[:, :3])


def stacked(targets: Sequence[DenseTargets]) -> dict[str, Tensor]:
    """{"classes", "box"} of a batch of targets."""
    return {name: torch.from_numpy(np.stack([getattr(own, name) for own in targets])) for name in ("classes", "box")}


class DenseBatches:
    """`make` for dense pretraining: {modality: {"values", "classes", "box"}}.

    `specs` by modality are the tensors that the network requires, `cells` the numbers of fine cells, `counts` the
    signals of each modality per batch. Images and depth maps are mirrored with their targets half of the time.
    """

    def __init__(self, specs: Mapping[str, Any], cells: Mapping[str, int], counts: Mapping[str, int], seed: int):
        self.specs, self.cells, self.counts, self.seed = specs, cells, counts, seed

    def __call__(self, step: int) -> dict[str, dict[str, Tensor]]:
        batch = {}
        for name, count in self.counts.items():
            rows = [self.example(name, self.seed + step * count + i) for i in range(count)]
            values = torch.from_numpy(np.stack([values for values, _ in rows]))
            batch[name] = {"values": values, **stacked([targets for _, targets in rows])}
        return batch

    def example(self, name: str, seed: int) -> tuple[np.ndarray, DenseTargets]:
        """(values, targets) of the signal of one seed."""
        spec, modality = self.specs[name], MODALITIES[name]
        (facts,) = training_facts(name, seed, getattr(spec, "size_px", SIZE_PX)).parts
        signal = signal_of(facts.medium)
        values, frame = to_tensor(signal, spec)
        indices = modality.indices(signal, spec) if modality.indices is not None else None
        targets = targets_of(facts, Prepared(name, values, frame, indices=indices), self.cells[name])
        is_mirrored = modality.axes == "xy" and not modality.has_directions and seed % 2
        return _mirrored(values, targets) if is_mirrored else (values, targets)


def _mirrored(values: np.ndarray, targets: DenseTargets) -> tuple[np.ndarray, DenseTargets]:
    """An image and its targets with left and right exchanged."""
    side = round(len(targets.classes) ** 0.5)
    maps = [level.reshape(side, side, -1)[:, ::-1].reshape(level.shape) for level in (targets.classes, targets.box)]
    box = np.stack([1 - maps[1][:, 2], maps[1][:, 1], 1 - maps[1][:, 0], maps[1][:, 3]], -1)
    return values[:, :, ::-1].copy(), replace(targets, classes=maps[0], box=box)
