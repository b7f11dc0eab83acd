"""Masks of boxes: those of transformers' own path, in the image's pixels, one encoding for all boxes of an image."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate
from transformers import SamProcessor
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from deixis.model.masks.sam_image import MEAN_RGB, STD_RGB, prepare_for_sam
from deixis.synthesis.annotators import masks as masks_module
from deixis.synthesis.annotators.masks import boxes_in_sam, sam_masks
from tests.synthesis.annotators.models import save_sam, save_sam2, save_sam2_of_films
from tests.toy import toy_image

SIDE = 64  # of a toy SAM's input
BOXES = np.array([[2, 3, 30, 40], [50, 10, 80, 40], [0, 0, 90, 50], [60.5, 20.25, 61, 21], [10, 30, 45, 49]])
SIZES = [pytest.param((50, 90), id="wide"), pytest.param((133, 41), id="high"), pytest.param((64, 64), id="same")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each type of model."""
    made = {}
    for name, save in (("sam", save_sam), ("sam2", save_sam2), ("films", save_sam2_of_films)):
        made[name] = tmp_path_factory.mktemp(name)
        save(made[name])
    return made


def chosen(answer):
    """The low-resolution masks (box, side, side) whose predicted IoU is the highest, one by one."""
    pairs = zip(answer.pred_masks[0], answer.iou_scores[0], strict=True)
    return torch.stack([masks[scores.argmax()] for masks, scores in pairs])


@pytest.mark.parametrize("best_of", [pytest.param(3, id="best_of_three"), pytest.param(1, id="single")])
@pytest.mark.parametrize("size_hw", SIZES)
def test_sams_masks_are_those_of_transformers(folders, size_hw, best_of):
    pixels, masks_of = toy_image(*size_hw), sam_masks(folders["sam"], "cpu", best_of)
    processor = SamProcessor(
        SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE})
    )
    inputs = processor(Image.fromarray(pixels), input_boxes=[BOXES.tolist()], return_tensors="pt")
    with torch.no_grad():
        answer = masks_of.network(
            pixel_values=inputs["pixel_values"],
            input_boxes=inputs["input_boxes"].float(),
            multimask_output=best_of == 3,
        )
    theirs = processor.image_processor.post_process_masks(
        [chosen(answer)[:, None]], [size_hw], inputs["reshaped_input_sizes"].tolist()
    )
    masks = masks_of(pixels, BOXES)
    assert masks.shape == (5, *size_hw)
    assert 0.02 < masks.mean() < 0.98
    assert (masks == np.asarray(theirs[0])[:, 0]).mean() > 0.999


@pytest.mark.parametrize("size_hw", SIZES)
def test_the_masks_of_sam_2_are_those_of_its_network(folders, size_hw):
    pixels, masks_of = toy_image(*size_hw), sam_masks(folders["sam2"], "cpu")
    square = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    values = (square / 255 - MEAN_RGB) / STD_RGB
    prompts = BOXES * np.array([SIDE / size_hw[1], SIDE / size_hw[0]] * 2)
    with torch.no_grad():
        answer = masks_of.network(
            pixel_values=torch.from_numpy(values.transpose(2, 0, 1)).float()[None],
            input_boxes=torch.from_numpy(prompts).float()[None],
        )
    theirs = interpolate(chosen(answer)[:, None], size_hw, mode="bilinear", align_corners=False)[:, 0] > 0
    masks = masks_of(pixels, BOXES)
    assert 0.02 < masks.mean() < 0.98
    assert (masks == theirs.numpy()).mean() > 0.999


def test_the_published_sam_2_opens_without_its_memory(folders):
    masks_of = sam_masks(folders["films"], "cpu")
    assert masks_of.network.config.model_type == "sam2"
    assert masks_of(toy_image(50, 90), BOXES).shape == (5, 50, 90)


@pytest.mark.parametrize("kind", [pytest.param("sam", id="sam"), pytest.param("sam2", id="sam2")])
def test_boxes_in_batches_have_the_masks_that_each_has_alone(folders, kind, monkeypatch):
    pixels, masks_of = toy_image(50, 90), sam_masks(folders[kind], "cpu")
    encoded = []
    masks_of.network.vision_encoder.register_forward_hook(lambda *_: encoded.append(1))
    alone = np.concatenate([masks_of(pixels, BOXES[number : number + 1]) for number in range(len(BOXES))])
    encoded.clear()
    monkeypatch.setattr(masks_module, "BOXES_AT_ONCE", 2)  # five boxes: the last batch is not full
    together = masks_of(pixels, BOXES)
    assert len(encoded) == 1
    assert (together == alone).mean(axis=(1, 2)).min() > 0.999
    assert len({mask.tobytes() for mask in together}) > 1


def test_no_boxes_have_no_masks(folders):
    assert sam_masks(folders["sam"], "cpu")(toy_image(7, 9), np.zeros((0, 4))).shape == (0, 7, 9)


@pytest.mark.parametrize(
    ("square", "expected"),
    [
        pytest.param(False, [[32.0, 0.0, 64.0, 32.0]], id="sam_keeps_the_shape"),
        pytest.param(True, [[32.0, 0.0, 64.0, 64.0]], id="sam_2_fills_the_square"),
    ],
)
def test_boxes_move_into_sams_pixels(square, expected):
    prepared = prepare_for_sam(toy_image(40, 80), SIDE, square)
    assert boxes_in_sam(np.array([[40.0, 0.0, 80.0, 40.0]]), prepared).tolist() == expected


@pytest.mark.parametrize("best_of", [pytest.param(0, id="none"), pytest.param(2, id="two")])
def test_sam_has_three_masks_or_one(folders, best_of):
    with pytest.raises(ValueError, match=f"best_of: expected 3, .* or 1, .* got {best_of}"):
        sam_masks(folders["sam"], "cpu", best_of)
