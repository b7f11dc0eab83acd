"""Every published system is fine-tuned by a recipe, in the conversations that it is asked in afterwards."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deixis.conversation import IGNORED
from deixis.geometry import Region
from deixis.inference import load
from deixis.model.masks.cells import mask_cells
from deixis.samples.mixtures.mixture import Mixture
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.systems import SYSTEMS
from deixis.systems.conversion import convert
from deixis.training.recipe import train
from deixis.training.recipe_file import parse_recipe
from deixis.training.sample_batches import SampleBatches
from deixis.training.start import start_model
from tests.checkpoints.checkpoints import WRITERS
from tests.toy import toy_image

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
MASK = np.zeros((24, 40), dtype=bool)
MASK[4:12, 8:20] = True
TURNS = {
    "onellm": Turn("What is it?", "A red mug."),
    "ferret": Turn("What is {0}?", "A [red mug]{0}."),
    "lisa": Turn("Where is the mug?", "Sure, {0:mask}."),
}


@pytest.fixture(scope="module", params=TURNS)
def tuned(request, tmp_path_factory):
    """(system, recipe, folder of the run): two steps on samples about two images, one of them twice."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    source = convert(name, WRITERS[name](folder / "source"), folder / "converted")
    region = Region(box=(8.0, 4.0, 20.0, 12.0), mask=MASK)
    samples = [
        Sample(
            f"{number}",
            "test",
            "refer",
            "train",
            (TURNS[name],) * turns,
            (MediaReference(f"p/{seed}", "image", size_hw=(24, 40), values=toy_image(seed=seed)),),
            (region,) if "{" in TURNS[name].user + TURNS[name].assistant else (),
        )
        for number, (seed, turns) in enumerate([(0, 1), (1, 2), (0, 1)])
    ]
    assert write_shard(samples, folder / "data.jsonl").skipped == ()
    stage = {"name": "tune", "task": "instruct", "batch": {"data": 3}, "data": [{"path": str(folder / "data.jsonl")}]}
    stage |= {"steps": 2, "save_steps": 2, "log_steps": 1, "warmup_steps": 0, "workers": 0, "bf16": False}
    recipe = parse_recipe({"init": str(source), "stages": [{**stage, "max_tokens": 2000}]})
    return name, recipe, folder


def test_a_batch_teaches_the_answers_in_the_systems_words(tuned):
    name, recipe, folder = tuned
    model, processor = start_model(recipe)
    stage = recipe.stages[0]
    mixture = Mixture(stage.mixture, 0)
    system, cells = SYSTEMS[name], mask_cells(model.config)
    batch = SampleBatches(mixture, processor, system, cells, 3, 2000, None, folder / "run")(0)
    learnt = processor.tokenizer.decode([label for label in batch["labels"].flatten().tolist() if label != IGNORED])
    answer = {"onellm": "A red mug.\n###", "ferret": "A red mug [200, 166, 500, 500].</s>", "lisa": "Sure, [SEG].</s>"}
    assert "".join(learnt.split()) == "".join((answer[name] * 4).split())
    assert ("seg_pixels" in batch, "region_points" in batch) == (name == "lisa", name == "ferret")


def test_a_recipe_trains_a_converted_model(tuned):
    name, recipe, folder = tuned
    model, _ = start_model(recipe)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trained = load(train(recipe, folder / "out"), device="cpu")
    after = trained.network.state_dict()
    changed = [key for key in after if not torch.equal(after[key], before[key])]
    assert any(key.startswith("language_model") for key in changed)
    assert not any("field_encoder.encoder" in key for key in changed)  # the published systems keep it frozen
    assert any("sam_pointing" in key for key in changed) == (name == "lisa")
    assert (folder / "out" / "tune" / "adapter" / "adapter_model.safetensors").is_file() == (name == "lisa")
    if name == "lisa":  # its adapter, with the parts that were trained whole, is all that the stage learnt
        beside = load(recipe.init, "cpu", "float32", adapter=folder / "out" / "tune" / "adapter").network.state_dict()
        assert all(torch.allclose(beside[key], after[key], atol=1e-6) for key in after)
    longer = replace(recipe, stages=(replace(recipe.stages[0], steps=3),))
    assert load(train(longer, folder / "out"), device="cpu").network.state_dict().keys() == after.keys()
    assert trained.ask("What is it?", toy_image(), max_new_tokens=2).model
