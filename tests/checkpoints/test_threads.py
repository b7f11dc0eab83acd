"""Loads in threads: one after another, each whole, and whatever other loads of the process leave behind."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from transformers import AutoModelForImageTextToText, PreTrainedModel
from transformers.initialization import no_tie_weights
from transformers.utils import logging

from deixis.checkpoints import open_pretrained
from tests.toy import toy_image

COUNT = 4


@pytest.fixture(scope="module")
def folder(toy, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    for part in toy:
        part.save_pretrained(path)
    return path


def at_once(count, work):
    """The results of `work(number)` in threads that begin together."""
    start = Barrier(count)

    def run(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def same_weights(network, other):
    mine, theirs = network.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(lambda folder: open_pretrained(folder)[0], id="open_pretrained"),
        pytest.param(AutoModelForImageTextToText.from_pretrained, id="transformers"),
    ],
)
def test_loads_at_once_are_whole_and_so_is_every_later_one(toy, folder, load):
    before = torch.get_default_dtype(), logging.get_verbosity(), PreTrainedModel.tie_weights
    networks = [*at_once(COUNT, lambda number: load(folder)), load(folder)]
    assert all(same_weights(network, toy[0]) for network in networks)
    assert (torch.get_default_dtype(), logging.get_verbosity(), PreTrainedModel.tie_weights) == before


def test_types_of_loads_at_once_are_not_mixed(folder):
    wanted = [torch.float32, torch.bfloat16] * 2
    networks = at_once(COUNT, lambda number: open_pretrained(folder, wanted[number])[0])
    assert [{weight.dtype for weight in network.parameters()} for network in networks] == [{d} for d in wanted]


def test_a_process_in_which_loads_of_others_overlapped_still_loads(toy, folder, monkeypatch):
    monkeypatch.setattr(PreTrainedModel, "tie_weights", PreTrainedModel.tie_weights)  # put back at the end
    one, other = no_tie_weights(), no_tie_weights()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    other.__exit__(None, None, None)
    assert "PreTrainedModel" not in PreTrainedModel.tie_weights.__qualname__, (
        "transformers mended it: drop the override"
    )
    assert same_weights(open_pretrained(folder)[0], toy[0])


def test_a_load_beside_a_question_changes_no_answer(toy, folder):
    network, processor = toy
    inputs = processor(text="Hm?", signals=[toy_image()])
    with torch.no_grad():
        expected = network(**inputs).logits

    def work(number):
        if number % 2:
            return open_pretrained(folder, torch.bfloat16)[0].dtype == torch.bfloat16
        with torch.no_grad():
            return all(torch.equal(network(**inputs).logits, expected) for _ in range(20))

    assert at_once(COUNT, work) == [True] * COUNT
