"""The universal encoder: the layers of several vision models, shared by all modalities; positions per modality."""

import pytest
import torch
from transformers import AutoConfig

from deixis.model.encoder.universal_encoder import UniversalEncoder, vision_layers
from deixis.model.tokenizers.stems import Tokens
from tests.toy import VISION

AXES = {"image": 2, "audio": 1, "point_cloud": 3}


def encoder(model_type="clip_vision_model"):
    torch.manual_seed(0)
    return UniversalEncoder(vision_layers(AutoConfig.for_model(model_type, **VISION)), 32, AXES).eval()


def tokens_of(kind, count=7):
    torch.manual_seed(1)
    values, places = torch.randn(2, count, 32), torch.rand(2, count, AXES[kind])
    return Tokens(values, places, None, values, places, None)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in AXES])
@pytest.mark.parametrize("model_type", ["clip_vision_model", "siglip_vision_model"])
def test_tokens_keep_their_order_and_their_places_matter(model_type, kind):
    network, tokens = encoder(model_type), tokens_of(kind)
    order = torch.randperm(7)
    moved = Tokens(tokens.tokens[:, order], tokens.positions[:, order], None, tokens.early, tokens.positions, None)
    with torch.no_grad():
        out = network(tokens, kind)
        torch.testing.assert_close(network(moved, kind), out[:, order])
        elsewhere = Tokens(tokens.tokens, tokens.positions.flip(1), None, tokens.early, tokens.positions, None)
        assert (network(elsewhere, kind) - out).abs().max() > 1e-3
    assert out.shape == (2, 7, 32)


def test_layers_are_shared_and_positions_are_not():
    names = [name for name, _ in encoder().named_parameters()]
    assert sum(name.startswith("layers.layers.0.self_attn.q_proj") for name in names) == 2
    assert {name.split(".")[1] for name in names if name.startswith("position.")} == set(AXES)


def test_an_unknown_vision_model_is_refused():
    with pytest.raises(ValueError, match=r"vision_config.model_type: expected one of clip_vision_model, .*got 'llama'"):
        vision_layers(AutoConfig.for_model("llama"))
