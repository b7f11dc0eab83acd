"""Anything but a model of the required type is refused in one sentence, before or while it is opened."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import BertConfig, DepthProConfig

from deixis.synthesis.annotators import Annotators, open_annotators
from deixis.synthesis.annotators.boxes import open_vocabulary_boxes
from deixis.synthesis.annotators.depth import depth_maps
from deixis.synthesis.annotators.masks import sam_masks
from deixis.synthesis.annotators.model_loading import _files_wanted
from tests.synthesis.annotators.models import save_dpt, save_owl, save_sam
from tests.toy import toy_image

BOX = np.array([[2.0, 3.0, 30.0, 20.0]])
WEIGHTS = "model.safetensors"
ROOT = Path(__file__).parents[3]
THERE = """
import pickle, sys
import numpy as np
tools, pixels, boxes = pickle.load(open(sys.argv[1] + "/tools", "rb"))
found = np.array([box for _, box, _ in tools.boxes()(pixels, ["cat", "dog"])])
np.savez(sys.argv[1] + "/there.npz", masks=tools.masks()(pixels, boxes), boxes=found, depth=tools.depth()(pixels))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of a SAM, an OWL-ViT and a DPT, which tests copy before they harm them."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("sam", "owl", "dpt")}
    save_sam(folders["sam"])
    save_owl(folders["owl"], "owlvit")
    save_dpt(folders["dpt"])
    return folders


@pytest.fixture
def copy_of(made, tmp_path):
    return lambda name: Path(shutil.copytree(made[name], tmp_path / name))


def refused(open_model, folder, match):
    with pytest.raises(ValueError, match=match) as told:
        open_model(folder, device="cpu")
    assert "\n" not in str(told.value)


def without_config(folder):
    (folder / "config.json").unlink()


def damaged_config(folder):
    (folder / "config.json").write_text("{")


def unknown_type(folder):
    (folder / "config.json").write_text('{"model_type": "oracle"}')


def of_text(folder):
    BertConfig().save_pretrained(folder)


def without_weights(folder):
    (folder / WEIGHTS).unlink()


def cut_weights(folder):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def one_weight_less(folder):
    weights = load_file(folder / WEIGHTS)
    del weights["mask_decoder.iou_token.weight"]
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


def other_sizes(folder):
    config = json.loads((folder / "config.json").read_text())
    config["mask_decoder_config"]["mlp_dim"] = 40
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("harm", "match"),
    [
        pytest.param(without_config, "expected a SAM or SAM 2, with its config.json, got a folder without", id="empty"),
        pytest.param(damaged_config, "expected the config.json of a SAM or SAM 2, got .*JSON", id="damaged_config"),
        pytest.param(unknown_type, "expected the config.json of a SAM or SAM 2, got .*oracle", id="unknown_type"),
        pytest.param(of_text, r"\(sam, sam2, sam2_video\), got a model of type 'bert'", id="another_kind"),
        pytest.param(without_weights, "its weights cannot be read: .*no file named", id="no_weights"),
        pytest.param(cut_weights, "its weights cannot be read: ", id="cut_weights"),
        pytest.param(one_weight_less, "1 are missing or .* first mask_decoder.iou_token.weight", id="a_weight_less"),
        pytest.param(other_sizes, "got others: 6 are missing or of another size, first mask_decoder", id="sizes"),
    ],
)
def test_what_is_no_model_is_refused(copy_of, harm, match):
    folder = copy_of("sam")
    harm(folder)
    refused(sam_masks, folder, rf"^masks '{re.escape(str(folder))}': .*{match}")


@pytest.mark.parametrize(
    ("open_model", "name", "file", "match"),
    [
        pytest.param(
            depth_maps, "dpt", "preprocessor_config.json", "expected an image processor that needs no", id="processor"
        ),
        pytest.param(open_vocabulary_boxes, "owl", "tokenizer.json", "expected a tokenizer beside", id="tokenizer"),
    ],
)
def test_what_prepares_the_input_must_be_there(copy_of, open_model, name, file, match):
    folder = copy_of(name)
    (folder / file).unlink()
    refused(open_model, folder, match)


def test_a_model_whose_numbers_are_not_known_is_refused(tmp_path):
    DepthProConfig().save_pretrained(tmp_path)
    refused(depth_maps, tmp_path, "expected a depth model whose numbers are known .* got a model of type 'depth_pro'")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        pytest.param("nowhere", "expected a folder or a hub id .*, got 'nowhere', which is neither", id="nothing"),
        pytest.param("a" * 300, "expected a folder or a hub id .*, got 'aaa.*', which is neither", id="long_name"),
        pytest.param("config.json", "got '.*config.json', which is neither", id="a_file"),
        pytest.param("toy/nowhere", "'toy/nowhere' is no folder here, was not fetched before", id="hub_offline"),
    ],
)
def test_what_is_not_there_is_refused(made, monkeypatch, name, match):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused(sam_masks, made["sam"] / name if name == "config.json" else name, f"^masks: .*{match}")


def test_an_unknown_device_is_refused(made):
    with pytest.raises(ValueError, match=r"device: expected cpu, cuda or mps, .* got 'abacus'"):
        sam_masks(made["sam"], "abacus")


def test_weights_may_be_a_pickle_of_weights_alone(copy_of):
    folder = copy_of("sam")
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    before = sam_masks(folder, "cpu")(toy_image(), BOX)
    (folder / WEIGHTS).unlink()
    assert (sam_masks(folder, "cpu")(toy_image(), BOX) == before).all()


def test_a_pickle_of_anything_else_is_not_run(copy_of, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harmed"),)

    folder = copy_of("sam")
    torch.save({"mask_decoder.iou_token.weight": Harm()}, folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    refused(sam_masks, folder, "its weights cannot be read: ")
    assert not (tmp_path / "harmed").exists()


def test_what_dpt_never_uses_may_be_missing(copy_of):
    folder = copy_of("dpt")
    weights = load_file(folder / WEIGHTS)
    unused = [name for name in weights if name.startswith("neck.fusion_stage.layers.0.residual_layer1.")]
    before = depth_maps(folder, "cpu")(toy_image(40, 40))
    save_file({n: weight for n, weight in weights.items() if n not in unused}, folder / WEIGHTS, {"format": "pt"})
    assert unused
    np.testing.assert_array_equal(depth_maps(folder, "cpu")(toy_image(40, 40)), before)


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        pytest.param(
            ["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5", "merges.txt", "README.md"],
            ["config.json", "merges.txt", "model.safetensors"],
            id="safetensors_before_pickles",
        ),
        pytest.param(
            ["config.json", "pytorch_model.bin", "training_args.bin", "onnx/model.onnx", "onnx/config.json"],
            ["config.json", "pytorch_model.bin"],
            id="pickles_of_weights_alone",
        ),
    ],
)
def test_of_a_repository_only_what_is_read_is_fetched(listed, wanted):
    assert _files_wanted(listed) == wanted


def test_factories_travel_to_other_processes(made, tmp_path):
    annotators = open_annotators(
        masks=made["sam"], boxes=str(made["owl"]), depth=made["dpt"], device="cpu", threshold=0.1
    )
    pixels = toy_image(40, 60)
    masks, boxes, depth = annotators.masks(), annotators.boxes(), annotators.depth()
    assert (boxes.threshold, masks.best_of, annotators.masks() is masks) == (0.1, 3, True)
    here = [masks(pixels, BOX), np.array([box for _, box, _ in boxes(pixels, ["cat", "dog"])]), depth(pixels)]
    (tmp_path / "tools").write_bytes(pickle.dumps((annotators, pixels, BOX)))
    subprocess.run([sys.executable, "-c", THERE, str(tmp_path)], check=True, cwd=ROOT)
    with np.load(tmp_path / "there.npz") as there:
        for name, expected in zip(("masks", "boxes", "depth"), here, strict=True):
            np.testing.assert_allclose(there[name], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        pytest.param({"masks": "dpt"}, r"^masks '.*': expected a SAM or SAM 2 .* of type 'dpt'", id="masks"),
        pytest.param({"boxes": "sam"}, r"^boxes '.*': expected an OWL-ViT.* of type 'sam'", id="boxes"),
        pytest.param({"masks": "sam", "depth": "owl"}, r"^depth '.*': expected a depth model.* 'owlvit'", id="depth"),
    ],
)
def test_factories_are_not_made_of_other_kinds(made, names, match):
    with pytest.raises(ValueError, match=match):
        open_annotators(**{field: made[name] for field, name in names.items()})


def test_no_names_make_no_tools_and_load_nothing():
    assert open_annotators() == Annotators()
    code = "import sys, deixis.synthesis.annotators as a; a.open_annotators(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
