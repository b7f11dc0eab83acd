"""`deixis finetune` on a toy model: from a folder of samples to a tuned model and the scores before and after."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from deixis.geometry import Region
from deixis.inference import load
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.systems.conversion import convert
from deixis.training.recipe_file import parse_recipe
from tests.checkpoints.checkpoints import WRITERS
from tests.toy import UNION, VISION, toy_image, toy_network, toy_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
    # of the experts' norms, whose trained weights are float32 beside bfloat16
    pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight.*:UserWarning"),
]
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


def test_workers_share_the_samples_of_a_step(command, material, tmp_path):
    model, data = material
    code, out, _ = command(
        "finetune", data, "--model", model, "--out", tmp_path / "out", "--ray", "3", "--print-recipe"
    )
    (stage,) = yaml.safe_load(out)["stages"]
    assert (code, stage["batch"], stage["accumulate"]) == (0, {"data": 3}, 3)


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


def test_several_processes_are_refused(refused, material, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    wrong = refused("finetune", material[1], "--out", tmp_path / "out")
    assert "finetune: expected one process, as it also measures, got 2; to train by several: --ray N" in wrong
    assert not (tmp_path / "out").exists()


PAGE = (Path(__file__).parents[2] / "examples" / "finetune.md").read_text(encoding="utf-8")
COMMANDS = {line.split()[2]: shlex.split(line)[1:] for line in PAGE.splitlines() if line.startswith("deixis finetune ")}


@pytest.fixture(scope="module")
def union(tmp_path_factory):
    """The folder of a toy union whose IMU window holds ten seconds."""
    folder = tmp_path_factory.mktemp("union")
    imu = {**UNION["imu"], "rate_hz": 16.0, "window_s": 10.0}
    vision = {**VISION, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14}
    for part in toy_network(toy_tokenizer(), vision_config=vision, **UNION | {"imu": imu}):
        part.save_pretrained(folder)
    return folder


def words_of_page(name, shared_data, union):
    """The command of a set in examples/finetune.md, on this copy of the set and a toy union."""
    places = {name: shared_data / name, "runs/toy_union/instruct/model": union}
    return [places.get(word, word) for word in COMMANDS[name]]


def test_the_page_has_every_set():
    assert list(COMMANDS) == ["fsdd", "playing_cards", "nuts_coco", "bccd", "imu_basicmotions"]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        pytest.param("fsdd", "class_folders", id="fsdd"),
        pytest.param("playing_cards", "voc", id="playing_cards"),
    ],
)
def test_sets_of_the_page_are_read(name, form, command, shared_data, union, tmp_path):
    words = words_of_page(name, shared_data, union)
    code, out, err = command(*words, "--out", tmp_path / "out", "--print-recipe")
    assert code == 0
    assert f"read as {form}; --format chooses another" in err
    stage = parse_recipe(yaml.safe_load(out)).stages[0]
    assert (stage.batch["data"], stage.held_out, stage.random_crop) == (16, None, 0.6)


@pytest.mark.parametrize(
    ("name", "form", "parts"),
    [
        pytest.param("nuts_coco", "coco", "8 samples for train, 2 samples for test", id="nuts_coco"),
        pytest.param(
            "imu_basicmotions", "time_series", "24 samples for train, 6 samples for validation, 10 sam", id="imu"
        ),
    ],
)
def test_sets_of_the_page_are_tuned_on(name, form, parts, command, shared_data, union, tmp_path):
    small = ["--steps", 1, "--limit", 1, "--world-limit", 0, "--set", "stages.0.batch={data: 1}"]
    words = words_of_page(name, shared_data, union)
    code, out, err = command(*words, *small, "--out", tmp_path / "out")
    assert code == 0, err
    assert f"read as {form}; --format chooses another" in err
    assert parts in err
    assert "before" in out
    page = (tmp_path / "out" / "after" / "held-out" / "report.html").read_text(encoding="utf-8")
    assert "Worst cases" in page
