"""Experts: Llama's block without rotary positions or causal mask, and the last block for the first rows alone."""

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from deixis.model.encoder.projection import LlamaExpert, VisionExpert, llama_hidden_size


@pytest.mark.parametrize(
    ("dim", "multiple_of", "hidden"),
    [pytest.param(1024, 256, 2816), pytest.param(64, 32, 192), pytest.param(96, 1, 256)],
)
def test_the_width_of_the_feed_forward_layers(dim, multiple_of, hidden):
    assert llama_hidden_size(dim, multiple_of) == hidden


def test_a_block_is_llamas_without_positions():
    torch.manual_seed(0)
    expert = LlamaExpert(32, depth=1, heads=4, multiple_of=32, eps=1e-5).eval()
    config = LlamaConfig(
        hidden_size=32, num_attention_heads=4, intermediate_size=llama_hidden_size(32, 32), rms_norm_eps=1e-5
    )
    config._attn_implementation = "eager"
    theirs = LlamaDecoderLayer(config, 0).eval()
    block = expert.layers[0]
    names = {"self_attn": ("q_proj", "k_proj", "v_proj", "o_proj"), "mlp": ("gate_proj", "up_proj", "down_proj")}
    with torch.no_grad():
        for part, layers in names.items():
            for name in layers:
                getattr(getattr(theirs, part), name).weight.copy_(getattr(block, name).weight)
        tokens = torch.randn(2, 7, 32)
        still = torch.ones(2, 7, 8), torch.zeros(2, 7, 8)  # no rotation
        everyone = torch.zeros(2, 1, 7, 7)
        expected = theirs(tokens, attention_mask=everyone, position_embeddings=still)
        torch.testing.assert_close(expert(tokens), expected, atol=1e-5, rtol=1e-4)


def test_the_first_rows_alone_are_the_first_of_all():
    torch.manual_seed(0)
    expert, tokens = LlamaExpert(32, depth=3, heads=4, multiple_of=32, eps=1e-5), torch.randn(2, 9, 32)
    torch.testing.assert_close(expert(tokens, 4), expert(tokens)[:, :4])


def test_layers_of_the_encoders_own_type():
    from transformers import CLIPVisionConfig

    from deixis.model.encoder.universal_encoder import vision_layers

    torch.manual_seed(0)
    config = CLIPVisionConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    layers, tokens = vision_layers(config), torch.randn(2, 5, 16)
    expert = VisionExpert(layers)
    torch.testing.assert_close(expert(tokens), layers(inputs_embeds=tokens).last_hidden_state)
    torch.testing.assert_close(expert(tokens, 2), expert(tokens)[:, :2])
