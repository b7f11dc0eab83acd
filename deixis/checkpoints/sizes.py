"""Sizes of the networks that the published systems are made of, as data.

LLaMA: Touvron et al., 2023, table 2, and the `config.json` of its conversions; CLIP: `openai/clip-vit-large-patch14`;
SAM: facebookresearch/segment-anything@dca509f, build_sam.py, `build_sam_vit_h`.
"""

from typing import Any

LLAMA: dict[str, dict[str, Any]] = {
    name: {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "vocab_size": 32000,
        "max_position_embeddings": 2048,
        "rms_norm_eps": eps,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
    }
    for name, hidden, inner, layers, heads, eps in (
        ("7b", 4096, 11008, 32, 32, 1e-6),
        ("7b-2", 4096, 11008, 32, 32, 1e-5),  # LLaMA 2
        ("13b", 5120, 13824, 40, 40, 1e-6),
        ("13b-2", 5120, 13824, 40, 40, 1e-5),
    )
}
CLIP_LARGE: dict[str, Any] = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "projection_dim": 768,
}
CLIP_LARGE_336: dict[str, Any] = {**CLIP_LARGE, "image_size": 336}
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
AST_MEAN, AST_STD = -4.2677393, 4.5689974
"""Of a filterbank: (x - mean) / (2 * std) (Gong et al., Interspeech 2021; OneLLM, data/data_utils.py)."""
SAM_HUGE: dict[str, Any] = {
    "model_type": "sam",
    "vision_config": {
        "hidden_size": 1280,
        "output_channels": 256,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "image_size": 1024,
        "patch_size": 16,
        "window_size": 14,
        "global_attn_indexes": [7, 15, 23, 31],
        "num_pos_feats": 128,
        "mlp_dim": 5120,
    },
    "prompt_encoder_config": {"hidden_size": 256, "image_size": 1024, "patch_size": 16, "mask_input_channels": 16},
    "mask_decoder_config": {"hidden_size": 256, "mlp_dim": 2048, "num_attention_heads": 8, "num_hidden_layers": 2},
}
