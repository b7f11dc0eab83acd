"""What a stage trains: the parts that it names, whole or by adapters, with their own learning rates; then a plain
network again."""

import copy

import pytest
import torch
from torch import nn

from deixis.errors import ConfigError
from deixis.model.parts import named_parts
from deixis.systems import SYSTEMS
from deixis.training.flops import FlopCounter
from deixis.training.parts import LoraOptions, TrainedParts, check_quantized, stage_parts
from tests.toy import SAM_SIZES, toy_image, toy_network

SAM = {"pointing": {"dim": 16, "backbone": "sam"}, "mask_config": SAM_SIZES}


@pytest.fixture
def network(toy):
    return toy_network(toy[1].tokenizer, **SAM)[0]


@pytest.fixture
def inputs(toy, network):
    return toy_network(toy[1].tokenizer, **SAM)[1](["What is it?"], [[toy_image()]])


def trained_names(network: nn.Module) -> set[str]:
    return {name for name, weight in network.named_parameters() if weight.requires_grad}


def test_only_named_parts_are_trained(network):
    parts = named_parts(network)
    TrainedParts(network, {"projection": "full", "masks": "full"})
    assert trained_names(network) == parts["projection"].keys() | parts["masks"].keys()


def test_adapters_stand_beside_the_targets_of_their_part_alone(network):
    masks = named_parts(network)["masks"].keys()
    trained = TrainedParts(network, {"language_model": "lora", "mask_encoder": "lora", "masks": "full"})
    names = trained_names(network)
    adapters = {name for name in names if ".lora_" in name}
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in adapters} == {"q_proj", "v_proj", "qkv"}
    assert not any(name.startswith("field_encoder") for name in names)  # whose encoder has a q_proj too
    assert names - adapters == masks
    assert trained.counts["language_model"][0] == sum(
        weight.numel() for name, weight in network.named_parameters() if name in adapters and "language_model" in name
    )
    assert "language_model 0.00 M" in str(trained)


def test_merged_adapters_change_the_output_as_they_did_beside_it(network, inputs):
    plain = copy.deepcopy(network)
    trained = TrainedParts(network, {"language_model": "lora"}, LoraOptions(rank=2, targets=("q_proj", "o_proj")))
    for name, weight in network.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.3)
    with torch.no_grad():
        beside = network.eval()(**inputs).logits
        trained.merge()
        merged = network(**inputs).logits
        assert not torch.allclose(plain.eval()(**inputs).logits, beside, atol=1e-4)
    torch.testing.assert_close(merged, beside, atol=1e-5, rtol=1e-4)
    assert [name for name, _ in network.named_parameters()] == [name for name, _ in plain.named_parameters()]
    assert all(weight.requires_grad for weight in network.parameters())


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # what PEFT asks
def test_adapters_are_saved_as_peft_loads_them(network, inputs, tmp_path):
    from peft import PeftModel

    plain = copy.deepcopy(network).eval()
    trained = TrainedParts(network, {"language_model": "lora"})
    for name, weight in network.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.3)
    trained.save_adapters(tmp_path / "adapter")
    trained.merge()
    loaded = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    with torch.no_grad():
        torch.testing.assert_close(loaded(**inputs).logits, network.eval()(**inputs).logits, atol=1e-5, rtol=1e-4)


def test_each_part_has_its_learning_rate(network, tmp_path):
    from transformers import TrainingArguments

    from deixis.training.trainer import PartTrainer

    trained = TrainedParts(network, {"projection": "full", "masks": "full"}, learning_rates={"masks": 1e-5})
    arguments = TrainingArguments(str(tmp_path), learning_rate=1e-3, weight_decay=0.1, report_to=[])
    optimizer = PartTrainer(rates=trained.rates, flops=FlopCounter(), model=network, args=arguments).create_optimizer()
    rate = {id(w): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for w in group["params"]}
    parts = named_parts(network)
    assert {rate[id(weight)][0] for weight in parts["masks"].values()} == {1e-5}
    assert {rate[id(weight)][0] for weight in parts["projection"].values()} == {1e-3}
    assert {decay for _, decay in rate.values()} == {0.0, 0.1}
    assert len(rate) == len(parts["masks"]) + len(parts["projection"])


def test_a_further_expert_is_trained_alone_with_what_modalities_have_of_their_own(network, inputs):
    network.eval()
    with torch.no_grad():
        before = network(**inputs).logits
    trained = TrainedParts(network, {"projection": "expert", "masks": "full"})
    with torch.no_grad():
        torch.testing.assert_close(network(**inputs).logits, before, atol=1e-5, rtol=1e-4)
    last = len(network.projection.experts) - 1
    names = {name for name in trained_names(network) if name.startswith("projection.")}
    assert {".".join(name.split(".")[1:3]) for name in names if "experts" in name} == {f"experts.{last}"}
    assert {name.split(".")[1] for name in names} == {"experts", "router", "query"}
    assert trained.counts["projection"][0] == sum(network.get_parameter(name).numel() for name in names)
    trained.merge()
    assert network.config.projection.experts == last + 1


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        pytest.param(({"masks": "expert"},), "expected an expert of the projection alone; got masks", id="no_experts"),
        pytest.param(
            ({"projection": "expert", "language_model": "lora"},), "expert without adapters beside it", id="two_ways"
        ),
        pytest.param(({"projecton": "full"},), "parts: .* got 'projecton'; did you mean 'projection'", id="unknown"),
        pytest.param(
            ({"embeddings": "lora"},), "lora.targets: expected names of linear layers of embeddings", id="no_target"
        ),
        pytest.param(
            ({"language_model": "lora"}, LoraOptions(targets=("query",))),
            "such as down_proj, .*; got query",
            id="target",
        ),
        pytest.param(
            ({"masks": "full"}, LoraOptions(rank=4)),
            "lora: expected beside a part that is trained by lora",
            id="no_lora",
        ),
        pytest.param(
            ({"masks": "full"}, None, {"projection": 1e-4}),
            "learning_rates: expected parts that are trained",
            id="rate",
        ),
    ],
)
def test_what_does_not_fit_is_refused(network, arguments, match):
    with pytest.raises(ConfigError, match=match):
        TrainedParts(network, *arguments)


def test_quantized_weights_are_not_trained(network):
    check_quantized(network, {"language_model": "lora", "embeddings": "full", "masks": "full"}, "int8", "cpu")
    with pytest.raises(ConfigError, match=r"parts: expected encoder: lora beside quantization, .* of int8 .* got full"):
        check_quantized(network, {"encoder": "full"}, "int8", "cpu")


def test_systems_train_their_own_parts(network):
    lisa = stage_parts(network, SYSTEMS["lisa"], None)
    assert lisa == {"language_model": "lora", "embeddings": "full", "masks": "full"}
    assert not {"encoder", "mask_encoder"} & stage_parts(network, SYSTEMS["ferret"], None).keys()
    assert stage_parts(network, SYSTEMS["lisa"], {"masks": "full"}) == {"masks": "full"}
