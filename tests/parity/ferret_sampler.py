"""Ferret's region sampler alone, on a recorded map: points, choices, features, region vectors. Part of `ferret.py`."""

from collections.abc import Iterator

import numpy as np
import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor

from deixis.model.regions.sampler import RegionSampler
from deixis.ops import farthest_points, gather_points, nearest_neighbours, sample_grid
from deixis.systems.ferret.sampling import transposed_places
from tests.parity.golden import Check, Golden

ANCHORS, NEAR = (128, 32), (24, 24)
SHARE = 1e-4  # of the largest value
SETS = {"A": {0: ["A0", "A1"], 2: ["A2"]}, "B": {0: None}, "C": {1: None}}
"""Which images of the map a set reads, and the masks of its points where these are all pixels of masks."""


def checks(golden: Golden) -> Iterator[Check]:
    state = load_file(golden.folder / "sampler_state.safetensors")
    width, out = state["flatten_projector.weight"].shape[0], state["dim_projector.weight"].shape[0]
    samplers = {mode: RegionSampler(width, out, 2, ANCHORS, NEAR, mode).eval() for mode in ("max", "mean")}
    for sampler in samplers.values():
        sampler.load_state_dict(state)
    tokens = golden["sampler_unit/feature_map"]
    side = round(tokens.shape[1] ** 0.5)
    grids = rearrange(tokens, "image (row column) channel -> image channel row column", row=side)
    for name in SETS:
        if golden.has(f"sampler_unit/{name}.points"):
            yield from one_set(golden, name, grids, samplers)
    yield from orientation(golden, side)
    yield from small_clouds(golden)


def one_set(golden: Golden, name: str, grids: Tensor, samplers: dict[str, RegionSampler]) -> Iterator[Check]:
    prefix = f"sampler_unit/{name}"
    points = golden[f"{prefix}.points"]
    masks = [mask for own in SETS[name].values() for mask in own or ()]
    if masks:
        drawn = np.stack([np.argwhere(golden[f"masks/{m}"]) / np.array(golden[f"masks/{m}"].shape) for m in masks])
        points = torch.from_numpy(drawn).float()
        yield Check(f"{prefix}.points", points, 1e-6)
    images = [image for image, own in SETS[name].items() for _ in own or points]
    read_at = torch.from_numpy(np.stack([transposed_places(own.numpy(), grids.shape[-1]) for own in points]))
    features = sample_grid(grids, read_at, torch.tensor(images))
    yield Check(f"{prefix}.point_features_every8", features[:, ::8], SHARE, relative=True)
    yield from choices(golden, prefix, points)
    recorded = golden.names(f"{prefix}.max.image*")
    for mode, sampler in samplers.items():
        # set B has equal distances, of which the official topk took any: it is read with the recorded groups
        vectors = with_groups(sampler, features, points, golden, prefix) if name == "B" else sampler(features, points)
        first = 0
        for entry in recorded:
            entry = entry.replace(".max.", f".{mode}.")
            count = len(golden[entry])
            yield Check(entry, vectors[first : first + count], SHARE, relative=True)
            first += count


def with_groups(sampler: RegionSampler, features: Tensor, points: Tensor, golden: Golden, prefix: str) -> Tensor:
    """Region vectors by the sampler's weights in the published form, with the recorded anchors and neighbours."""
    for stage, (difference, local) in enumerate(
        zip(sampler.diff_projector_list, sampler.agg_projector_list, strict=True)
    ):
        values = torch.cat([features, points], -1)
        chosen = golden[f"{prefix}.fps_idx{stage}"].long()
        anchor = gather_points(values, chosen)[:, :, None]
        near = gather_points(values, golden[f"{prefix}.knn_idx{stage}"].long())
        joined = torch.cat([difference(near - anchor), anchor.expand_as(near)], -1)
        rows = rearrange(joined, "region anchor near channel -> (region anchor near) channel 1")
        rows = local.norm(local.net(rows).squeeze(-1)).view(*near.shape[:3], -1)
        features = rows.amax(2) if sampler.pooling == "max" else rows.mean(2)
        points = gather_points(points, chosen)
    return sampler.dim_projector(sampler.flatten_projector(features.flatten(1)))


def choices(golden: Golden, prefix: str, points: Tensor) -> Iterator[Check]:
    """Farthest points and their neighbours, stage by stage; where distances tie, neighbours as near as the recorded."""
    for stage, (anchors, near) in enumerate(zip(ANCHORS, NEAR, strict=True)):
        chosen = farthest_points(points, anchors)
        yield Check(f"{prefix}.fps_idx{stage}", chosen)
        centres = gather_points(points, chosen)
        entry = f"{prefix}.knn_idx{stage}"
        recorded = golden[entry].long()
        index, distance = nearest_neighbours(centres, points, near)
        of_recorded = (gather_points(points, recorded) - centres[:, :, None]).square().sum(-1).sort(-1).values
        as_near = torch.isclose(of_recorded, distance, rtol=1e-4, atol=5e-7).all(-1, keepdim=True)
        same = index.sort(-1).values
        # a group of other neighbours at the same distances is as good: the official topk breaks ties at random
        yield Check(entry, torch.where(as_near & (same != recorded).any(-1, keepdim=True), recorded, same))
        points = centres


def orientation(golden: Golden, side: int) -> Iterator[Check]:
    """A map that holds its own columns and rows, read the transposed way."""
    if golden.has("sampler_unit/D.sampled"):
        row, column = torch.meshgrid(*[torch.arange(side, dtype=torch.float32)] * 2, indexing="ij")
        points = golden["sampler_unit/D.points_xy"]
        places = torch.from_numpy(transposed_places(points.numpy(), side))[None]
        read = sample_grid(torch.stack([column, row])[None], places, torch.zeros(1, dtype=torch.long))
        yield Check("sampler_unit/D.sampled", read[0], SHARE, relative=True)


def small_clouds(golden: Golden) -> Iterator[Check]:
    if not golden.has("sampler_unit/E.xyz"):
        return
    points = golden["sampler_unit/E.xyz"]
    chosen = farthest_points(points, golden["sampler_unit/E.fps20"].shape[1])
    yield Check("sampler_unit/E.fps20", chosen)
    centres = gather_points(points, chosen)
    yield Check("sampler_unit/E.index_points", centres, 1e-6)
    near = golden["sampler_unit/E.knn7_sorted"].shape[2]
    index, _ = nearest_neighbours(centres, points, near)
    yield Check("sampler_unit/E.knn7_sorted", index.sort(-1).values)
    every, distance = nearest_neighbours(centres, points, points.shape[1])
    yield Check("sampler_unit/E.square_distance", torch.zeros_like(distance).scatter(-1, every, distance), 1e-5)
