"""Converted checkpoints compute what the official code computed from the same weights; `tests/parity` has all of it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from deixis.checkpoints.sizes import CLIP_MEAN, CLIP_STD
from deixis.systems.conversion import build_network, convert
from deixis.systems.pointmlp.classifier import load_classifier
from deixis.systems.release import ConversionOptions

CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(autouse=True)
def _without_gradient():
    with torch.no_grad():
        yield


def converted(system, source, out, **changes):
    """The network of a converted golden folder; `changes` to the configuration's parts."""
    from deixis.model import DeixisConfig

    folder = convert(system, source, out)
    config = json.loads((folder / "config.json").read_text())
    for part, values in changes.items():
        config[part] |= values
    network = build_network(DeixisConfig.from_dict(config)).eval()
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network


def pixels(file):
    """An image of the encoder's size, normalised for CLIP: (1, 3, side, side)."""
    values = torch.from_numpy(np.asarray(Image.open(file).convert("RGB"), dtype=np.float32) / 255)
    return ((values - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)).permute(2, 0, 1)[None]


ONELLM = [
    pytest.param("image", "image", lambda x: x, id="image"),
    pytest.param("video", "video", lambda x: x, id="video"),
    pytest.param("audio", "audio", lambda x: x[:, 0].transpose(1, 2), id="audio"),
    pytest.param("point", "point_cloud", lambda x: x, id="point"),
    pytest.param("rgbd", "depth", lambda x: x, id="depth"),
    pytest.param("rgbn", "normal", lambda x: x, id="normal"),
    pytest.param("fmri", "fmri", lambda x: x[:, 0], id="fmri"),
    pytest.param("imu", "imu", lambda x: x, id="imu"),
]


@pytest.fixture(scope="module")
def onellm(shared_golden, tmp_path_factory):
    """The recording was made with an open_clip that attends over the batch (see `model.trunk`)."""
    out = tmp_path_factory.mktemp("onellm") / "out"
    return converted("onellm", shared_golden / "onellm_tiny", out, encoder={"attention": "batch"})


@pytest.mark.parametrize(("theirs", "modality", "prepared"), ONELLM)
def test_onellm(shared_golden, onellm, theirs, modality, prepared):
    folder = shared_golden / "onellm_tiny"
    inputs, outputs = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    field = onellm.field_encoder(prepared(inputs[theirs].float()).contiguous(), modality)
    tokens = onellm.projection(field.all_tokens, modality)
    torch.testing.assert_close(tokens[:, 1:-1], outputs[f"{theirs}.tokens"], **CLOSE)
    words = onellm.get_input_embeddings()(outputs["tokens"])
    joined = torch.cat([words[:, :1], tokens, words[:, 1:]], 1)
    logits = onellm.language_model(inputs_embeds=joined).logits[:, tokens.shape[1] :]
    torch.testing.assert_close(logits, outputs[f"{theirs}.logits"], **CLOSE)


def test_ferret_sees_the_same(shared_golden, tmp_path):
    folder = shared_golden / "ferret_tiny"
    network, outputs = converted("ferret", folder, tmp_path / "out"), load_file(folder / "model_outputs.safetensors")
    field = network.field_encoder(pixels(folder / "clip_input.png"), "image")
    torch.testing.assert_close(field.tokens, outputs["vision_features"], **CLOSE)
    projected = network.projection(field.tokens, "image")[:, ::4]
    torch.testing.assert_close(projected, outputs["projected_features_every4"], **CLOSE)


def test_lisa_sees_the_same_and_masks_the_same(shared_golden, tmp_path):
    folder = shared_golden / "lisa_tiny"
    network, outputs = converted("lisa", folder, tmp_path / "out"), load_file(folder / "outputs.safetensors")
    field = network.field_encoder(pixels(folder / "clip_inputA.png"), "image")
    torch.testing.assert_close(field.tokens, outputs["clip.A.features"], **CLOSE)
    channel, row, column = (torch.arange(n, dtype=torch.float64) for n in (256, 64, 64))
    channel, row = channel.view(-1, 1, 1), row.view(1, -1, 1)
    waves = torch.cos(0.053 * column * (1 + channel % 7) - 0.2 * channel)
    embeddings = (torch.sin(0.37 * channel + 0.11 * row * (1 + channel % 5)) * waves).float()
    number = torch.arange(3 * 256, dtype=torch.float64).view(3, 1, 256)
    prompts = torch.sin(0.7123 * number + 0.1).float()
    logits, scores = network.sam_pointing.decode(prompts, (embeddings.expand(3, -1, -1, -1),))
    low = logits.view(3, 1, 256, 256)[..., ::4, ::4]
    torch.testing.assert_close(low, outputs["samunit.low_res_every4"], **CLOSE)
    torch.testing.assert_close(scores[:, None], outputs["samunit.iou"], **CLOSE)


@pytest.mark.parametrize(
    ("preset", "prefix"),
    [pytest.param("pointmlp", "full", id="full"), pytest.param("pointmlp-elite", "elite", id="elite")],
)
def test_pointmlp(shared_golden, tmp_path, preset, prefix):
    folder = shared_golden / "pointmlp_tiny"
    network = load_classifier(convert("pointmlp", folder, tmp_path / "out", ConversionOptions(preset=preset))).network
    data = load_file(folder / "data.safetensors")
    scores = network(data[f"{prefix}.points"].transpose(1, 2))
    torch.testing.assert_close(scores, data[f"{prefix}.logits"], **CLOSE)
