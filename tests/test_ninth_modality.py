"""A ninth modality, one file and one line: it is asked about, pointed at, marked, trained on and drawn."""

import numpy as np
import pytest
import torch

from deixis import Box, Region, Span
from deixis.geometry.extent import NOUNS
from deixis.inference import load
from deixis.inference.model import Model
from deixis.model.extend import add_signal
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.samples.validate import _schema, _validator
from deixis.signals import MODALITIES, open_signal
from deixis.training.recipe import train
from deixis.training.recipe_file import parse_recipe
from tests.ninth_modality import PRESSURE
from tests.toy import SIZES, toy_image, toy_network, toy_recipe, toy_tokenizer

LOG = np.cumsum(np.random.default_rng(0).normal(size=80))


@pytest.fixture(autouse=True)
def nine(monkeypatch):
    """The line in `MODALITIES`, which names it in messages too."""
    monkeypatch.setitem(MODALITIES, PRESSURE.name, PRESSURE)
    monkeypatch.setitem(NOUNS, PRESSURE.name, PRESSURE.noun)
    for cached in (_schema, _validator):
        cached.cache_clear()
    yield
    for cached in (_schema, _validator):
        cached.cache_clear()


def samples(count):
    for number in range(count):
        medium = MediaReference(f"p/{number}", "pressure", duration_s=8.0, rate_hz=10.0, values=LOG + number)
        turns = (Turn("What is {0}?", "A gust."), Turn("Mark it.", "[The gust]{0:mask}."))
        regions = (Region(span=(1.0, 3.0)),)
        yield Sample(f"pressure/{number}", "made up", "refer", "train", turns, (medium,), regions)


def test_opened_by_name_and_suffix(tmp_path):
    assert open_signal((LOG, 10.0), "pressure").extent.noun == "a barometer log"
    PRESSURE.write(LOG, tmp_path / "a.pressure")
    assert open_signal(f"pressure@10:{tmp_path / 'a.pressure'}").extent.duration_s == 8.0
    assert open_signal(tmp_path / "a.pressure", rate_hz=10).modality == "pressure"


def test_asked_about_segmented_and_drawn(tmp_path):
    network, processor = toy_network(toy_tokenizer(), pressure={})
    assert network.config.abilities["regions"] == ["image", "audio", "point_cloud", "pressure"]
    signal = open_signal((LOG, 10.0), "pressure")
    model = Model(network, processor, "toy")
    regions = [Span(1, 3), Box(2, 3, 9, 9, signal=1)]
    answer = model.ask("What is {0} beside {1}?", signal, toy_image(), regions=regions, max_new_tokens=3)
    assert answer.draw(tmp_path / "drawn.png").width > 100
    inputs = processor("What is {0}?", signals=signal, regions=[Span(1, 3)])
    with torch.no_grad():
        [logits] = network.point(network.encode_inputs(inputs), torch.randn(1, 32), torch.tensor([0]))
    assert logits.shape == (16,)


def test_trained_from_scratch_on_files(tmp_path, monkeypatch):
    monkeypatch.setattr("deixis.training.new_model.TEXT_SIGNALS", 6)  # of the tokenizer, which learns from very many
    path = tmp_path / "data" / "train.jsonl"
    write_shard(samples(4), path)
    few = toy_recipe()["stages"][1] | {"batch": {"data": 2}, "data": [{"path": str(path)}], "dense_weight": 0.0}
    signals = {"image": SIZES["signals"]["image"], "pressure": {"early_dim": 16}}
    recipe = toy_recipe(model=SIZES | {"signals": signals}, stages=[few])
    model = load(train(parse_recipe(recipe), tmp_path / "out"), device="cpu")
    assert model.network.config.modalities == ("image", "pressure")
    assert model.ask("What is it?", open_signal((LOG, 10.0), "pressure"), max_new_tokens=3).model


def test_added_to_a_trained_network():
    network, processor = toy_network(toy_tokenizer())
    processor = add_signal(network, processor, "pressure")
    inputs = processor(["What is {0}?"], [open_signal((LOG, 10.0), "pressure")], [[Span(1, 3)]])
    with torch.no_grad():
        assert network(**inputs).logits.isfinite().all()
