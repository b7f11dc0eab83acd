"""LoRA on any `nn.Linear` of the network takes effect and gets gradients: modules are called, their weights not read.

Every layer is wrapped; then logits or masks must change with each adapter: they have a derivative by it, or are others
when it alone is made non-zero. With all of them non-zero every adapter must get a gradient of the loss. The batch has a
region and a mask in every signal of the network.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from deixis import Box, Box3D, Span
from deixis.signals import open_signal
from tests.model.test_union import EXAMPLES
from tests.model.test_union import VISION as TRUNK
from tests.toy import SAM2_SIZES, SAM_SIZES, UNION, toy_audio, toy_image, toy_network, toy_point_cloud

TOY = [
    (toy_image(), Box(2, 3, 20, 20)),
    (toy_audio(), Span(0.5, 1.2)),
    (toy_point_cloud(), Box3D(0, 0, 0, 0.5, 0.5, 0.5)),
]
PUBLISHED = {
    "sampler": {"points": 12, "in_dim": 16, "anchors": [4, 2], "neighbours": [3, 2], "local": "pointmlp"},
    "projection": {"queries": 2, "experts": 2, "expert": "llama", "heads": 2, "multiple_of": 8, "maps": "own"},
}
CLIP = {**TRUNK, "model_type": "clip_vision_model", "intermediate_size": 48}
NETWORKS = [
    pytest.param({}, TOY, id="toy"),
    pytest.param({"projection": {"type": "mlp", "depth": 2}, "sampler": {"type": "average"}}, TOY, id="comparisons"),
    pytest.param(PUBLISHED, TOY, id="llama_experts"),
    pytest.param({"pointing": {"dim": 16, "backbone": "sam"}, "mask_config": SAM_SIZES}, TOY, id="sam"),
    pytest.param({"pointing": {"dim": 16, "backbone": "sam2"}, "mask_config": SAM2_SIZES}, TOY, id="sam2"),
    pytest.param(
        {"vision_config": CLIP, **UNION},
        [(make(), region) for make, region in EXAMPLES.values()],
        id="every_modality",
    ),
]
# SAM computes three alternative masks, a score per mask and an object score beside the one mask that is used.
UNUSED = re.compile(
    r"mask_decoder\.(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.[123])\."
    r"|prompt_encoder\."
)


def fmri(folder):
    """An opened response of 64 voxels with places."""
    nibabel = pytest.importorskip("nibabel")
    volume = np.random.default_rng(0).normal(1, 0.2, (4, 4, 4)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), folder / "response.nii.gz")
    return open_signal(folder / "response.nii.gz")


def batch_of(network, processor, signals, regions):
    """One question about all signals, with a region in each, whose answer is one `<seg>` per signal."""
    count = len(signals)
    question = "What is " + " and ".join(f"{{{i}}}" for i in range(count)) + "?"
    inputs = processor(question, signals, regions)
    seg = torch.full((1, count), network.config.seg_token_id)
    ids = torch.cat([inputs.pop("input_ids"), seg], 1)
    generator = torch.Generator().manual_seed(2)
    return {
        **inputs,
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": torch.where(torch.arange(ids.shape[1]) >= ids.shape[1] - count, ids, -100),
        "seg_signal": torch.arange(count),
        "seg_target": (torch.rand(count, 4096, generator=generator) > 0.5).float(),
    }


def outputs(network, batch):
    """Logits of the text and of every mask, as one vector."""
    asked = {name: value for name, value in batch.items() if name not in ("labels", "seg_signal", "seg_target")}
    encoded = network.encode_inputs(asked)
    output = network(**asked, encoded=encoded)
    masks = network.point(encoded, output.seg_states, batch["seg_signal"])
    return torch.cat([output.logits.flatten(), *masks])


@pytest.fixture
def seeded():
    """The same random numbers whatever ran before: with unlucky ones a ReLU is silent for every input."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield


@pytest.mark.usefixtures("seeded")
@pytest.mark.filterwarnings("ignore:.*tie_word_embeddings.*:UserWarning")  # of merging adapters, which is not done
@pytest.mark.parametrize(("changes", "asked"), NETWORKS)
def test_an_adapter_on_any_linear_layer_takes_effect_and_learns(toy, tmp_path, changes, asked):
    network, processor = toy_network(toy[1].tokenizer, **changes)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.2)  # zeros would hide a layer, and tiny weights leave attention flat
    network.train()  # in evaluation SAM 2 may replace its mask by one of the alternatives
    network.double()  # an effect through several layers may be smaller than float32 resolves
    if "fmri" in network.config.modalities:
        asked = [*asked, (fmri(tmp_path), Box3D(-1, -1, -1, 1.5, 4, 4))]
    signals, regions = zip(*asked, strict=True)
    regions = [replace(region, signal=i) for i, region in enumerate(regions)]
    batch = batch_of(network, processor, list(signals), regions)
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    inject_adapter_in_model(LoraConfig(r=2, target_modules=names), network)

    found = outputs(network, batch)
    (found * torch.randn_like(found)).sum().backward()
    with torch.no_grad():
        before = outputs(network, batch)  # attention is another kernel, which rounds differently
        without_effect = []
        for name in names:
            weight = network.get_submodule(name).lora_B["default"].weight
            if weight.grad is not None and weight.grad.abs().max() > 1e-8:  # more than what rounding makes of nothing
                continue
            nn.init.normal_(weight, std=1.0)
            if torch.equal(outputs(network, batch), before):
                without_effect.append(name)
            weight.zero_()
        assert [name for name in without_effect if not UNUSED.search(name)] == []
        for name in names:
            nn.init.normal_(network.get_submodule(name).lora_B["default"].weight, std=0.1)
    network.zero_grad()
    network(**batch).loss.backward()
    silent = [
        f"{name}.{side}"
        for name in names
        for side in ("lora_A", "lora_B")
        if (weight := getattr(network.get_submodule(name), side)["default"].weight).grad is None
        or not weight.grad.any()
    ]
    assert [name for name in silent if not UNUSED.search(name)] == []
    assert {name.rpartition(".")[0] for name in silent} <= {*without_effect}
