"""All abilities on one trunk: eight modalities, regions in, masks out, at toy size; tiles; SAM 2."""

import numpy as np
import pytest
import torch

from deixis import Box, Box3D, Point, Span
from deixis.evaluation.metrics.iou import mask_iou
from deixis.model import DeixisForConditionalGeneration, build_processor
from deixis.model.masks.cells import logits_to_regions
from deixis.model.processor import signal_token_count
from deixis.signals import MODALITIES, open_signal
from tests.toy import PIXELS, SAM2_SIZES, UNION, toy_audio, toy_image, toy_network, toy_point_cloud

VISION = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
TRUNKS = [
    pytest.param({**VISION, "model_type": "clip_vision_model", "intermediate_size": 48}, id="clip"),
    pytest.param({**VISION, "model_type": "siglip_vision_model", "intermediate_size": 48}, id="siglip"),
    pytest.param({**VISION, "model_type": "dinov2", "mlp_ratio": 2}, id="dinov2"),
]
TILES = {"image": {**PIXELS, "tiles": 2}, "audio": None, "point_cloud": None}


def film(frames=4):
    return open_signal((np.stack([toy_image(20, 30, seed=i) for i in range(frames)]), 2.0), "video")


EXAMPLES = {
    "image": (lambda: open_signal(toy_image(30, 40)), Box(3, 4, 20, 20)),
    "audio": (lambda: open_signal(toy_audio(3.0)), Span(0.5, 1.5)),
    "point_cloud": (lambda: open_signal(toy_point_cloud(90)), Box3D(0, 0, 0, 1, 1, 0.6)),
    "video": (film, Box(3, 4, 20, 15)),
    "depth": (lambda: open_signal(np.full((30, 40), 2.5, np.float32), "depth"), Point(9, 9)),
    "normal": (lambda: open_signal(np.tile(np.array([0, 0, 1], np.float32), (30, 40, 1)), "normal"), Box(3, 4, 20, 20)),
    "imu": (lambda: open_signal((np.random.default_rng(0).normal(size=(120, 6)), 40.0), "imu"), Span(0.5, 1.5)),
}


@pytest.fixture(scope="module", params=TRUNKS)
def union(request, toy):
    return toy_network(toy[1].tokenizer, vision_config=request.param, **UNION)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in EXAMPLES])
def test_every_kind_is_read_pointed_at_and_marked(union, kind):
    network, processor = union
    source, region = EXAMPLES[kind]
    signal = source()
    inputs = processor("What is {0}?", [signal], [region])
    token = network.config.signal_token_ids[kind]
    assert (inputs["input_ids"] == token).sum() == signal_token_count(network.config, kind)
    with torch.no_grad():
        output = network(**inputs)
        encoded = network.encode_inputs(inputs)
        marks = network.point(encoded, torch.randn(1, 32), torch.tensor([0]))
    assert output.logits.isfinite().all()
    field = encoded.fields[kind]
    assert field.axes == len(MODALITIES[kind].axes) == field.fine_positions.shape[-1]
    assert logits_to_regions(marks[0].abs(), processor.prepare(signal))  # everything is marked, in the file's own units


def test_the_union_survives_a_file_and_says_what_it_can(union, tmp_path):
    network, processor = union
    assert network.config.abilities == {
        "signals": list(MODALITIES),
        "regions": list(MODALITIES),
        "answers": ["text", "box", "mask"],
    }
    network.save_pretrained(tmp_path)
    loaded = DeixisForConditionalGeneration.from_pretrained(tmp_path).eval()
    inputs = processor("What is {0}?", [toy_image(30, 40)], [Box(3, 4, 20, 20)])
    with torch.no_grad():
        torch.testing.assert_close(loaded(**inputs).logits, network(**inputs).logits)


def test_frames_of_a_film_are_cells_in_time(union):
    network, processor = union
    prepared = processor.prepare(film())
    field = network.field_encoder(torch.from_numpy(prepared.values)[None], "video")
    assert (field.grid, field.fine_grid) == ((3, 2, 2), (3, 7, 7))
    torch.testing.assert_close(field.positions[0, ::4, 2], torch.tensor([1 / 6, 3 / 6, 5 / 6]))
    logits = torch.full((3, 49), -1.0)
    logits[1] = 1.0  # the second frame alone
    [region] = logits_to_regions(logits.flatten(), prepared)
    duration_s = prepared.frame.size.duration_s
    assert (region.form, region.mask.all()) == ("mask", True)
    assert region.time_s == pytest.approx((duration_s / 3, 2 * duration_s / 3))


def test_frames_may_be_averaged_as_onellm_does(toy):
    vision = {**VISION, "model_type": "clip_vision_model", "intermediate_size": 48}
    network, _ = toy_network(
        toy[1].tokenizer, vision_config=vision, **{**UNION, "video": {**PIXELS, "frames": 3, "pool_frames": True}}
    )
    values = torch.randn(2, 3, 3, 28, 28)
    with torch.no_grad():
        pooled = network.field_encoder(values, "video")
        single = [network.field_encoder(values[:, i], "image").tokens for i in range(3)]
    assert pooled.grid == (2, 2)
    torch.testing.assert_close(pooled.tokens, torch.stack(single).mean(0), atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def tiled(toy):
    vision = {**VISION, "model_type": "clip_vision_model", "intermediate_size": 48}
    return toy_network(toy[1].tokenizer, vision_config=vision, **{**UNION, **TILES})


def test_tiles_are_one_field_with_the_thumbnail_before_it(tiled):
    network, processor = tiled
    prepared = processor.prepare(open_signal(toy_image(60, 90)))
    assert prepared.values.shape == (5, 3, 28, 28)
    with torch.no_grad():
        field = network.field_encoder(torch.from_numpy(prepared.values)[None], "image")
        corner = network.field_encoder(
            torch.from_numpy(prepared.values)[None, 4], "image"
        )  # the last tile: lower right
        thumbnail = network.field_encoder(torch.from_numpy(prepared.values)[None, 0], "image")
    assert (field.grid, field.fine_grid) == ((4, 4), (14, 14))
    torch.testing.assert_close(field.tokens.unflatten(1, (4, 4))[:, 2:, 2:].flatten(1, 2), corner.tokens)
    torch.testing.assert_close(field.fine.unflatten(1, (14, 14))[:, 7:, 7:].flatten(1, 2), corner.fine)
    torch.testing.assert_close(field.lead, torch.cat([thumbnail.lead, thumbnail.tokens], 1))
    assert (processor("Hm?", [toy_image(60, 90)])["input_ids"] == network.config.signal_token_ids["image"]).sum() == (
        processor.token_counts["image"]
    )


def test_regions_and_masks_of_tiles_are_in_the_file(tiled):
    network, processor = tiled
    signal = open_signal(toy_image(60, 90))
    prepared = processor.prepare(signal)
    mask = np.zeros((60, 90), bool)
    mask[10:30, 50:80] = True
    from deixis.model.masks.cells import mask_to_cells

    cells = torch.from_numpy(mask_to_cells(mask, prepared.frame, 14))
    [region] = logits_to_regions(cells - 0.5, prepared)
    assert mask_iou(mask, region.mask)[0] > 0.7
    with torch.no_grad():
        assert network(**processor("What is {0}?", [signal], [Box(50, 10, 80, 30)])).logits.isfinite().all()


@pytest.fixture(scope="module")
def with_sam2(toy):
    vision = {**VISION, "model_type": "siglip_vision_model", "intermediate_size": 48}
    pointing = {"dim": 16, "backbone": "sam2"}
    return toy_network(toy[1].tokenizer, vision_config=vision, pointing=pointing, mask_config=SAM2_SIZES, **UNION)


def test_sam2_makes_the_masks_of_pictures(with_sam2):
    network, processor = with_sam2
    assert (processor.sam_size_px, processor.sam_square) == (64, True)
    signal = open_signal(toy_image(30, 40))
    inputs = processor("Where is {0}?", [signal], [Box(3, 4, 20, 20)])
    assert inputs["sam_values"].shape == (1, 3, 64, 64)
    with torch.no_grad():
        encoded = network.encode_inputs(inputs)
        [logits] = network.point(encoded, torch.randn(1, 32), torch.tensor([0]))
    assert len(encoded.sam.features) == 3
    [region] = logits_to_regions(logits, processor.prepare(signal))
    assert (region.form, region.mask.shape) == ("mask", (30, 40))


def test_sam2s_decoder_is_that_of_transformers(with_sam2):
    network, _ = with_sam2
    head = network.sam_pointing
    pixels, points = torch.randn(2, 3, 64, 64), torch.rand(2, 1, 3, 2) * 64
    labels = torch.ones(2, 1, 3, dtype=torch.int32)
    with torch.no_grad():
        theirs = head.sam(pixel_values=pixels, input_points=points, input_labels=labels, multimask_output=False)
        sparse, _ = head.sam.prompt_encoder(
            input_points=points, input_labels=labels, input_boxes=None, input_masks=None
        )
        logits, scores = head.decode(sparse[:, 0], head.encode(pixels))
    torch.testing.assert_close(logits, theirs.pred_masks.flatten(1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(scores, theirs.iou_scores.flatten(), atol=1e-5, rtol=1e-4)


def test_a_brain_is_pointed_at_in_parcels(union, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    network, processor = union
    volume = np.random.default_rng(0).normal(1, 0.2, (4, 4, 4)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "brain.nii.gz")
    signal = open_signal(tmp_path / "brain.nii.gz")
    inputs = processor("What is {0}?", [signal], [Box3D(-1, -1, -1, 1.5, 4, 4)])
    prepared = processor.prepare(signal)
    assert prepared.values.shape == (10, 4)
    with torch.no_grad():
        assert network(**inputs).logits.isfinite().all()
    logits = torch.full((10,), -1.0)
    logits[3] = 1.0
    [region] = logits_to_regions(logits, prepared, signal=2)
    assert (region.form, region.signal) == ("points", 2)
    assert (prepared.indices[region.points] == 3).all()
    assert build_processor(network.config, processor.tokenizer).specs["fmri"]["parcels"] == 10
