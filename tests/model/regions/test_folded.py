"""The folded local layer is used only where nothing but plain weights would be called, and gives the same result."""

import pytest
import torch
from torch import nn

from deixis.model.regions import sampler as sampler_module
from deixis.model.regions.folded import can_fold
from deixis.model.regions.sampler import RegionSampler


def with_adapter():
    from peft import LoraConfig, inject_adapter_in_model

    wrapped = nn.ModuleDict({"map": nn.Linear(4, 4)})
    return inject_adapter_in_model(LoraConfig(r=2, target_modules=["map"]), wrapped)["map"]


def with_hook():
    module = nn.Linear(4, 4)
    module.register_forward_hook(lambda module, args, output: output + 1)
    return module


def with_another_forward():
    module = nn.Linear(4, 4)
    module.forward = lambda values: values
    return module


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda: nn.Linear(4, 4), True, id="linear"),
        pytest.param(lambda: nn.Conv1d(4, 4, 1), True, id="convolution"),
        pytest.param(lambda: nn.Linear(4, 4).half(), True, id="half_precision"),
        pytest.param(with_adapter, False, id="adapter"),
        pytest.param(with_hook, False, id="hook"),
        pytest.param(with_another_forward, False, id="replaced_forward"),
        pytest.param(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), False, id="parametrised"),
        pytest.param(lambda: type("Int8Linear", (nn.Linear,), {})(4, 4), False, id="quantised_class"),
    ],
)
def test_only_plain_modules_are_folded(make, expected):
    assert can_fold(nn.Linear(2, 2), make()) is expected


@pytest.fixture
def calls(monkeypatch):
    """How often the folded layer was used."""
    seen = []
    folded = sampler_module.folded_layer
    monkeypatch.setattr(sampler_module, "folded_layer", lambda *args: seen.append(1) or folded(*args))
    return seen


@pytest.mark.parametrize("pooling", [pytest.param("max", id="max"), pytest.param("mean", id="mean")])
@pytest.mark.parametrize("coordinates", [pytest.param(True, id="coordinates"), pytest.param(False, id="without")])
def test_the_folded_layer_equals_the_called_modules(calls, pooling, coordinates):
    torch.manual_seed(0)
    sampler = RegionSampler(16, 12, 2, (8, 3), (6, 4), pooling, coordinates)
    features, points = torch.randn(5, 30, 16), torch.rand(5, 30, 2)
    called = sampler(features, points)
    assert calls == []
    with torch.no_grad():
        folded = sampler(features, points)
    assert calls == [1, 1]
    torch.testing.assert_close(folded, called, rtol=0, atol=1e-5)


def test_an_adapter_changes_inference_and_gets_gradients(calls):
    from peft import LoraConfig, inject_adapter_in_model

    torch.manual_seed(0)
    sampler = RegionSampler(16, 12, 2, (8, 3), (6, 4))
    features, points = torch.randn(2, 30, 16), torch.rand(2, 30, 2)
    with torch.no_grad():
        before = sampler(features, points)
    targets = ["diff_projector_list.0", "diff_projector_list.1"]
    inject_adapter_in_model(LoraConfig(r=2, target_modules=targets, init_lora_weights=False), sampler)
    calls.clear()
    with torch.no_grad():
        adapted = sampler(features, points)
    assert calls == []
    assert (adapted - before).abs().max() > 1e-3
    trained = sampler(features, points)
    torch.testing.assert_close(trained, adapted)
    trained.sum().backward()
    gradients = [weight.grad for name, weight in sampler.named_parameters() if "lora_" in name]
    assert len(gradients) == 4
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
