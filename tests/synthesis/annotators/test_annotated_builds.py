"""A build with models named in its recipe: masks for boxes, depth for images, in processes of their own."""

import json
from collections import Counter

import numpy as np
import pytest
import yaml
from PIL import Image

from deixis.cli import main
from deixis.samples.shards import open_samples
from deixis.synthesis.annotators import open_annotators
from tests.synthesis.annotators.models import save_depth_anything, save_sam
from tests.toy import toy_image

SIZE_HW = (48, 80)
BOX = (8, 4, 40, 30)  # left, top, width, height
PICTURES = 6


@pytest.fixture
def recipe(tmp_path):
    """The path of a recipe for a set in COCO's form that has boxes alone, with a SAM and a depth model."""
    (tmp_path / "pictures").mkdir()
    images, annotations = [], []
    for number in range(1, PICTURES + 1):
        Image.fromarray(toy_image(*SIZE_HW, number)).save(tmp_path / "pictures" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": SIZE_HW[0], "width": SIZE_HW[1]})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": BOX, "iscrowd": 0})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    save_sam(tmp_path / "sam")
    save_depth_anything(tmp_path / "depth")
    values = {
        "sources": {"boxes": {"format": "coco", "path": "boxes.json", "images": "pictures"}},
        "parts": [
            {"kind": "classes", "from": "boxes", "samples": PICTURES, "masks_from_boxes": True},
            {"kind": "maps", "from": "boxes", "samples": PICTURES},
        ],
        "models": {"masks": "sam", "depth": "depth", "device": "cpu"},
        "shards": {"format": "jsonl", "samples": 3},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "recipe.yaml"


def test_a_build_uses_the_models_that_its_recipe_names(recipe, monkeypatch):
    folder = recipe.parent
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit, match="0"):
        main(["data", "build", "recipe.yaml", "out", "--workers", "2"])
    samples = [sample for _, sample in open_samples(folder / "out")]
    assert Counter(sample.task for sample in samples) == {"classes": PICTURES, "maps": PICTURES}
    assert {sample.signals[1].modality for sample in samples if sample.task == "maps"} == {"depth", "normal"}
    annotators = open_annotators(masks="sam", depth="depth", device="cpu")
    box = np.array([[BOX[0], BOX[1], BOX[0] + BOX[2], BOX[1] + BOX[3]]], dtype=float)
    for sample in samples:
        pixels = np.asarray(Image.open(folder / "out" / sample.signals[0].path))
        if sample.task == "classes":
            marked = [region.mask_array for region in sample.regions if region.mask is not None]
            expected = annotators.masks()(pixels, box)[0]
            assert all((mask == expected).mean() > 0.999 for mask in marked)
            assert marked
        elif sample.signals[1].modality == "depth":
            written_m = np.asarray(Image.open(folder / "out" / sample.signals[1].path)) / 1000
            np.testing.assert_allclose(written_m, annotators.depth()(pixels), atol=2e-3)


def test_a_model_of_another_kind_ends_a_build_before_it_begins(recipe, monkeypatch, capsys):
    monkeypatch.chdir(recipe.parent)
    recipe.write_text(recipe.read_text().replace("masks: sam", "masks: depth"))
    with pytest.raises(SystemExit, match="2"):
        main(["data", "build", "recipe.yaml", "out"])
    assert "masks 'depth': expected a SAM or SAM 2" in capsys.readouterr().err
    assert not (recipe.parent / "out").exists()
