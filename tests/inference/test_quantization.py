"""Quantised weights: which layers are quantised, which keep full precision, and what is refused."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from deixis.checkpoints.quantization import quantization_config, weight_bytes
from deixis.checkpoints.shrinking import FULL_PRECISION
from deixis.inference import load
from deixis.systems.needs import needs_of

CPU, MPS, CUDA = (torch.device(name) for name in ("cpu", "mps", "cuda"))
has_torchao = pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is not installed")


@pytest.mark.parametrize(
    ("wanted", "place", "sentence"),
    [
        pytest.param("int3", CPU, "expected int8 or int4 or a configuration", id="unknown"),
        pytest.param("", CPU, "expected int8 or int4", id="nothing"),
        pytest.param("int8", MPS, "runs on cpu and cuda, not on mps", id="mps"),
    ],
)
def test_what_does_not_run_is_refused(wanted, place, sentence):
    with pytest.raises(ValueError, match=sentence):
        quantization_config(wanted, place)


@pytest.mark.parametrize(
    ("package", "place"), [pytest.param("torchao", CPU, id="torchao"), pytest.param("bitsandbytes", CUDA, id="bnb")]
)
def test_a_missing_package_is_named(monkeypatch, package, place):
    monkeypatch.setattr(f"deixis.checkpoints.quantization.is_{package}_available", lambda: False)
    with pytest.raises(ValueError, match=f"pip install {package}"):
        quantization_config("int8", place)


def test_a_configuration_of_transformers_is_taken_as_it_is():
    config = object()
    assert quantization_config(config, CPU) is config


@has_torchao
@pytest.mark.parametrize(
    ("wanted", "most"), [pytest.param("int8", 0.45, id="int8"), pytest.param("int4", 0.40, id="int4")]
)
def test_the_bundled_model_is_smaller_and_answers(bundled, mixed, wanted, most):
    small = load(device="cpu", quantization=wanted)
    assert weight_bytes(small.network) < most * weight_bytes(bundled.network)
    counted = needs_of(small.network.config).nbytes(wanted, "cpu")
    assert weight_bytes(small.network) == pytest.approx(counted, rel=0.01)  # and buffers
    answers = small.answer(mixed, 40)
    assert all(answer.text for answer in answers)
    if wanted == "int8":
        same = [one.text == other.text for one, other in zip(answers, bundled.answer(mixed, 40), strict=True)]
        assert sum(same) >= len(mixed) - 1


@has_torchao
def test_parts_that_matter_stay_whole(bundled):
    small = load(device="cpu", quantization="int8").network
    whole = dict(bundled.network.named_parameters())
    packed = [name for name, weight in small.named_parameters() if getattr(weight, "tensor_data_names", None)]
    assert any(name.startswith("language_model.model.layers") for name in packed)
    assert not [name for name in packed if name.startswith(FULL_PRECISION)]
    for name, weight in small.named_parameters():
        if name not in packed:
            assert torch.equal(weight, whole[name]), name


LOADED = """
import sys, threading, time
import torchao.quantization, deixis.checkpoints.quantization
from deixis.inference import load

def held():
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("RssAnon"))

load(device="cpu", quantization="int8")  # what is imported on the way
first, most, over = held(), 0, False

def watch():
    global most
    while not over:
        most = max(most, held())
        time.sleep(0.001)

watcher = threading.Thread(target=watch)
watcher.start()
model = load(device="cpu", quantization="int8")
over = True
watcher.join()
print(most - first, sum(4 * weight.numel() for weight in model.network.parameters()))
"""


@has_torchao
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_the_whole_network_is_never_in_memory():
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # released memory is returned at once
    told = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, env=environment, check=True)
    most, whole = map(int, told.stdout.split())
    assert most < 0.7 * whole


def test_weights_that_are_tied_count_once():
    one = torch.nn.Linear(4, 8, bias=False)
    two = torch.nn.Linear(4, 8, bias=False)
    two.weight = one.weight
    assert weight_bytes(torch.nn.ModuleList([one, two])) == 4 * 8 * 4
