"""Captions are learnt without question or prompt, and told from each other by the loss that CLIP has."""

import pytest
import torch
import torch.nn.functional as F

from deixis.ablations.base import only
from deixis.conversation import IGNORED, Row, collate, render
from deixis.model.extend import copy_modality
from deixis.samples.media import media_reference
from deixis.samples.sample import Sample, Turn
from deixis.signals import open_signal
from deixis.systems import SYSTEMS
from deixis.training.alignment import TEMPERATURE, caption_processor, caption_sample, caption_system, contrast_loss
from deixis.training.instruct import Instructor
from deixis.training.recipe_file import parse_recipe
from deixis.training.stage_network import stage_network
from tests.toy import toy_audio, toy_image, toy_network

CAPTIONS = ("A red mug.", "The bell.", "A blue chair.")
STAGE = {"name": "a", "task": "instruct", "batch": {"data": 1}, "steps": 1, "data": [{"path": "x"}]}


@pytest.fixture(scope="module")
def batch(toy):
    """(network, its system, the rows of three captions: of two images and a sound)."""
    network, processor = toy_network(toy[1].tokenizer)
    processor, system = caption_processor(processor), caption_system(SYSTEMS["deixis"])
    rows = []
    for caption, signal in zip(CAPTIONS, (toy_image(), toy_audio(1.0), toy_image(seed=1)), strict=True):
        opened = open_signal(signal)
        turns = (Turn("What is {0}?", caption), Turn("And?", "No."))
        sample = caption_sample(Sample("a", "toy", "caption", "train", turns, (media_reference(opened),)))
        prepared = [processor.prepare(opened)]
        row = Row(prepared)
        row.add(render(sample, prepared, processor, system.label_rule), [])
        rows.append(row)
    return network, system, processor.tokenizer, collate(rows, processor.tokenizer.pad_token_id, system)


def test_a_caption_follows_its_signal_and_nothing_else(batch):
    _, _, tokenizer, inputs = batch
    for ids, labels, caption in zip(inputs["input_ids"], inputs["labels"], CAPTIONS, strict=True):
        own = ids[ids != tokenizer.pad_token_id]
        learnt = [label for label in labels.tolist() if label != IGNORED]
        assert tokenizer.decode(learnt) == f"{caption}<eos>"
        words = tokenizer.convert_ids_to_tokens(own.tolist())[: -len(learnt)]
        assert words[0] == "<bos>"
        assert set(words[1:]) in ({"<image>"}, {"<audio>"})
    with pytest.raises(ValueError, match="signals: expected a signal to align with its caption, got none"):
        caption_sample(Sample("a", "toy", "caption", "train", (Turn("", "A mug."),)))


def test_captions_of_the_world_follow_their_signals(toy):
    network, processor = toy_network(toy[1].tokenizer)
    weights = only("image", caption=1.0)
    stage = {"name": "a", "task": "instruct", "batch": {"image": 2}, "steps": 1, "questions": 1, "tasks": weights}
    (own,) = parse_recipe({"init": "bundled", "stages": [{**stage, "alignment": "contrast"}]}).stages
    _, batches = stage_network(own, network, None, processor, seed=3)
    inputs = batches(0)
    assert len(inputs["input_ids"]) == 2
    for ids, labels in zip(inputs["input_ids"], inputs["labels"], strict=True):
        learnt = [label for label in labels.tolist() if label != IGNORED]
        assert processor.tokenizer.decode(learnt).startswith(("A", "An"))
        words = processor.tokenizer.convert_ids_to_tokens(ids[ids != processor.tokenizer.pad_token_id].tolist())
        assert set(words[1 : -len(learnt)]) == {"<image>"}


@torch.no_grad()
def test_the_contrast_is_that_of_a_plain_loop(batch):
    network, system, _, inputs = batch
    given = dict(inputs)
    encoded, words = network.encode_inputs(given), network.get_input_embeddings()
    loss = contrast_loss(encoded, inputs["labels"], words)
    texts = [words(labels[labels != IGNORED]).mean(0) for labels in inputs["labels"]]
    image, audio = (encoded.tokens[name].mean(1) for name in ("image", "audio"))
    signals = [image[0], audio[0], image[1]]
    similar = torch.tensor([[float(F.cosine_similarity(s, t, 0)) for t in texts] for s in signals]) / TEMPERATURE
    terms = [-similar.log_softmax(axis).diagonal().mean() for axis in (0, 1)]
    assert loss.item() == pytest.approx(sum(terms).item() / 2, rel=1e-4)
    losses = {}
    for alignment in ("caption", "contrast", "both"):
        output = Instructor(network, system, alignment=alignment, contrast_weight=0.5)(**inputs)
        losses[alignment] = output["loss"].item()
        assert ("contrast" in output["losses"]) == (alignment != "caption")
    assert losses["contrast"] == pytest.approx(loss.item() / 2, rel=1e-4)
    assert losses["both"] == pytest.approx(losses["caption"] + losses["contrast"], rel=1e-4)


def test_a_modality_begins_as_another(toy):
    network, _ = toy_network(toy[1].tokenizer, projection={"queries": 2, "experts": 2, "maps": "own", "tags": True})
    router = network.projection.router["audio"][0].weight.clone()
    copy_modality(network, "audio", "image")
    own = network.projection
    assert torch.equal(own.query["audio"], own.query["image"])
    assert torch.equal(own.onto["audio"][0].weight, own.onto["image"][0].weight)
    assert torch.equal(own.tags["audio"], own.tags["image"])
    assert torch.equal(own.router["audio"][0].weight, router)
    with pytest.raises(ValueError, match="start_as: expected one of image, audio, point_cloud; got 'video'"):
        copy_modality(network, "video", "image")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        pytest.param({"alignment": "captions"}, "alignment: expected .*; did you mean 'caption'", id="alignment"),
        pytest.param(
            {"alignment": "caption", "batch": {"data": 1, "image": 1}},
            "alignment: expected a batch of data alone",
            id="world",
        ),
        pytest.param(
            {"alignment": "caption", "batch": {"image": 1}, "data": None, "questions": 1},
            "of the world with one question, its caption",
            id="other_questions",
        ),
        pytest.param(
            {"start_as": {"vidoe": "image"}}, "start_as.vidoe: unknown field; .*did you mean 'video'", id="modality"
        ),
        pytest.param({"betas": [0.9, 1.0]}, "betas: expected a list, each item a number from 0 and below 1", id="beta"),
        pytest.param({"min_learning_rate": 1e-6}, "min_learning_rate: expected beside schedule", id="minimum"),
        pytest.param(
            {"warmup_steps": 1.5}, "warmup_steps: expected a whole number, or a share below 1; got 1.5", id="half"
        ),
    ],
)
def test_wrong_fields_of_a_stage_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        parse_recipe({"init": "bundled", "stages": [{**STAGE, **changes}]})
