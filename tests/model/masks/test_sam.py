"""SAM as the mask backbone: input, decoder and masks against transformers' own, and placement to the pixel."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, SamModel
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from deixis import Box
from deixis.evaluation.metrics.iou import mask_iou
from deixis.geometry import Region
from deixis.model.masks.cells import logits_to_mask, region_to_cells
from deixis.model.masks.sam import SamPointing, sam_side
from deixis.model.masks.sam_image import prepare_for_sam, sam_mask
from deixis.signals import open_signal
from tests.toy import SAM_SIZES, toy_audio, toy_image, toy_network

SIDE = 16  # cells of a toy mask
POINTING = {"dim": 16, "backbone": "sam"}
SIZES = [
    pytest.param((64, 64), id="same"),
    pytest.param((30, 50), id="enlarged_wide"),
    pytest.param((200, 111), id="reduced_high"),
    pytest.param((8, 640), id="a_strip"),
]


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    model = SamModel(AutoConfig.for_model(**SAM_SIZES)).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)  # transformers starts some at zero, which would hide mistakes
    return model


@pytest.fixture(scope="module")
def toy_sam(toy):
    return toy_network(toy[1].tokenizer, pointing=POINTING, mask_config=SAM_SIZES)


@pytest.mark.parametrize("size_hw", SIZES)
def test_the_input_is_that_of_transformers(size_hw):
    pixels = toy_image(*size_hw)
    theirs = SamImageProcessorPil(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})(pixels)
    ours = prepare_for_sam(pixels, 64)
    np.testing.assert_allclose(ours.values, np.asarray(theirs["pixel_values"][0]), atol=1e-5)
    assert list(ours.placed_hw) == np.asarray(theirs["reshaped_input_sizes"][0]).tolist()


@pytest.mark.parametrize("size_hw", SIZES)
def test_masks_are_brought_back_as_transformers_does(size_hw):
    logits = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    prepared = prepare_for_sam(toy_image(*size_hw), 64)
    theirs = SamImageProcessorPil(pad_size={"height": 64, "width": 64}).post_process_masks(
        [logits[None, None]], [size_hw], [prepared.placed_hw]
    )
    mask = sam_mask(logits.flatten(), prepared)
    assert mask.shape == size_hw
    assert (mask == np.asarray(theirs[0])[0, 0]).mean() > 0.999


def test_the_decoder_is_that_of_transformers(sam):
    pixels = torch.randn(2, 3, 64, 64)
    points, labels = torch.rand(2, 1, 3, 2) * 64, torch.ones(2, 1, 3, dtype=torch.long)
    with torch.no_grad():
        theirs = sam(pixel_values=pixels, input_points=points, input_labels=labels, multimask_output=False).pred_masks
        sparse, _ = sam.get_prompt_embeddings(input_points=points, input_labels=labels)
        head = SamPointing(sam, 8)
        features = head.encode(pixels)
        ours = head.decode(sparse[:, 0], features)[0]
        state = torch.randn(2, 8)
        torch.testing.assert_close(head(state, features), head.decode(head.prompt(state)[:, None], features)[0])
    assert theirs.abs().max() > 0.1
    torch.testing.assert_close(ours, theirs.flatten(1))
    assert ours.shape[1] == sam_side(sam.config) ** 2 == SIDE**2


@pytest.mark.parametrize(
    "size_hw",
    [pytest.param((96, 96), id="square"), pytest.param((60, 150), id="wide"), pytest.param((333, 90), id="high")],
)
def test_a_mask_returns_to_its_place(toy_sam, size_hw):
    _, processor = toy_sam
    prepared = processor.prepare(open_signal(toy_image(*size_hw)))
    height, width = size_hw
    mask = np.zeros(size_hw, bool)
    mask[height // 4 : height // 2, width // 2 : width] = True
    share = region_to_cells(Region(mask=mask), prepared, SIDE**2)
    assert share.sum() == pytest.approx(mask.sum() / max(size_hw) ** 2 * SIDE**2, rel=0.15)
    back = logits_to_mask(torch.from_numpy(share) - 0.5, prepared)
    assert back.shape == size_hw
    assert mask_iou(mask, back)[0] > 0.75
    assert prepared.mask_frame.to_file([[0.0, 0.0]]).tolist() == [[0.0, 0.0]]  # the upper left corner, not the centre


def test_one_cell_is_one_place_in_the_file():
    prepared = prepare_for_sam(toy_image(32, 64), 64)
    logits = torch.full((SIDE, SIDE), -1.0)
    logits[2, 10] = 1.0
    rows, columns = np.nonzero(sam_mask(logits.flatten(), prepared))
    assert (rows.mean(), columns.mean()) == (9.5, 41.5)  # cells of 4 px: rows 8 to 11, columns 40 to 43
    assert np.ptp(rows) <= 5


def batch_of(network, processor):
    """Audio without masks, then two images: one with a mask, then both."""
    batch = processor(
        ["Hm?", "Where is {0}?"], [[toy_audio(), toy_image(seed=3)], [toy_image(30, 20, 1)]], [[], [Box(2, 3, 9, 9)]]
    )
    seg = torch.full((2, 2), network.config.seg_token_id)
    seg[0, 0] = 25
    ids = torch.cat([batch.pop("input_ids"), seg], 1)
    labels = torch.where(torch.arange(ids.shape[1]) >= ids.shape[1] - 2, ids, -100)
    mask = torch.cat([batch.pop("attention_mask"), torch.ones(2, 2, dtype=torch.long)], 1)
    target = (torch.rand(3, SIDE**2, generator=torch.Generator().manual_seed(2)) > 0.5).float()
    return {
        **batch,
        "input_ids": ids,
        "attention_mask": mask,
        "labels": labels,
        "seg_signal": torch.tensor([1, 2, 2]),
        "seg_target": target,
    }


def test_every_part_of_sam_gets_gradients(toy):
    network, processor = toy_network(toy[1].tokenizer, pointing=POINTING, mask_config=SAM_SIZES)
    output = network(**batch_of(network, processor))
    output.loss.backward()
    assert set(output.losses) == {"text", "bce", "dice"}
    sam = {
        name.split(".")[0] for name, weight in network.sam_pointing.sam.named_parameters() if weight.grad is not None
    }
    assert sam == {"mask_decoder", "vision_encoder", "prompt_encoder", "shared_image_embedding"}
    assert network.sam_pointing.prompt[0].weight.grad.any()
    assert network.language_model.get_input_embeddings().weight.grad.any()
    assert network.pointing_head.query[0].weight.grad is None  # the audio has no mask


def test_pictures_are_marked_by_sam_and_sounds_by_the_shared_head(toy_sam):
    network, processor = toy_sam
    batch = batch_of(network, processor)
    with torch.no_grad():
        encoded = network.encode_inputs(batch)
        states = torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
        marks = network.point(encoded, states, torch.tensor([0, 1, 2]))
        head = network.sam_pointing
        second = head(
            states[2:],
            head.encode(torch.from_numpy(processor.prepare(open_signal(toy_image(30, 20, 1))).sam.values)[None]),
        )
    assert [len(mark) for mark in marks] == [200, SIDE**2, SIDE**2]
    torch.testing.assert_close(marks[2], second[0], atol=1e-5, rtol=1e-4)
    assert [features.shape for features in encoded.sam.features] == [(2, 16, 4, 4)]


def test_sams_input_must_be_there(toy_sam):
    network, processor = toy_sam
    batch = batch_of(network, processor)
    del batch["sam_values"]
    with pytest.raises(ValueError, match="sam_values: expected SAM's input of every image, got none"):
        network(**batch)
