"""Toy checkpoints in the layouts in which OneLLM, Ferret, LISA and PointMLP were published, with random weights.

Names and shapes are written out from the published modules, not made by the rules under test.
"""

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

State = dict[str, Tensor]
VOCABULARY, DIM, LAYERS, INNER = 320, 16, 2, 24
CLIP_DIM, CLIP_LAYERS = 8, 2
TEXTS = (
    "A chat between a curious human and an artificial intelligence assistant.",
    "USER: What is the object [62, 62, 622, 745] next to? ASSISTANT: It is the red mug.",
    "the quick brown fox jumps over the lazy dog, 0123456789 times; and then again!",
)
LLAMA_CONFIG = {
    "hidden_size": DIM,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


@cache
def sentencepiece_model(size: int = VOCABULARY) -> bytes:
    """A sentencepiece model like LLaMA's."""
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 4),
        model_writer=written,
        vocab_size=size,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    return written.getvalue()


def write_tokenizer(folder: Path, added: tuple[str, ...], size: int = VOCABULARY) -> None:
    """tokenizer.model, and added_tokens.json with the tokens behind its pieces."""
    (folder / "tokenizer.model").write_bytes(sentencepiece_model(size))
    ids = {token: size + number for number, token in enumerate(added)}
    (folder / "added_tokens.json").write_text(json.dumps(ids))


def random_state(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> State:
    """A tensor of each shape; the language model's last norm is about 1, as in trained weights."""
    generator = torch.Generator().manual_seed(seed)
    state = {name: torch.randn(shape, generator=generator) * 0.1 for name, shape in shapes.items()}
    return {name: tensor + 1 if name == "model.norm.weight" else tensor for name, tensor in state.items()}


def llama_shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """LLaMA in transformers' layout, with the buffers that transformers 4.31 saved too."""
    shapes = {"model.embed_tokens.weight": (vocabulary, DIM), "model.norm.weight": (DIM,)}
    shapes["lm_head.weight"] = (vocabulary, DIM)
    for n in range(LAYERS):
        layer = f"model.layers.{n}."
        shapes |= {f"{layer}self_attn.{letter}_proj.weight": (DIM, DIM) for letter in "qkvo"}
        shapes |= {f"{layer}mlp.{name}_proj.weight": (INNER, DIM) for name in ("gate", "up")}
        shapes |= {f"{layer}mlp.down_proj.weight": (DIM, INNER), f"{layer}self_attn.rotary_emb.inv_freq": (4,)}
        shapes |= {f"{layer}{name}_layernorm.weight": (DIM,) for name in ("input", "post_attention")}
    return shapes


def clip_shapes(patches: int, prefix: str = "vision_model.") -> dict[str, tuple[int, ...]]:
    """CLIP's vision model in transformers' layout."""
    shapes = {
        "embeddings.class_embedding": (CLIP_DIM,),
        "embeddings.patch_embedding.weight": (CLIP_DIM, 3, 4, 4),
        "embeddings.position_embedding.weight": (patches + 1, CLIP_DIM),
    }
    pairs = {"pre_layrnorm": (CLIP_DIM,), "post_layernorm": (CLIP_DIM,)}
    for n in range(CLIP_LAYERS):
        layer = f"encoder.layers.{n}."
        pairs |= {f"{layer}self_attn.{name}_proj": (CLIP_DIM, CLIP_DIM) for name in ("q", "k", "v", "out")}
        pairs |= {f"{layer}mlp.fc1": (2 * CLIP_DIM, CLIP_DIM), f"{layer}mlp.fc2": (CLIP_DIM, 2 * CLIP_DIM)}
        pairs |= {f"{layer}layer_norm{k}": (CLIP_DIM,) for k in (1, 2)}
    return {f"{prefix}{name}": shape for name, shape in {**shapes, **_with_bias(pairs)}.items()}


def _with_bias(pairs: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    weights = {f"{name}.weight": shape for name, shape in pairs.items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in pairs.items()}


def sam_shapes(prefix: str = "model.visual_model.") -> dict[str, tuple[int, ...]]:
    """SAM in its official layout: two blocks, the second global."""
    dim, out, side = 8, 16, 4
    shapes: dict[str, tuple[int, ...]] = {"image_encoder.pos_embed": (1, side, side, dim)}
    pairs: dict[str, tuple[int, ...]] = {"image_encoder.patch_embed.proj": (dim, 3, 16, 16)}
    for n, reach in enumerate((2, side)):
        block = f"image_encoder.blocks.{n}."
        pairs |= {f"{block}norm{k}": (dim,) for k in (1, 2)}
        pairs |= {f"{block}attn.qkv": (3 * dim, dim), f"{block}attn.proj": (dim, dim)}
        pairs |= {f"{block}mlp.lin1": (3 * dim, dim), f"{block}mlp.lin2": (dim, 3 * dim)}
        shapes |= {f"{block}attn.rel_pos_{axis}": (2 * reach - 1, dim // 2) for axis in "hw"}
    shapes |= {"image_encoder.neck.0.weight": (out, dim, 1, 1), "image_encoder.neck.2.weight": (out, out, 3, 3)}
    pairs |= {f"image_encoder.neck.{n}": (out,) for n in (1, 3)}
    prompt = "prompt_encoder."
    shapes |= {f"{prompt}pe_layer.positional_encoding_gaussian_matrix": (2, out // 2)}
    shapes |= {f"{prompt}point_embeddings.{n}.weight": (1, out) for n in range(4)}
    shapes |= {f"{prompt}{name}_embed.weight": (1, out) for name in ("not_a_point", "no_mask")}
    mask = f"{prompt}mask_downscaling."
    pairs |= {f"{mask}0": (4, 1, 2, 2), f"{mask}1": (4,), f"{mask}3": (16, 4, 2, 2), f"{mask}4": (16,)}
    pairs |= {f"{mask}6": (out, 16, 1, 1), **_sam_decoder_pairs(out)}
    shapes |= {"mask_decoder.iou_token.weight": (1, out), "mask_decoder.mask_tokens.weight": (4, out)}
    return {f"{prefix}{name}": shape for name, shape in {**shapes, **_with_bias(pairs)}.items()}


def _sam_decoder_pairs(out: int) -> dict[str, tuple[int, ...]]:
    pairs: dict[str, tuple[int, ...]] = {}

    def attention(name: str, inner: int) -> None:
        pairs.update({f"{name}.{letter}_proj": (inner, out) for letter in "qkv"})
        pairs[f"{name}.out_proj"] = (out, inner)

    for n in range(2):
        layer = f"mask_decoder.transformer.layers.{n}."
        attention(f"{layer}self_attn", out)
        attention(f"{layer}cross_attn_token_to_image", out // 2)
        attention(f"{layer}cross_attn_image_to_token", out // 2)
        pairs |= {f"{layer}norm{k}": (out,) for k in range(1, 5)}
        pairs |= {f"{layer}mlp.lin1": (24, out), f"{layer}mlp.lin2": (out, 24)}
    attention("mask_decoder.transformer.final_attn_token_to_image", out // 2)
    pairs["mask_decoder.transformer.norm_final_attn"] = (out,)
    up = "mask_decoder.output_upscaling."
    pairs |= {f"{up}0": (out, out // 4, 2, 2), f"{up}1": (out // 4,), f"{up}3": (out // 4, out // 8, 2, 2)}
    for head, last in [(f"output_hypernetworks_mlps.{n}", out // 8) for n in range(4)] + [("iou_prediction_head", 4)]:
        inner = 256 if head.startswith("iou") else out
        layers = f"mask_decoder.{head}.layers."
        pairs |= {f"{layers}0": (inner, out), f"{layers}1": (inner, inner), f"{layers}2": (last, inner)}
    return pairs


def lisa_state(mlp: bool = False) -> State:
    """LISA's checkpoint; `mlp`: with LLaVA 1.5's projection."""
    shapes = {**llama_shapes(VOCABULARY + 3), **sam_shapes()}
    maps = {"model.mm_projector": (DIM, CLIP_DIM)}
    if mlp:
        maps = {"model.mm_projector.0": (DIM, CLIP_DIM), "model.mm_projector.2": (DIM, DIM)}
    maps |= {"model.text_hidden_fcs.0.0": (DIM, DIM), "model.text_hidden_fcs.0.2": (16, DIM)}
    state = random_state({**shapes, **_with_bias(maps)})
    for name in ("mask_decoder.output_upscaling.0.bias", "mask_decoder.output_upscaling.3.bias"):
        full = f"model.visual_model.{name}"
        state[full] = state[full][: state[full.replace("bias", "weight")].shape[1]].clone()
    return state


def ferret_state(vocabulary: int = VOCABULARY + 1, seed: int = 0) -> State:
    """Ferret's checkpoint."""
    sampler, wide = "model.region_geo_sampler.", CLIP_DIM + 2
    pairs: dict[str, tuple[int, ...]] = {"model.mm_projector": (DIM, CLIP_DIM)}
    for n in range(2):
        pairs[f"{sampler}diff_projector_list.{n}"] = (wide, wide)
        pairs[f"{sampler}agg_projector_list.{n}.net.0"] = (CLIP_DIM, 2 * wide, 1)
        pairs[f"{sampler}agg_projector_list.{n}.norm"] = (CLIP_DIM,)
    pairs |= {f"{sampler}flatten_projector": (CLIP_DIM, 32 * CLIP_DIM), f"{sampler}dim_projector": (DIM, CLIP_DIM)}
    return random_state({**llama_shapes(vocabulary), **_with_bias(pairs)}, seed)


def onellm_state() -> State:
    """OneLLM's checkpoint with image, audio, point cloud, IMU and fMRI."""
    dim, width = DIM, 16
    shapes: dict[str, tuple[int, ...]] = {"tok_embeddings.weight": (VOCABULARY, dim), "norm.weight": (dim,)}
    shapes["output.weight"] = (VOCABULARY, dim)

    def block(name: str, size: int, inner: int) -> None:
        shapes.update({f"{name}attention.w{letter}.weight": (size, size) for letter in "qkvo"})
        shapes.update({f"{name}feed_forward.w{n}.weight": (inner, size) for n in (1, 3)})
        shapes[f"{name}feed_forward.w2.weight"] = (size, inner)
        shapes.update({f"{name}{norm}_norm.weight": (size,) for norm in ("attention", "ffn")})

    for n in range(LAYERS):
        block(f"layers.{n}.", dim, 64)
    for expert in range(2):
        block(f"resample_layers.{expert}.0.", width, 64)
    clip = "clip.visual."
    shapes |= {f"{clip}class_embedding": (width,), f"{clip}positional_embedding": (17, width)}
    shapes |= {f"{clip}conv1.weight": (width, 3, 4, 4), f"{clip}proj": (width, 8), "clip.logit_scale": ()}
    shapes |= {
        "clip.token_embedding.weight": (9, 8),
        "clip.positional_embedding": (7, 8),
        "clip.text_projection": (8, 8),
    }
    pairs = {f"{clip}ln_pre": (width,), f"{clip}ln_post": (width,), "clip.ln_final": (8,)}
    resblock = f"{clip}transformer.resblocks.0."
    shapes |= {f"{resblock}attn.in_proj_weight": (3 * width, width), f"{resblock}attn.in_proj_bias": (3 * width,)}
    pairs |= {f"{resblock}attn.out_proj": (width, width), f"{resblock}ln_1": (width,), f"{resblock}ln_2": (width,)}
    pairs |= {f"{resblock}mlp.c_fc": (32, width), f"{resblock}mlp.c_proj": (width, 32)}
    pairs |= {"conv1.audio": (width, 1, 16, 16), "conv1.point.conv1": (width, 6, 1, 1), "conv1.fmri": (2 * width, 12)}
    shapes |= {"conv1.imu.weight": (width, 6, 10)}
    for modality, rows in {"audio": 1213, "point": 9, "fmri": 3, "imu": 392}.items():
        shapes[f"positional_embedding.{modality}"] = (rows, width)
    for modality in ("image", "audio", "point", "fmri", "imu"):
        shapes[f"resample_tokens.{modality}"] = (1, 3, width)
        shapes |= {f"{end}_tag.{modality}": (1, 1, dim) for end in ("start", "end")}
        pairs |= {f"clip_proj1.{modality}.0": (width, width), f"clip_proj1.{modality}.1": (width,)}
        pairs |= {f"clip_proj2.{modality}.0": (dim, width), f"clip_proj2.{modality}.1": (dim,)}
        pairs |= {f"routers.{modality}.fc1": (4 * width, width), f"routers.{modality}.fc2": (2, 4 * width)}
    return random_state({f"llma.{name}": shape for name, shape in {**shapes, **_with_bias(pairs)}.items()})


ONELLM_CONFIG: dict[str, Any] = {
    "encoder": {"heads": 2, "activation": "quick_gelu", "norm_eps": 1e-5},
    "llm": {"heads": 2, "norm_eps": 1e-5, "rope_theta": 10000.0},
    "projection": {"heads": 16, "ffn_multiple_of": 32, "norm_eps": 1e-5},
}


def write_clip(folder: Path, patches: int = 16) -> None:
    """A folder with CLIP's vision model."""
    folder.mkdir()
    save_file(random_state(clip_shapes(patches)), folder / "model.safetensors")
    config = {"num_attention_heads": 2, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
    (folder / "config.json").write_text(json.dumps(config))


def write_lisa(folder: Path, mlp: bool = False) -> Path:
    """A folder as LISA's releases, with `clip/` beside the weights."""
    folder.mkdir(exist_ok=True)
    save_file(lisa_state(mlp), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**LLAMA_CONFIG, "mm_use_im_start_end": True}))
    write_tokenizer(folder, ("[SEG]", "<im_start>", "<im_end>"))
    write_clip(folder / "clip")
    return folder


def write_ferret(folder: Path, state: State | None = None) -> Path:
    """A folder as Ferret's releases, with `vision_tower/` beside the weights."""
    folder.mkdir(exist_ok=True)
    save_file(state or ferret_state(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**LLAMA_CONFIG, "sampler_pooler_mode": "mean"}))
    write_tokenizer(folder, ("<region_fea>",))
    write_clip(folder / "vision_tower")
    return folder


def write_onellm(folder: Path) -> Path:
    """A folder as OneLLM's release, with the sizes in a config.json and a tokenizer."""
    folder.mkdir(exist_ok=True)
    torch.save(onellm_state(), folder / "consolidated.00-of-01.pth")
    (folder / "config.json").write_text(json.dumps(ONELLM_CONFIG))
    write_tokenizer(folder, ())
    return folder


def pointmlp_state() -> State:
    """A small PointMLP's weights, by the published names (which the network of ours has)."""
    from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig

    torch.manual_seed(0)
    return PointMLP(PointMLPConfig.of(POINTMLP_CONFIG)).state_dict()


POINTMLP_CONFIG: dict[str, Any] = {
    "points": 32,
    "class_num": 5,
    "embed_dim": 4,
    "dim_expansion": [2, 2],
    "pre_blocks": [1, 2],
    "pos_blocks": [1, 1],
    "k_neighbors": [4, 4],
    "reducers": [2, 2],
}


def write_pointmlp(folder: Path) -> Path:
    """A folder with a training script's checkpoint: weights under `net`, DataParallel's `module.` before the names."""
    folder.mkdir(exist_ok=True)
    net = {f"module.{name}": tensor for name, tensor in pointmlp_state().items()}
    torch.save({"net": net, "epoch": 3, "acc": 91.5, "optimizer": {"state": {}}}, folder / "best_checkpoint.pth")
    (folder / "config.json").write_text(json.dumps(POINTMLP_CONFIG))
    return folder


WRITERS = {"onellm": write_onellm, "ferret": write_ferret, "lisa": write_lisa, "pointmlp": write_pointmlp}
