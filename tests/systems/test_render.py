"""Every system is asked exactly as it was trained: one renderer writes the prompt and the training row."""

import numpy as np
import pytest
import torch

from deixis.conversation import IGNORED, Row, answered, collate, mask_targets, question_sample, render
from deixis.geometry import Box, Mask
from deixis.model import DeixisProcessor
from deixis.model.prepared import prompt_tensors
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.signals import open_signal
from deixis.systems import SYSTEMS
from deixis.systems.conversion import convert
from tests.checkpoints.checkpoints import WRITERS
from tests.toy import toy_image, toy_network, toy_tokenizer

MASK = np.zeros((24, 40), dtype=bool)
MASK[4:20, 8:30] = True
REGION = Mask(MASK)
ANSWERS = {
    "deixis": (
        "What is {0}?",
        "A [red mug]{0:mask}, [it]{1}.",
        "A <p>red mug</p><seg>, <p>it</p>[200, 286, 750, 682].",
    ),
    "onellm": ("What is it?", "A red mug.", "A red mug."),
    "ferret": ("What is {1}?", "A [mug]{1}.", "A mug [200, 166, 750, 833]."),
    "lisa": ("Where is it?", "Sure, {0:mask}.", "Sure, [SEG]."),
}
ENDS = {"deixis": "<eos>", "onellm": "\n###", "ferret": "</s>", "lisa": "</s>"}


@pytest.fixture(scope="module", params=SYSTEMS)
def asked(request, tmp_path_factory):
    """(name, processor) of a small model of each system; converted, where there are official weights of toy size."""
    name = request.param
    if name == "deixis":
        return name, toy_network(toy_tokenizer())[1]
    folder = tmp_path_factory.mktemp(name)
    out = convert(name, WRITERS[name](folder / "source"), folder / "out")
    return name, DeixisProcessor.from_pretrained(out, local_files_only=True)


def conversation(name: str, turns: int = 1) -> Sample:
    """A sample in which every turn has the same question and answer."""
    question, answer, _ = ANSWERS[name]
    regions = (REGION, Box(8, 4, 30, 20))
    pairs = (Turn(question, answer),) * turns
    return Sample("a", "test", "refer", "train", pairs, (MediaReference("p", "image"),), regions)


def rendered(name: str, processor: DeixisProcessor, sample: Sample):
    prepared = [processor.prepare(open_signal(toy_image()))]
    return render(sample, prepared, processor, SYSTEMS[name].label_rule), prepared


@pytest.mark.parametrize("turns", [pytest.param(1, id="one_turn"), pytest.param(2, id="two_turns")])
def test_a_training_row_begins_with_what_ask_feeds(asked, turns):
    name, processor = asked
    sample = conversation(name, turns)
    whole, prepared = rendered(name, processor, sample)
    for number in range(turns):
        earlier, last = sample.turns[:number], sample.turns[number]
        question = Sample(**{**vars(sample), "turns": (*earlier, Turn(last.user))})
        prompt = render(question, prepared, processor, SYSTEMS[name].label_rule)
        first = whole.answers[number].first
        assert prompt.ids == whole.ids[:first]
        assert set(prompt.labels) == {IGNORED}
        row = Row(prepared)
        row.add(whole, mask_targets(whole, sample.regions, prepared, {"image": 64}, SYSTEMS[name]))
        batch = collate([row], processor.tokenizer.pad_token_id, SYSTEMS[name])
        fed = prompt_tensors([prompt.ids], [prompt.points], [len(prepared)], processor.tokenizer.pad_token_id)
        assert torch.equal(fed["input_ids"], batch["input_ids"][:, :first])


@pytest.mark.parametrize("turns", [pytest.param(1, id="one_turn"), pytest.param(2, id="two_turns")])
def test_labels_are_the_answers_and_their_ends(asked, turns):
    name, processor = asked
    whole, _ = rendered(name, processor, conversation(name, turns))
    for span in whole.answers:
        assert whole.labels[span.first : span.end] == whole.ids[span.first : span.end]
    assert sum(label != IGNORED for label in whole.labels) == sum(span.end - span.first for span in whole.answers)
    words = ANSWERS[name][2] + ENDS[name]
    learnt = processor.tokenizer.decode([label for label in whole.labels if label != IGNORED])
    assert "".join(learnt.split()) == "".join((words * turns).split())


def test_the_transformers_processor_feeds_the_same(asked):
    name, processor = asked
    question, _, _ = ANSWERS[name]
    regions = (REGION, Box(8, 4, 30, 20))
    sample = question_sample(question, (open_signal(toy_image()),), regions)
    ours, _ = rendered(name, processor, sample)
    theirs = processor(question, [toy_image()], regions)
    assert theirs["input_ids"][0].tolist() == ours.ids


def test_a_generated_answer_is_fed_back_as_it_was(asked):
    """The second question of a chat sees the first answer to the letter, sense or not."""
    name, processor = asked
    text = "It [ is {0} <p> 12,"
    first = answered(question_sample("What?", (open_signal(toy_image()),)), text)
    second = question_sample("And?", (), (), first)
    whole, _ = rendered(name, processor, second)
    assert "".join(text.split()) in "".join(processor.tokenizer.decode(whole.ids).split())
