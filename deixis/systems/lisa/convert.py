"""LISA (Lai et al., CVPR 2024): weights in transformers' layout, as dvlab-research/LISA@3cb2d43 saves them.

What the published code does in its own way stands at the step, here and in `preset.py`, and is a named option of ours.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from deixis.checkpoints.find import Files, find_place
from deixis.checkpoints.part_rules import count_layers, sam_rules
from deixis.checkpoints.rules import Part, Rule, take
from deixis.checkpoints.sizes import CLIP_LARGE, SAM_HUGE
from deixis.checkpoints.source import Shards, Tensors, open_source
from deixis.errors import CheckpointError
from deixis.systems.chat_style import chat_template
from deixis.systems.lisa.notation import NOTATION
from deixis.systems.lisa.preset import PUBLISHED, SIZES, TOWERS, config_of
from deixis.systems.lisa.template import STYLE, V0_STYLE
from deixis.systems.llava.convert import image_tags, llava_rules, text_config, vision_of, vocabulary_size
from deixis.systems.release import ConversionOptions, Found, published_config, source_tokenizer

SEG = NOTATION.seg_token
SAM_PREFIX = r"(?:model\.)?visual_model\."
V0_FILES = ("pytorch_model-visual_model.bin", "pytorch_model-text_hidden_fcs.bin")
"""SAM and the MLP of the v0 releases (commit 0e26916, chat.py:105-112)."""


def read(source: Tensors, options: ConversionOptions) -> Found:
    """Everything that a conversion needs. Raises CheckpointError for a missing part."""
    extra = _v0_parts(source)
    source_config = {**PUBLISHED, **published_config(source, options, SIZES)}
    meta = source.meta()
    vocab_size = vocabulary_size(source)
    tokenizer = source_tokenizer(source, options, (SEG, *image_tags(source_config)), vocab_size, ("image",))
    if tokenizer is None:
        raise CheckpointError(
            f"source '{source.label}': expected a tokenizer.model or tokenizer.json, which says which id {SEG} "
            "has, got none beside the weights; name it by --tokenizer"
        )
    # v0 releases were asked in Vicuna 1.1's words (commit 0e26916, utils/conversation.py), later ones in LLaVA's.
    tokenizer.chat_template = chat_template(V0_STYLE if extra else STYLE, bool(source_config["mm_use_im_start_end"]))
    parts = [Part(source, rules_for()), *extra]
    names = {name: tensor for part in parts for name, tensor in part.source.meta().items()}
    if options.sam is not None and not any("visual_model." in name for name in names):
        parts.append(Part(open_source(options.sam, "--sam"), sam_rules(), "SAM"))
        names |= {f"visual_model.{name}": tensor for name, tensor in parts[-1].source.meta().items()}
    # The published code takes `vision_tower` where both are given (model/LISA.py:138)
    named = {
        **source_config,
        "mm_vision_tower": source_config.get("vision_tower") or source_config.get("mm_vision_tower"),
    }
    # Releases hold no CLIP (merge_lora_weights_and_save_hf_model.py:140-144): it is `clip/` beside the weights, or the
    # hub's, whose size follows from the projection.
    published = TOWERS[bool(_depth(meta))]
    vision, tower = vision_of(source, options, named, CLIP_LARGE, ("clip", "vision_tower"), published)
    parts += tower
    text = text_config(source, source_config, vocab_size)
    seg_id = tokenizer.get_vocab()[SEG]
    config = config_of(text, vision, sam_config(names, source.label), source_config, seg_id, _depth(meta))
    return Found(config, parts, tokenizer)


def rules_for() -> list[Rule]:
    """What becomes of the checkpoint's tensors."""
    return [
        *llava_rules(),
        take(r"model\.mm_projector\.(\d+)\.(weight|bias)", r"projection.maps.\1.\2"),
        take(r"(?:model\.)?text_hidden_fcs\.0\.([02])\.(weight|bias)", r"sam_pointing.prompt.\1.\2"),
        *sam_rules(SAM_PREFIX),
    ]


def sam_config(meta: Mapping[str, Tensor], label: str) -> dict[str, Any]:
    """Fields of SamConfig, from the shapes of SAM's official tensors (`...visual_model.*`); heads of the decoder: 8.

    Raises CheckpointError where one that tells a size is missing.
    """
    shapes = {name.split("visual_model.")[1]: tuple(t.shape) for name, t in meta.items() if "visual_model." in name}
    try:
        _, rows, _, hidden = shapes["image_encoder.pos_embed"]
        patch = shapes["image_encoder.patch_embed.proj.weight"][-1]
        layers = count_layers(shapes, "image_encoder.blocks.")
        spans = [shapes[f"image_encoder.blocks.{number}.attn.rel_pos_h"] for number in range(layers)]
        everywhere = [number for number, (reach, _) in enumerate(spans) if reach == 2 * rows - 1]
        windows = {reach for reach, _ in spans} - {2 * rows - 1}
        out, mlp = shapes["image_encoder.neck.0.weight"][0], shapes["image_encoder.blocks.0.mlp.lin1.weight"][0]
        prompt = {"hidden_size": out, "image_size": rows * patch, "patch_size": patch}
        decoder = "mask_decoder.transformer.layers."
        return {
            "model_type": "sam",
            "vision_config": {
                "hidden_size": hidden,
                "output_channels": out,
                "num_hidden_layers": layers,
                "num_attention_heads": hidden // spans[0][1],
                "image_size": rows * patch,
                "patch_size": patch,
                "window_size": (max(windows, default=2 * SAM_HUGE["vision_config"]["window_size"] - 1) + 1) // 2,
                "global_attn_indexes": everywhere,
                "num_pos_feats": shapes["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"][1],
                "mlp_dim": mlp,
            },
            "prompt_encoder_config": {
                **prompt,
                "mask_input_channels": shapes["prompt_encoder.mask_downscaling.3.weight"][0],
            },
            "mask_decoder_config": {
                "hidden_size": out,
                "mlp_dim": shapes[f"{decoder}0.mlp.lin1.weight"][0],
                "num_attention_heads": SAM_HUGE["mask_decoder_config"]["num_attention_heads"],
                "num_hidden_layers": count_layers(shapes, decoder),
            },
        }
    except KeyError as error:
        raise CheckpointError(
            f"source '{label}': expected SAM's tensor {error.args[0]}, got none; a shard may be missing, or name SAM's "
            "weights by --sam"
        ) from None


def _depth(meta: Mapping[str, Tensor]) -> int:
    """Linear layers of an MLP projection; 0 where it is one linear map."""
    # On LLaVA 1.0 the projection is linear, on LLaVA 1.5 two layers with GELU (`mm_projector.0`, `.2`).
    return sum(
        name.startswith("model.mm_projector.") and name.count(".") == 3 and name.endswith("weight") for name in meta
    )


def _v0_parts(source: Tensors) -> list[Part]:
    """SAM and the MLP of a v0 release; none of others. Raises CheckpointError where one of the two files is missing."""
    files = [source.folder / name for name in V0_FILES]
    there = [file for file in files if file.is_file()]
    if len(there) == 1:
        absent = next(file for file in files if file not in there)
        raise CheckpointError(f"source '{source.label}': expected {absent.name} beside {there[0].name}, got none")
    return [
        Part(Shards(source.label, Files(file.parent, (find_place(file, "source"),), False, {})), rules_for(), file.stem)
        for file in there
    ]
