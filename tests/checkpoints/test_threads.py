"""Loads in threads: one after another, each whole, and whatever other loads of the process leave behind."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from torch.nn.modules import module as torch_module
from transformers import AutoModelForImageTextToText, PreTrainedModel
from transformers.initialization import no_tie_weights
from transformers.utils import logging

from deixis.checkpoints import open_config_and_processor, open_pretrained
from deixis.model import loading
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.systems.needs import needs_of
from deixis.systems.pointmlp.classifier import CloudClassifier, load_classifier
from tests.toy import toy_image

COUNT = 4
CLOUD = {"points": 32, "class_num": 2, "embed_dim": 8, "k_neighbors": [8, 8], "reducers": [2, 2]}
CLOUD |= {"dim_expansion": [2, 2], "pre_blocks": [1, 1], "pos_blocks": [1, 1]}


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


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda path: load_classifier(path / "cloud"), id="classifier"),
        pytest.param(lambda path: open_config_and_processor(path / "model").folder(), id="size"),
        pytest.param(lambda path: needs_of(PointMLPConfig.of(CLOUD)), id="needs"),
    ],
)
def test_no_network_is_built_beside_a_load(toy, tmp_path, build):
    for part in toy:
        part.save_pretrained(tmp_path / "model")
    CloudClassifier(PointMLP(PointMLPConfig.of(CLOUD)), ("a", "b")).save(tmp_path / "cloud")
    is_free = []

    def try_to_load(*_):  # at each part of a network
        is_free.append(at_once(1, lambda _: loading._LOADING.acquire(blocking=False))[0])

    hook = torch_module.register_module_module_registration_hook(try_to_load)
    try:
        build(tmp_path)
    finally:
        hook.remove()
    assert is_free
    assert not any(is_free)


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
