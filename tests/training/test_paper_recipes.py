"""Every recipe of a paper, as it ships but for its model, weights and data, which are toys: one step of each stage."""

from pathlib import Path

import numpy as np
import pytest
import torch

from deixis.files.yaml_text import read_yaml
from deixis.geometry import Region
from deixis.inference import load
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.signals import MODALITIES
from deixis.training.recipe import train
from deixis.training.recipe_changes import changed
from deixis.training.recipe_file import parse_recipe
from tests.evaluation.benchmarks.test_questions import write_video
from tests.systems.test_presets import TOY_UNION
from tests.toy import toy_audio, toy_image, toy_point_cloud
from tests.training.parts_of_models import sizes_of, write_parts, write_union_parts

nibabel = pytest.importorskip("nibabel")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
    # of the experts' norms, whose trained weights are float32 beside bfloat16
    pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight.*:UserWarning"),
]
RECIPES = Path(__file__).parents[2] / "recipes"
FEW = ("steps=1", "save_steps=1", "log_steps=1", "workers=0", "accumulate=1", "batch.data=2")
PATCHES = {"tokenizer": "patch", "size_px": 16, "patch_px": 4, "early_dim": 0}
MASK = np.zeros((24, 40), dtype=bool)
MASK[4:12, 8:20] = True
TURNS = {
    "refer": Turn("What is {0}?", "A [red mug]{0}."),
    "mask": Turn("Where is the mug?", "Sure, {0:mask}."),
    "text": Turn("Who are you?", "A model."),
}


def medium_of(name: str, folder: Path) -> MediaReference:
    """A signal of a modality, in memory or, where none can be written, in a file."""
    if name in ("video", "fmri"):
        path = folder / {"video": "film.mp4", "fmri": "response.nii.gz"}[name]
        if name == "video":
            write_video(path)
        else:
            volume = np.random.default_rng(0).normal(1, 0.2, (2, 2, 3)).astype(np.float32)
            nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)
        return MediaReference(name, name, path=str(path))
    motion = np.random.default_rng(0).normal(size=(100, 6))
    values = {
        "image": toy_image(),
        "audio": toy_audio(0.8)[0],
        "point_cloud": toy_point_cloud(90),
        "depth": np.full((24, 40), 2.5, np.float32),
        "normal": np.tile(np.array([0, 0, 1], np.float32), (24, 40, 1)),
        "imu": motion,
    }
    return MediaReference(name, name, rate_hz={"audio": 16000.0, "imu": 200.0}.get(name), values=values[name])


def write_samples(folder: Path) -> None:
    """A set of two samples of each modality, of regions, masks and plain text, by their names."""
    for name in (*MODALITIES, *TURNS):
        media = () if name == "text" else (medium_of(name if name in MODALITIES else "image", folder),)
        regions = (Region(box=(8.0, 4.0, 20.0, 12.0), mask=MASK),) if name in ("refer", "mask") else ()
        turn = TURNS.get(name, Turn("What is it?", "A red mug."))
        samples = [Sample(f"{name}{n}", "toy", "refer", "train", (turn,), media, regions) for n in range(2)]
        assert write_shard(samples, folder / f"{name}.jsonl").skipped == ()


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """A folder with parts of networks and sets of samples."""
    folder = tmp_path_factory.mktemp("toys")
    write_samples(folder)
    return write_union_parts(write_parts(folder))


def onellm_sizes(toys: Path) -> dict:
    sizes = sizes_of(toys / "onellm")
    sizes["signals"] |= dict.fromkeys(("depth", "normal"), PATCHES) | {"video": {**PATCHES, "frames": 2}}
    return sizes


def set_of(path: str) -> str:
    """The toy set for a path of a recipe."""
    name = path.removesuffix("/train-*").rpartition("/")[2]
    return {"grit": "refer", "llava": "text"}.get(name, name if name in (*MODALITIES, "text") else "mask")


@pytest.mark.parametrize(
    ("name", "sizes", "parts", "changes"),
    [
        pytest.param(
            "onellm", onellm_sizes, {"language_model": "onellm_official", "encoder": "onellm_official"}, (), id="onellm"
        ),
        pytest.param(
            "ferret",
            lambda toys: sizes_of(toys / "ferret"),
            {"language_model": "llava", "encoder": "clip", "projection": "llava"},
            (),
            id="ferret",
        ),
        pytest.param(
            "lisa",
            lambda toys: sizes_of(toys / "lisa"),
            {"language_model": "llava", "projection": "llava", "encoder": "clip", "masks": "sam.pth"},
            (),
            id="lisa",
        ),
        pytest.param(
            "union",
            lambda toys: {"preset": "union", **TOY_UNION},
            {"language_model": "qwen3", "encoder": "siglip", "masks": "sam2"},
            ("stages.align.alignment=both",),
            id="union",
        ),
    ],
)
def test_one_step_of_every_stage_of_a_papers_recipe(toys, tmp_path, name, sizes, parts, changes):
    values = read_yaml(RECIPES / f"{name}.yaml")
    parse_recipe(values)  # as it ships
    assert values["init"].keys() == parts.keys()
    sets = [f"init.{part}={toys / place}" for part, place in parts.items()]
    for number, stage in enumerate(values["stages"]):
        sets += [f"stages.{number}.{few}" for few in FEW]
        for where, data in (("data", stage["data"]), ("replay.data", (stage.get("replay") or {}).get("data", ()))):
            sets += [f"stages.{number}.{where}.{n}.path={toys / set_of(p['path'])}.jsonl" for n, p in enumerate(data)]
    values = {**changed(values, [*sets, *changes]), "model": sizes(toys)}
    model = load(train(parse_recipe(values), tmp_path / "run"), device="cpu")
    assert all(torch.isfinite(weight).all() for weight in model.network.parameters())
    for stage in values["stages"]:
        assert not (tmp_path / "run" / stage["name"] / "skipped.jsonl").exists(), stage["name"]
    assert model.ask("What is it?", toy_image(), max_new_tokens=2).model
