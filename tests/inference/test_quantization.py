"""Quantised weights: which layers are quantised, which keep full precision, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path
from threading import local

import pytest
import torch

from deixis.checkpoints.quantization import quantization_config, weight_bytes
from deixis.errors import UnsupportedError
from deixis.inference import load
from deixis.model import packed_linear
from deixis.model.packed_linear import GROUP, KINDS, Int4Linear, Int8Linear, PackedLinear
from deixis.model.shrinking import FULL_PRECISION, small_bytes
from deixis.systems.needs import needs_of

CPU, MPS, CUDA = (torch.device(name) for name in ("cpu", "mps", "cuda"))


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


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("deixis.checkpoints.quantization.is_bitsandbytes_available", lambda: False)
    with pytest.raises(ValueError, match="pip install bitsandbytes"):
        quantization_config("int8", CUDA)


def test_a_configuration_of_transformers_is_taken_as_it_is():
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(load_in_8bit=True)
    assert quantization_config(config, CPU) is config


@pytest.mark.parametrize(
    ("wanted", "most"), [pytest.param("int8", 0.31, id="int8"), pytest.param("int4", 0.23, id="int4")]
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


def test_parts_that_matter_stay_whole(bundled):
    small = load(device="cpu", quantization="int8").network
    whole = dict(bundled.network.named_parameters())
    packed = [name for name, layer in small.named_modules() if isinstance(layer, PackedLinear)]
    assert any(name.startswith("language_model.model.layers") for name in packed)
    assert not [name for name in packed if name.startswith(FULL_PRECISION)]
    for name, weight in small.named_parameters():
        assert torch.equal(weight, whole[name].bfloat16()), name


LOADED = """
import sys, threading, time
import deixis.checkpoints.quantization
from deixis.inference import load
from deixis.systems.needs import needs_of

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
print(most - first, needs_of(model.network.config).nbytes("float32"))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_the_whole_network_is_never_in_memory():
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # released memory is returned at once
    told = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, env=environment, check=True)
    most, whole = map(int, told.stdout.split())
    assert most < 0.45 * whole  # 0.3 are what is left of it


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    ("kind", "levels"), [pytest.param(Int8Linear, 127, id="int8"), pytest.param(Int4Linear, 15, id="int4")]
)
def test_packed_layers_give_the_products_of_the_rounded_weights(kind, levels, dtype):
    torch.manual_seed(0)
    layer = torch.nn.Linear(96, 192, dtype=dtype)
    packed = kind(layer)
    packed.pack(layer.weight.data)
    rows = torch.randn(2, 150, 96, dtype=dtype)
    with torch.inference_mode():
        weights = packed.written_out(torch.eye(96, dtype=dtype)).T.float()
        expected = rows.float() @ weights.T + layer.bias.float()
        many, few = packed(rows), packed(rows[:, :3])
    ranges = layer.weight.detach().float().view(-1, GROUP) if kind is Int4Linear else layer.weight.detach().float()
    steps = (ranges.amax(1) - ranges.amin(1) if kind is Int4Linear else ranges.abs().amax(1)) / levels
    off = (weights.reshape(ranges.shape) - ranges).abs().amax(1)
    assert bool((off <= 0.5 * steps + 0.01 * ranges.abs().amax(1)).all())
    close = {"rtol": 0.02, "atol": 0.04} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(many.float(), expected, **close)
    torch.testing.assert_close(few.float(), expected[:, :3], **close)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("kind", [pytest.param(Int8Linear, id="int8"), pytest.param(Int4Linear, id="int4")])
@pytest.mark.parametrize("count", [pytest.param(3, id="few rows"), pytest.param(150, id="many")])
def test_gradients_pass_through_packed_layers(kind, dtype, count):
    """As through layers of the rounded weights; two in turn share the memory that weights are written out into."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(96, 192, dtype=dtype), torch.nn.Linear(192, 64, dtype=dtype)]
    packed = [kind(layer.requires_grad_(False)) for layer in layers]
    for layer, own in zip(layers, packed, strict=True):
        own.pack(layer.weight.data)
        layer.weight.data = own.written_out(torch.eye(layer.in_features, dtype=dtype)).T.contiguous()
    rows = torch.randn(count, 96, dtype=dtype, requires_grad=True)
    expected, got = (
        torch.autograd.grad(chain[1](torch.tanh(chain[0](rows))).square().sum(), rows)[0].float()
        for chain in (layers, packed)
    )
    close = 0.05 if dtype == torch.bfloat16 else 1e-4
    torch.testing.assert_close(got, expected, rtol=close, atol=close * float(expected.abs().max()))


def test_a_process_that_has_answered_trains(monkeypatch):
    """The memory that weights are written out into is made in inference mode and written again outside it."""
    monkeypatch.setattr(packed_linear, "_HELD", local())
    layer = Int8Linear(torch.nn.Linear(96, 192))
    layer.pack(torch.randn(192, 96))
    with torch.inference_mode():
        layer(torch.randn(150, 96))
    rows = torch.randn(150, 96, requires_grad=True)
    assert torch.autograd.grad(layer(rows).sum(), rows)[0].isfinite().all()


@pytest.mark.parametrize(
    ("width", "features", "fits"),
    [
        pytest.param(64, 128, ["int8", "int4"], id="both"),
        pytest.param(64, 48, ["int8"], id="features_of_no_whole_block"),
        pytest.param(33, 128, [], id="width_of_no_whole_group"),
    ],
)
def test_layers_that_the_kernels_do_not_take_stay_whole(width, features, fits):
    layer = torch.nn.Linear(width, features)
    assert [word for word, kind in KINDS.items() if kind.fits(layer)] == fits
    assert [word for word in KINDS if small_bytes(layer, word, "cpu") is not None] == fits


def test_weights_that_are_tied_count_once():
    one = torch.nn.Linear(4, 8, bias=False)
    two = torch.nn.Linear(4, 8, bias=False)
    two.weight = one.weight
    assert weight_bytes(torch.nn.ModuleList([one, two])) == 4 * 8 * 4


def test_an_unknown_order_of_int4_weights_is_refused(monkeypatch):
    monkeypatch.setattr(packed_linear, "INT4_BLOCKS", ())
    packed_linear.int4_block.cache_clear()
    try:
        with pytest.raises(UnsupportedError, match=r"quantization: .* in an unknown order; take int8"):
            quantization_config("int4", torch.device("cpu"))
    finally:
        packed_linear.int4_block.cache_clear()
