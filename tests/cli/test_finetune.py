"""`deixis finetune` on a toy model: from a folder of samples to a tuned model and the scores before and after."""

import json
import re

import numpy as np
import pytest
import yaml

from deixis.geometry import Region
from deixis.inference import load
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.systems.conversion import convert
from tests.checkpoints.checkpoints import WRITERS
from tests.toy import toy_image

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
MASK = np.zeros((24, 40), dtype=bool)
MASK[4:12, 8:20] = True


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """(folder of a toy LISA, folder of samples about four images)."""
    folder = tmp_path_factory.mktemp("finetune")
    model = convert("lisa", WRITERS["lisa"](folder / "source"), folder / "model")
    samples = [
        Sample(
            f"{number}", "own", "find", "train", (Turn("Where is the mug?", "Sure, {0:mask}."),),
            (MediaReference(f"p/{number}", "image", size_hw=(24, 40), values=toy_image(seed=number)),),
            (Region(mask=MASK),),
        )
        for number in range(4)
    ]  # fmt: skip
    write_shard(samples, folder / "data" / "all.jsonl", media="copy")
    return model, folder / "data"


def test_a_model_is_tuned_and_measured(command, material, tmp_path):
    model, data = material
    words = ["finetune", data, "--model", model, "--out", tmp_path / "out", "--steps", 2, "--held-out", 0.25]
    code, out, err = command(*words)
    assert code == 0
    assert "before" in out
    assert "weights are trained: language_model" in err
    report = json.loads((tmp_path / "out" / "after" / "held-out" / "report.json").read_text())
    assert {(row["metric"], row["n"]) for row in report["scores"]} == {("IoU", 1), ("F1@0.5", 1), ("found or none", 1)}
    assert all("before" in row for row in report["scores"])
    assert "fell beyond the interval: " in out
    tuned = tmp_path / "out" / "run" / "finetune"
    assert (tuned / "adapter" / "adapter_config.json").is_file()
    assert load(str(tuned / "model"), device="cpu").ask("Where is the mug?", toy_image(), max_new_tokens=2).model
    assert command(*words)[:2] == (0, out)  # nothing was left to do


def test_the_recipe_is_printed_as_train_takes_it(command, material, tmp_path):
    model, data = material
    code, out, _ = command("finetune", data, "--model", model, "--out", tmp_path / "out", "--print-recipe")
    recipe = yaml.safe_load(out)
    assert code == 0
    assert recipe["stages"][0]["parts"] == {"language_model": "lora", "masks": "full", "embeddings": "full"}
    assert recipe["stages"][0]["steps"] == 100
    assert not (tmp_path / "out" / "run").exists()


@pytest.mark.parametrize(
    ("words", "match"),
    [
        pytest.param(["none"], "DATA: expected a file or folder, got 'none', which does not exist", id="no_data"),
        pytest.param(["{data}", "--option", "name=mug"], "the format samples has no option 'name'", id="option"),
        pytest.param(["{empty}"], "got none that is recognised; --format names it", id="no_format"),
        pytest.param(
            ["{empty}", "--format", "coco", "--images", "none"], "images: got none, which is not there", id="images"
        ),
        pytest.param(["{empty}", "--format", "vox"], "--format: .*; got 'vox'; did you mean 'voc'", id="format"),
        pytest.param(["{data}", "--model", "none"], "model: expected 'bundled', a folder or a hub id", id="model"),
    ],
)
def test_bad_input_is_seen_before_anything_is_loaded(refused, material, tmp_path, words, match):
    places = {"data": material[1], "empty": tmp_path}
    assert re.search(match, refused("finetune", *(word.format(**places) for word in words)))


def test_the_bundled_model_is_tuned_on_real_polygons(command, shared_data, tmp_path):
    words = [
        "finetune",
        shared_data / "nuts_coco",
        "--steps",
        1,
        "--set",
        "stages.0.batch={data: 1}",
    ]
    code, out, err = command(*words, "--limit", 1, "--world-limit", 0, "--out", tmp_path / "out")
    assert code == 0
    assert "read as coco; --format chooses another" in err
    assert "9 samples for train, 1 samples for test" in err
    assert "before" in out
    page = (tmp_path / "out" / "after" / "held-out" / "report.html").read_text(encoding="utf-8")
    assert "Worst cases" in page
