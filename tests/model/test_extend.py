"""A grown network answers as before about what it knew, learns in its new parts, and survives a file."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from deixis import Box, Region, Span
from deixis.checkpoints import open_pretrained
from deixis.inference import load
from deixis.model import DeixisForConditionalGeneration, build_processor
from deixis.model.extend import add_expert, add_signal
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.signals import open_signal
from deixis.training.recipe import train
from deixis.training.recipe_file import parse_recipe
from tests.toy import SAM_SIZES, SIZES, toy_audio, toy_image, toy_network, toy_recipe, toy_tokenizer

IMU = {"tokenizer": "conv", "rate_hz": 20, "window_s": 1.0, "kernel": 4, "stride": 4}


def logits(network, processor):
    inputs = processor(["What?", "When?"], [[toy_image()], [toy_audio()]])
    with torch.no_grad():
        return network(**inputs).logits


@pytest.fixture
def grown(toy):
    return toy_network(toy[1].tokenizer, projection={"queries": 2, "experts": 2, "router_ratio": 1.0})


def test_a_further_signal_leaves_the_old_ones_as_they_were(grown, tmp_path):
    network, processor = grown
    before = logits(network, processor)
    grown_processor = add_signal(network, processor, "imu", IMU)
    assert network.config.modalities == ("image", "audio", "point_cloud", "imu")
    torch.testing.assert_close(logits(network, processor), before, rtol=0, atol=0)

    placeholder = network.config.signal_token_ids["imu"]
    assert grown_processor.tokenizer.convert_tokens_to_ids("<imu>") == placeholder
    trace = np.random.default_rng(0).normal(size=(20, 6))
    batch = dict(grown_processor(["What is done?"], [[open_signal((trace, 20.0), "imu")]]))
    ids = batch.pop("input_ids")
    assert (ids == placeholder).sum() == 2 + 5
    network(input_ids=ids, labels=ids.masked_fill(ids == placeholder, -100), **batch).loss.backward()
    learning = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert all(".imu" in name for name in learning)
    assert network.field_encoder.tokenizers["imu"].conv.weight.grad.any()

    network.save_pretrained(tmp_path)
    loaded = DeixisForConditionalGeneration.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=ids, **batch).logits, network(input_ids=ids, **batch).logits)


def test_a_sound_joins_a_network_whose_masks_were_all_sams(toy, tmp_path):
    """Its fields had no finer level: the new modality adds one, with a pointing head for it."""
    sizes = {"audio": None, "point_cloud": None, "pointing": {"dim": 16, "backbone": "sam"}, "mask_config": SAM_SIZES}
    network, processor = toy_network(toy[1].tokenizer, **sizes)
    inputs = processor("What is {0}?", [toy_image()], [Box(2, 3, 20, 20)])
    with torch.no_grad():
        before = network(**inputs).logits
    assert network.pointing_head is None
    add_signal(network, processor, "audio", SIZES["signals"]["audio"])
    with torch.no_grad():
        torch.testing.assert_close(network(**inputs).logits, before)
    network.save_pretrained(tmp_path)
    loaded = DeixisForConditionalGeneration.from_pretrained(tmp_path).eval()
    processor = build_processor(loaded.config, toy[1].tokenizer)
    heard = processor("When is {0}?", [toy_audio()], [Span(0.2, 0.9)])
    with torch.no_grad():
        assert loaded(**heard).logits.isfinite().all()
        [mark] = loaded.point(loaded.encode_inputs(heard), torch.randn(1, 32), torch.tensor([0]))
    assert len(mark) == 200


def test_the_old_parts_may_go_on_learning(grown):
    network, processor = grown
    add_signal(network, processor, "imu", IMU, freeze=False)
    assert all(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize(
    ("router", "tolerance"),
    [pytest.param("soft", 1e-5, id="soft"), pytest.param("sigmoid", 1e-4, id="sigmoid"), pytest.param("sparse", 1e-4)],
)
def test_a_further_expert_changes_nothing_until_trained(toy, router, tolerance):
    network, processor = toy_network(toy[1].tokenizer, projection={"queries": 2, "experts": 2, "router": router})
    before = logits(network, processor)
    add_expert(network, source=1)
    assert len(network.projection.experts) == network.config.projection.experts == 3
    torch.testing.assert_close(logits(network, processor), before, rtol=0, atol=tolerance)
    learning = {name.split(".")[1] for name, weight in network.named_parameters() if weight.requires_grad}
    assert learning == {"experts", "router"}
    if router == "soft":
        inputs = processor(["What?"], [[toy_image()]])
        network(**inputs, labels=inputs["input_ids"]).loss.backward()
        new = network.projection.experts[2]
        assert any(weight.grad is not None and weight.grad.any() for weight in new.parameters())


@pytest.mark.parametrize(
    ("projection", "grow", "match"),
    [
        pytest.param(
            {"type": "linear"},
            lambda n, p: add_expert(n),
            "add_expert: expected a projection of type 'upm'",
            id="no_experts",
        ),
        pytest.param({"router": "constant"}, lambda n, p: add_expert(n), "got 'constant', under which", id="constant"),
        pytest.param(
            {}, lambda n, p: add_expert(n, source=7), "expected a source from 0 to 2, got 7", id="no_such_expert"
        ),
        pytest.param(
            {}, lambda n, p: add_signal(n, p, "image", {}), "does not take yet, got 'image'", id="there_already"
        ),
        pytest.param(
            {},
            lambda n, p: add_signal(n, p, "imu", {"rate": 3}),
            "imu.rate: unknown field; .*did you mean 'rate_hz'",
            id="unknown_option",
        ),
    ],
)
def test_what_cannot_grow_is_refused(toy, projection, grow, match):
    network, processor = toy_network(toy[1].tokenizer, projection=projection)
    with pytest.raises(ValueError, match=match):
        grow(network, processor)


def test_a_stage_adds_an_expert_and_the_next_one_goes_on_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr("deixis.training.new_model.TEXT_SIGNALS", 6)
    few = {**toy_recipe()["stages"][1], "batch": {"audio": 1}, "steps": 1, "dense_weight": 0.0}
    added = {**few, "name": "added", "parts": {"projection": "expert"}}
    after = {**few, "name": "after", "parts": {"language_model": "full"}}
    first, both = (
        open_pretrained(train(parse_recipe(toy_recipe(stages=stages)), tmp_path))[0].projection
        for stages in ([added], [added, after])
    )
    assert len(first.experts) == SIZES["projection"]["experts"] + 1
    again = both.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.state_dict().items())


def tokenizer_without(placeholder, folder):
    """The tokenizer of toy sizes with another name for `placeholder`, saved in `folder` on the way."""
    toy_tokenizer().save_pretrained(folder)
    for path in folder.glob("*.json"):
        path.write_text(path.read_text(encoding="utf-8").replace(placeholder, "<unused>"), encoding="utf-8")
    return PreTrainedTokenizerFast.from_pretrained(folder)


def test_a_model_grows_by_a_modality_and_is_trained_on_it(tmp_path):
    """Its tokenizer has no placeholder of IMU recordings yet; afterwards samples about them are rows of training."""
    network, processor = toy_network(tokenizer_without("<imu>", tmp_path / "tokenizer"))
    assert "<imu>" not in processor.tokenizer.get_vocab()
    options = {"tokenizer": "stem", "rate_hz": 40.0, "window_s": 1.6, "stride": 16, "early_dim": 8}
    processor = add_signal(network, processor, "imu", options, freeze=False)
    network.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")

    trace = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
    media = MediaReference("walk", "imu", rate_hz=40.0, duration_s=1.6, values=trace)
    turns = (Turn("What is done in {0}?", "A step."), Turn("Mark the step.", "[The step]{0:mask}."))
    sample = Sample("a", "made up", "refer", "train", turns, (media,), (Region(span=(0.2, 0.8)),))
    path = tmp_path / "data" / "train.jsonl"
    write_shard([sample, replace(sample, id="b")], path)
    stage = toy_recipe()["stages"][1] | {"batch": {"data": 1}, "data": [{"path": str(path)}], "dense_weight": 0.0}
    recipe = parse_recipe({"init": str(tmp_path / "model"), "stages": [stage | {"steps": 2}]})
    grown = load(train(recipe, tmp_path / "out"), device="cpu")
    assert grown.ask("What is done?", (trace, 40.0), max_new_tokens=3).model
