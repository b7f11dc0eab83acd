"""Dense pretraining: the target of a token is that of the cells that it covers."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from deixis.model.encoder.field import Field, grid_positions
from deixis.model.masks.cells import fine_cells
from deixis.systems import system_of
from deixis.training.dense import DenseBatches, DenseHeads, DensePretrainer, dense_cells
from deixis.training.instruct import InstructBatches, Instructor
from deixis.training.recipe import check_cells
from deixis.training.recipe_file import DenseStage
from deixis.training.start import dense_heads
from deixis.training.trainer import BatchStream
from tests.toy import PIXELS, UNION, VISION, toy_network, toy_tokenizer


def grid_field(kind, grid, fine_grid):
    level = [
        (torch.randn(1, p.shape[0], 4), p[None])
        for p in (grid_positions(g, torch.device("cpu")) for g in (grid, fine_grid))
    ]
    (tokens, positions), (fine, fine_positions) = level
    return Field(kind, tokens, positions, grid, fine, fine_positions, fine_grid)


@pytest.mark.parametrize(
    ("kind", "grid", "fine_grid", "split"),
    [
        pytest.param("image", (2, 3), (8, 12), (2, 2), id="quarters"),
        pytest.param("image", (2, 2), (8, 8), (4, 4), id="every_cell"),
        pytest.param("audio", (5,), (20,), (4,), id="frames"),
        pytest.param("audio", (5,), (20,), (1,), id="one_a_token"),
        pytest.param("video", (3, 2, 3), (3, 8, 12), (1, 2, 2), id="quarters_of_frames"),
    ],
)
def test_a_token_answers_for_its_own_cells(kind, grid, fine_grid, split):
    field = grid_field(kind, grid, fine_grid)
    axes = len(grid)
    heads = DenseHeads(4, 4, {"kind": 3}, axes, split)
    _, place = heads._token_truth(field, torch.zeros(1, field.fine.shape[1], 1, dtype=torch.long), field.fine_positions)
    place = place.reshape(1, field.tokens.shape[1], math.prod(split), axes)
    half_token = torch.tensor([0.5 / n for n in reversed(grid)])
    assert ((place - field.positions[:, :, None]).abs() < half_token).all()
    assert len({tuple(p) for p in place.flatten(0, 2).tolist()}) == place[..., 0].numel()


def test_a_token_of_a_cloud_answers_for_the_point_nearest_to_it():
    points = torch.rand(1, 30, 3)
    tokens = points[:, [3, 17, 8]]
    field = Field("point_cloud", torch.randn(1, 3, 4), tokens, None, torch.randn(1, 30, 4), points, None)
    classes = torch.arange(30).view(1, 30, 1)
    truth, _ = DenseHeads(4, 4, {"kind": 30}, 3, ())._token_truth(field, classes, points)
    assert truth.flatten().tolist() == [3, 17, 8]


def test_cells_that_show_nothing_have_no_box():
    heads, field = DenseHeads(4, 4, {"kind": 3, "colour": 2}, 2, (2, 2)), grid_field("image", (2, 2), (8, 8))
    nothing = torch.zeros(1, 64, 2, dtype=torch.long)
    result = heads(field, nothing, torch.rand(1, 64, 4))
    assert torch.isfinite(result["loss"])
    other = heads(field, nothing, torch.rand(1, 64, 4))
    assert result["loss"] == other["loss"]


def test_a_right_answer_costs_less(toy):
    network, processor = toy
    specs = {kind: processor.spec(kind) for kind in network.config.modalities}
    batch = DenseBatches(specs, fine_cells(network.config), {"image": 1, "audio": 1, "point_cloud": 1}, 5)(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pretrainer = DensePretrainer(network.field_encoder, dense_heads(network))
    optimizer = torch.optim.Adam(pretrainer.heads.parameters(), 0.05)
    losses = []
    for _ in range(5):
        output = pretrainer(**batch)
        optimizer.zero_grad()
        output["loss"].backward()
        optimizer.step()
        losses.append(output["loss"].item())
    network.zero_grad()
    assert losses == sorted(losses, reverse=True)
    assert {"image/kind", "audio/kind", "point_cloud/colour"} <= output["losses"].keys()


def test_a_step_is_the_same_whoever_draws_it(toy):
    network, processor = toy
    specs, cells = {kind: processor.spec(kind) for kind in ("image", "audio")}, fine_cells(network.config)
    batches = DenseBatches(specs, cells, {"image": 2, "audio": 1}, 11)
    stream = list(BatchStream(batches, 1, 3))
    assert len(stream) == 2
    for drawn, step in zip(stream, (1, 2), strict=True):
        again = DenseBatches(specs, cells, {"image": 2, "audio": 1}, 11)(step)
        assert all(torch.equal(drawn[kind][n], again[kind][n]) for kind in again for n in again[kind])
    assert not torch.equal(stream[0]["image"]["values"], stream[1]["image"]["values"])


def test_a_mirrored_picture_has_a_mirrored_truth(toy):
    network, processor = toy
    batches = DenseBatches({"image": processor.spec("image")}, fine_cells(network.config), {"image": 1}, 0)
    for seed in (0, 1):  # odd seeds are mirrored
        values, targets = batches.example("image", seed)
        classes, box = targets.classes, targets.box
        shown = classes[:, 0] > 0
        cells = torch.stack(torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij"), -1).flatten(0, 1)
        x = (cells[:, 1].numpy() + 0.5) / 8
        y = (cells[:, 0].numpy() + 0.5) / 8
        inside = (x >= box[:, 0] - 0.07) & (x <= box[:, 2] + 0.07) & (y >= box[:, 1] - 0.07) & (y <= box[:, 3] + 0.07)
        assert shown.any()
        assert inside[shown].all()


@pytest.fixture(scope="module")
def union():
    """(network, processor) of all eight modalities."""
    vision = {**VISION, "model_type": "clip_vision_model", "image_size": 32, "patch_size": 16}
    pixels = {**PIXELS, "size_px": 32, "patch_px": 16}
    maps = dict.fromkeys(("image", "depth", "normal"), pixels) | {"video": {**pixels, "frames": 3}}
    return toy_network(toy_tokenizer(), vision_config=vision, **UNION | maps)


def test_maps_and_videos_are_learnt_cell_by_cell(union):
    network, processor = union
    counts = {"depth": 1, "normal": 1, "video": 1}
    specs = {name: processor.spec(name) for name in counts}
    batch = DenseBatches(specs, dense_cells(network.config), counts, 3)(0)
    assert batch["video"]["classes"].shape == (1, 3 * 8 * 8, 3)
    output = DensePretrainer(network.field_encoder, dense_heads(network))(**batch)
    output["loss"].backward()
    assert {"depth/kind", "normal/box", "video/colour"} <= output["losses"].keys()
    assert "depth/colour" not in output["losses"]


def test_every_signal_of_a_pair_has_its_targets(union):
    network, processor = union
    cells, counts = dense_cells(network.config), {"image": 1, "image+depth": 1, "video+depth": 1}
    own = (processor, system_of(network.config), cells, fine_cells(network.config), counts, 2, 300, 5)
    rows, truths = InstructBatches(*own).rows(0)
    assert {name: len(found) for name, found in truths.items()} == {"image": 2, "depth": 2, "video": 1}
    for name, found in truths.items():
        values = [prepared for row in rows for prepared in row.row.prepared if prepared.modality == name]
        assert [len(own.classes) for own in found] == [cells[name]] * len(values)
    batch = InstructBatches(*own)(0)
    heads = dense_heads(network)
    output = Instructor(network, system_of(network.config), heads, dense_weight=1.0)(**batch)
    assert {f"{name}/kind" for name in truths} <= output["losses"].keys()


def test_averaged_frames_have_no_targets(union):
    config = copy.deepcopy(union[0].config)
    config.signals["video"] = replace(config.signals["video"], pool_frames=True)
    assert union[0].config.signals.keys() - dense_cells(union[0].config).keys() <= {"fmri"}
    assert dense_cells(union[0].config).keys() - dense_cells(config).keys() == {"video"}
    stage = DenseStage(name="dense", batch={"video": 1}, steps=1)
    with pytest.raises(ValueError, match=r"stage dense: batch: expected modalities with mask features .*; got video"):
        check_cells(stage, config)
