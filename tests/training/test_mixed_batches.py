"""Samples with and without signals, regions and masks train every system, alone and mixed in one batch."""

import numpy as np
import pytest
import torch

from deixis.geometry import Region
from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.chat_template import special_words
from deixis.model.masks.cells import mask_cells
from deixis.model.parts import named_parts
from deixis.samples.mixtures.mixture import Mixture, MixtureRecipe, Part
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.systems import system_of
from deixis.systems.conversion import convert
from deixis.training.instruct import Instructor
from deixis.training.parts import TrainedParts, stage_parts
from deixis.training.sample_batches import SampleBatches
from tests.checkpoints.checkpoints import WRITERS
from tests.toy import UNION, VISION, toy_image, toy_network, toy_tokenizer

VISION_OF_UNION = {**VISION, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14}
MASK = np.zeros((24, 40), bool)
MASK[4:12, 8:20] = True
REGION = Region(box=(8.0, 4.0, 20.0, 12.0), mask=MASK)
POINTING = {
    "deixis": Turn("What is {0}?", "A [mug]{0:mask}, [it]{0}."),
    "union": Turn("What is {0}?", "A [mug]{0:mask}, [it]{0}."),
    "onellm": Turn("Is there a mug?", "Yes."),
    "ferret": Turn("What is {0}?", "A [mug]{0}."),
    "lisa": Turn("Where is it?", "Here: {0:mask}."),
}


@pytest.fixture(scope="module", params=POINTING)
def start(request, tmp_path_factory):
    """(name, folder, network, processor) of a toy model of each system."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    if name in WRITERS:
        out = convert(name, WRITERS[name](folder / "source"), folder / "model")
        network = DeixisForConditionalGeneration.from_pretrained(out, dtype=torch.float32, local_files_only=True)
        return name, folder, network, DeixisProcessor.from_pretrained(out, local_files_only=True)
    sizes = {"vision_config": VISION_OF_UNION, **UNION} if name == "union" else {}
    return name, folder, *toy_network(toy_tokenizer(), **sizes)


def samples(name: str) -> dict[str, Sample]:
    """A sample of each kind."""
    medium = MediaReference("p/0", "image", size_hw=(24, 40), values=toy_image())
    named = "{" in POINTING[name].user + POINTING[name].assistant
    turns = {
        "pointing": (POINTING[name], (medium,), (REGION,) if named else ()),
        "captioned": (Turn("Describe the image.", "A red mug."), (medium,), ()),
        "words": (Turn("Hello.", "Hello there."), (), ()),
    }
    return {
        kind: Sample(kind, "made up", "talk", "train", (turn,), media, regions)
        for kind, (turn, media, regions) in turns.items()
    }


def batches_of(own: list[Sample], network, processor, folder) -> SampleBatches:
    path = folder / f"{'-'.join(sample.id for sample in own)}.jsonl"
    assert write_shard(own, path).skipped == ()
    system, cells = system_of(network.config), mask_cells(network.config)
    mixture = Mixture(MixtureRecipe((Part(str(path)),)), 3)
    return SampleBatches(mixture, processor, system, cells, len(own), 2000, None, folder / "run")


def test_every_kind_of_sample_trains_alone_and_mixed(start):
    name, folder, network, processor = start
    kinds, system = samples(name), system_of(network.config)
    trained = TrainedParts(network, stage_parts(network, system, None))
    before = {key: weight.detach().clone() for key, weight in network.named_parameters()}
    instructor = Instructor(network, system).train()
    learnt = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(learnt, lr=0.1)
    for own in ([kinds["words"]], [kinds["captioned"]], [kinds["pointing"]], list(kinds.values())):
        made = batches_of(own, network, processor, folder)
        for step in range(2):  # low-rank adapters begin at zero: one half of them moves in the second step
            output = instructor(**made(step))
            assert all(torch.isfinite(value) for value in (output["loss"], *output["losses"].values()))
            optimizer.zero_grad()
            output["loss"].backward()
            optimizer.step()
        assert made.skipped.all() == []
    moved = {key for key, weight in network.named_parameters() if not torch.equal(weight, before[key])}
    frozen = {key for key, weight in network.named_parameters() if not weight.requires_grad}
    assert not moved & frozen
    trained.merge()
    parts = {
        part: {key.replace(".base_layer", "") for key in weights} for part, weights in named_parts(network).items()
    }
    # the tokenizers of a published system are those of other signals than images
    for part in stage_parts(network, system, None).keys() - ({"tokenizers"} if name == "onellm" else set()):
        names = {key.replace(".lora_A.default", "").replace(".lora_B.default", "") for key in moved}
        assert names & parts[part], part


def test_special_tokens_are_there_once_and_whole(start):
    name, folder, network, processor = start
    tokenizer = processor.tokenizer
    words = special_words(tokenizer)
    assert len(set(tokenizer.get_vocab().values())) == len(tokenizer)
    held, rows = network.input_only_token_ids, network.get_input_embeddings().weight.shape[0]
    assert len(tokenizer) <= rows + len(held)
    assert all(number < rows for number in tokenizer.get_vocab().values() if number not in held)
    for word in words:
        number = tokenizer.convert_tokens_to_ids(word)
        assert tokenizer.encode(f"a{word}b {word}.", add_special_tokens=False).count(number) == 2, word
    plain = {kind: batches_of([own], network, processor, folder)(0)["input_ids"] for kind, own in samples(name).items()}
    seg = network.config.seg_token_id
    assert seg is None or (plain["pointing"] == seg).sum() == int("mask" in POINTING[name].assistant)
    assert seg is None or not (plain["words"] == seg).any()
    bad = Sample("bad", "made up", "talk", "train", (Turn(f"Hello {next(iter(words))}", "Hello."),))
    made = batches_of([samples(name)["words"], bad], network, processor, folder)
    made(0)
    (skipped,) = made.skipped.all()
    assert "turns[0].user: expected plain words" in skipped.why
