"""The trunk is transformers' own vision model, layer for layer; other signals join it behind its patches."""

import pytest
import torch
from transformers import AutoConfig, AutoModel

from deixis.model.encoder.universal_encoder import TRUNKS, build_trunk
from deixis.model.tokenizers.stems import Tokens

SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 12, "patch_size": 4}
TYPES = [pytest.param(name, id=name) for name in TRUNKS]


def trunk(model_type, **options):
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **SIZES)
    return build_trunk(config, **options).eval()


def pixels(count=2):
    return torch.randn(count, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("model_type", TYPES)
def test_the_last_layer_is_that_of_transformers(model_type):
    encoder = trunk(model_type)
    with torch.no_grad():
        states, lead = encoder.look(pixels())
        theirs = encoder.trunk(pixel_values=pixels(), output_hidden_states=True)
        expected = theirs.last_hidden_state
        if model_type == "clip_vision_model":  # whose final norm transformers gives to the pooled token alone
            expected = encoder.trunk.post_layernorm(expected)
    ours = states if lead is None else torch.cat([lead, states], 1)
    torch.testing.assert_close(ours, expected)
    assert states.shape == (2, 9, 16)


@pytest.mark.parametrize("model_type", TYPES)
def test_an_earlier_layer_without_the_norm(model_type):
    encoder = trunk(model_type, layer=-2, norm=False)
    with torch.no_grad():
        states, lead = encoder.look(pixels())
        theirs = encoder.trunk(pixel_values=pixels(), output_hidden_states=True).hidden_states[-2]
    torch.testing.assert_close(states if lead is None else torch.cat([lead, states], 1), theirs)


def test_other_signals_have_positions_of_their_own():
    encoder = trunk("clip_vision_model", learned={"imu": 5}, fourier={"audio": 1})
    tokens = Tokens(torch.randn(2, 5, 16), torch.rand(2, 5, 1), None)
    assert encoder.positions["imu"].shape == (6, 16)  # the class token has a row too
    for kind in ("imu", "audio"):
        states, lead = encoder(tokens, kind)
        assert (states.shape, lead.shape) == ((2, 5, 16), (2, 1, 16))
    with torch.no_grad():
        before = encoder(tokens, "imu")[0]
        encoder.positions["imu"][3] += torch.linspace(-3, 3, 16)
        moved = (encoder(tokens, "imu")[0] - before).abs().sum(-1)
    assert moved.argmax(1).tolist() == [2, 2]  # row 3 is token 2


def test_attention_over_the_batch_mixes_signals_and_not_tokens():
    values = pixels()
    other = torch.cat([values[:1], pixels(3)[2:]])
    with torch.no_grad():
        alone, mixed = (trunk("clip_vision_model", attention=axis) for axis in ("tokens", "batch"))
        torch.testing.assert_close(alone.look(values)[0][0], alone.look(other)[0][0])
        assert not torch.allclose(mixed.look(values)[0][0], mixed.look(other)[0][0], atol=1e-3)
        moved = values.clone()
        moved[:, :, :4, :4] += 1.0  # the first patch alone
        touched = (mixed.look(moved)[0] - mixed.look(values)[0]).abs().amax((0, 2)) > 1e-4
    assert touched.tolist() == [True] + [False] * 8


def test_a_model_without_known_parts_is_refused():
    with pytest.raises(ValueError, match=r"vision_config.model_type: expected one of clip_vision_model, .*got 'vit'"):
        build_trunk(AutoConfig.for_model("vit"))


def test_weights_load_by_transformers_own_names(tmp_path):
    config = AutoConfig.for_model("clip_vision_model", **SIZES)
    model = AutoModel.from_config(config)
    encoder = build_trunk(config)
    encoder.trunk.load_state_dict(model.state_dict())
    assert set(encoder.state_dict()) == {f"trunk.{name}" for name in model.state_dict()}
