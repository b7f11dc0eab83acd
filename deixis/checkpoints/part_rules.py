"""Names of the parts that the published systems share, as rules: LLaMA, CLIP's vision model, SAM.

* LLaMA in transformers' layout keeps its names; Meta's has its own and another rotary order (`rules.rotary`).
* CLIP comes in transformers' layout (`openai/clip-vit-large-patch14`, whose text model is left out) or open_clip's
  (mlfoundations/open_clip, src/open_clip/transformer.py), which fuses query, key and value.
* SAM's official names (facebookresearch/segment-anything@dca509f, segment_anything/modeling) become those of
  transformers' `SamModel`; query, key and value of its image encoder stay fused in both.
"""

from collections.abc import Iterable, Mapping

from deixis.checkpoints.rules import Rule, leave, rotary, take, thirds

TRUNK = "field_encoder.encoder.trunk."
LANGUAGE = "language_model."
SAM = "sam_pointing.sam."
RECOMPUTED = "a buffer that is computed again when the network is built"


def llama_rules(prefix: str = "") -> list[Rule]:
    """LLaMA in transformers' layout; `prefix` (a pattern) stands before its names."""
    part = r"(?:self_attn\.[qkvo]_proj|mlp\.(?:gate|up|down)_proj|input_layernorm|post_attention_layernorm)\.weight"
    return [
        take(rf"{prefix}(model\.(?:embed_tokens|norm)\.weight|lm_head\.weight)", LANGUAGE + r"\1"),
        take(rf"{prefix}(model\.layers\.\d+\.{part})", LANGUAGE + r"\1"),
        leave(rf"{prefix}model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq", RECOMPUTED),
    ]


def meta_llama_rules(heads: int, prefix: str = "") -> list[Rule]:
    """LLaMA in Meta's layout (facebookresearch/llama, llama/model.py), for a model of so many attention heads."""
    layer, ours = rf"{prefix}layers\.(\d+)\.", LANGUAGE + r"model.layers.\1."
    return [
        take(rf"{prefix}tok_embeddings\.weight", f"{LANGUAGE}model.embed_tokens.weight"),
        take(rf"{prefix}norm\.weight", f"{LANGUAGE}model.norm.weight"),
        take(rf"{prefix}output\.weight", f"{LANGUAGE}lm_head.weight"),
        take(layer + r"attention\.w([qk])\.weight", ours + r"self_attn.\2_proj.weight", rotary(heads)),
        take(layer + r"attention\.w([vo])\.weight", ours + r"self_attn.\2_proj.weight"),
        *_swiglu(layer, ours + "mlp."),
        take(layer + r"attention_norm\.weight", ours + "input_layernorm.weight"),
        take(layer + r"ffn_norm\.weight", ours + "post_attention_layernorm.weight"),
        leave(rf"{prefix}rope\.freqs", RECOMPUTED),
    ]


def meta_expert_rules(layer: str, ours: str) -> list[Rule]:
    """A Meta LLaMA block without rotary positions, so in its own order; `layer` and `ours` are (pattern, name)."""
    return [
        take(layer + r"attention\.w([qkvo])\.weight", ours + r"\3_proj.weight"),
        *_swiglu(layer, ours),
        take(layer + r"(attention_norm|ffn_norm)\.weight", ours + r"\3.weight"),
    ]


def _swiglu(layer: str, ours: str) -> list[Rule]:
    names = {1: "gate_proj", 2: "down_proj", 3: "up_proj"}
    return [take(layer + rf"feed_forward\.w{n}\.weight", f"{ours}{name}.weight") for n, name in names.items()]


def clip_rules(prefix: str = "") -> list[Rule]:
    """CLIP's vision model in transformers' layout, with or without `vision_model.` before its names."""
    before = rf"{prefix}(?:vision_model\.)?"
    part = r"(?:self_attn\.(?:q|k|v|out)_proj|layer_norm[12]|mlp\.fc[12])\.(?:weight|bias)"
    return [
        take(before + r"(embeddings\.class_embedding)", TRUNK + r"\1"),
        take(before + r"(embeddings\.(?:patch|position)_embedding\.weight)", TRUNK + r"\1"),
        take(before + r"((?:pre_layrnorm|post_layernorm)\.(?:weight|bias))", TRUNK + r"\1"),
        take(before + rf"(encoder\.layers\.\d+\.{part})", TRUNK + r"\1"),
        leave(before + r"embeddings\.position_ids", RECOMPUTED),
        leave(rf"{prefix}(?:text_model\..*|text_projection\.weight|logit_scale)", "CLIP's text model is not used"),
        leave(rf"{prefix}visual_projection\.weight", "CLIP's projection to its text is not used"),
    ]


def open_clip_rules(prefix: str) -> list[Rule]:
    """The vision model of an open_clip CLIP; its text model is left out."""
    block, ours = rf"{prefix}visual\.transformer\.resblocks\.(\d+)\.", TRUNK + r"encoder.layers.\1."
    projections = [ours + f"self_attn.{letter}_proj" for letter in "qkv"]
    unused = r"(?:token_embedding\.weight|positional_embedding|ln_final\.(?:weight|bias)|text_projection|logit_scale)"
    return [
        take(rf"{prefix}visual\.class_embedding", TRUNK + "embeddings.class_embedding"),
        take(rf"{prefix}visual\.positional_embedding", TRUNK + "embeddings.position_embedding.weight"),
        take(rf"{prefix}visual\.conv1\.weight", TRUNK + "embeddings.patch_embedding.weight"),
        take(rf"{prefix}visual\.ln_pre\.(weight|bias)", TRUNK + r"pre_layrnorm.\1"),
        take(rf"{prefix}visual\.ln_post\.(weight|bias)", TRUNK + r"post_layernorm.\1"),
        thirds(block + r"attn\.in_proj_weight", *(f"{name}.weight" for name in projections)),
        thirds(block + r"attn\.in_proj_bias", *(f"{name}.bias" for name in projections)),
        take(block + r"attn\.out_proj\.(weight|bias)", ours + r"self_attn.out_proj.\2"),
        take(block + r"ln_([12])\.(weight|bias)", ours + r"layer_norm\2.\3"),
        take(block + r"mlp\.c_fc\.(weight|bias)", ours + r"mlp.fc1.\2"),
        take(block + r"mlp\.c_proj\.(weight|bias)", ours + r"mlp.fc2.\2"),
        leave(rf"{prefix}(?:{unused}|transformer\..*|attn_mask)", "open_clip's text model is not used"),
        leave(rf"{prefix}visual\.proj", "open_clip's projection to its text is not used"),
    ]


def sam_rules(prefix: str = "") -> list[Rule]:
    """SAM in its official layout."""
    places = ("shared_image_embedding", "prompt_encoder.shared_embedding")  # one tensor, tied in transformers
    gaussian = tuple((f"{SAM}{place}.positional_embedding", None) for place in places)
    return [
        *_sam_image_rules(rf"{prefix}image_encoder\."),
        Rule(rf"{prefix}prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix", gaussian),
        take(rf"{prefix}prompt_encoder\.point_embeddings\.(\d)\.weight", SAM + r"prompt_encoder.point_embed.\1.weight"),
        take(rf"{prefix}(prompt_encoder\.(?:not_a_point|no_mask)_embed\.weight)", SAM + r"\1"),
        *_numbered(
            rf"{prefix}prompt_encoder\.mask_downscaling",
            SAM + "prompt_encoder.mask_embed.",
            {0: "conv1", 1: "layer_norm1", 3: "conv2", 4: "layer_norm2", 6: "conv3"},
        ),
        *_sam_decoder_rules(rf"{prefix}mask_decoder\.", SAM + "mask_decoder."),
        leave(rf"{prefix}pixel_(?:mean|std)", "mean and deviation of pixels are those of the processor"),
    ]


def _sam_image_rules(encoder: str) -> list[Rule]:
    block, ours = encoder + r"blocks\.(\d+)\.", SAM + r"vision_encoder.layers.\1."
    return [
        take(encoder + "pos_embed", SAM + "vision_encoder.pos_embed"),
        take(encoder + r"patch_embed\.proj\.(weight|bias)", SAM + r"vision_encoder.patch_embed.projection.\1"),
        take(block + r"norm([12])\.(weight|bias)", ours + r"layer_norm\2.\3"),
        take(block + r"((?:attn\.(?:qkv|proj)|mlp\.lin[12])\.(?:weight|bias)|attn\.rel_pos_[hw])", ours + r"\2"),
        *_numbered(
            encoder + "neck",
            SAM + "vision_encoder.neck.",
            {0: "conv1", 1: "layer_norm1", 2: "conv2", 3: "layer_norm2"},
        ),
    ]


def _sam_decoder_rules(decoder: str, ours: str) -> list[Rule]:
    attention = r"(?:self_attn|cross_attn_(?:token_to_image|image_to_token))\.(?:q|k|v|out)_proj\.(?:weight|bias)"
    rules = [
        take(decoder + rf"(transformer\.layers\.\d+\.(?:{attention}|mlp\.lin[12]\.(?:weight|bias)))", ours + r"\1"),
        take(
            decoder + r"(transformer\.layers\.\d+\.)norm([1-4])\.(weight|bias)",
            ours + r"\1layer_norm\2.\3",
        ),
        take(
            decoder + r"(transformer\.final_attn_token_to_image\.(?:q|k|v|out)_proj\.(?:weight|bias))",
            ours + r"\1",
        ),
        take(
            decoder + r"transformer\.norm_final_attn\.(weight|bias)",
            ours + r"transformer.layer_norm_final_attn.\1",
        ),
        take(decoder + r"((?:iou_token|mask_tokens)\.weight)", ours + r"\1"),
        *_numbered(
            decoder + "output_upscaling",
            ours,
            {0: "upscale_conv1", 1: "upscale_layer_norm", 3: "upscale_conv2"},
        ),
    ]
    maps = {0: "proj_in", 1: "layers.0", 2: "proj_out"}
    rules += _numbered(decoder + r"iou_prediction_head\.layers", ours + "iou_prediction_head.", maps)
    for number, name in maps.items():
        rules.append(
            take(
                decoder + rf"(output_hypernetworks_mlps\.\d+\.)layers\.{number}\.(weight|bias)",
                ours + rf"\1{name}.\2",
            )
        )
    return rules


def _numbered(pattern: str, ours: str, names: Mapping[int, str]) -> list[Rule]:
    """Layers of an nn.Sequential, which have numbers, to layers that have names."""
    return [take(rf"{pattern}\.{n}\.(weight|bias)", rf"{ours}{name}.\1") for n, name in names.items()]


def count_layers(names: Iterable[str], before: str) -> int:
    """How many numbered modules follow `before` in the names: one more than the highest number."""
    numbers = [name[len(before) :].split(".")[0] for name in names if name.startswith(before)]
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)
