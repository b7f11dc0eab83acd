"""Ferret (You et al., ICLR 2024): full or delta weights in transformers' layout, as apple/ml-ferret@3c9e5c9 saves them.

What the published code does in its own way stands at the step, here and in `preset.py`, and is a named option of ours.
"""

from deixis.checkpoints.rules import Part, Rule, take
from deixis.checkpoints.sizes import CLIP_LARGE_336
from deixis.checkpoints.source import DeltaAndBase, Tensors, open_source
from deixis.errors import CheckpointError
from deixis.systems.chat_style import chat_template
from deixis.systems.ferret.notation import NOTATION
from deixis.systems.ferret.preset import PUBLISHED, SIZES, config_of
from deixis.systems.ferret.template import STYLE
from deixis.systems.llava.convert import image_tags, llava_rules, text_config, vision_of, vocabulary_size
from deixis.systems.release import NO_TOKENIZER, ConversionOptions, Found, published_config, source_tokenizer

REGION = NOTATION.region_token
NORM = "model.norm.weight"
"""What tells a delta from whole weights: scales of the last layer's RMS norm, which are 1 before training."""
DELTA_NORM = 0.25
"""Mean size of NORM below which weights are differences. Whole ones are about 1 and more (training starts there and
pretraining raises them in LLaMA); training at the recipes' rate of 2e-5 moves them by hundredths."""


def read(source: Tensors, options: ConversionOptions) -> Found:
    """Everything that a conversion needs. Raises CheckpointError for a missing part."""
    source_config = {**PUBLISHED, **published_config(source, options, SIZES)}
    vocab_size = vocabulary_size(source)
    weights = whole_weights(source, options)
    tokenizer = source_tokenizer(source, options, (REGION, *image_tags(source_config)), vocab_size, ("image",))
    # Without a tokenizer the id is what training noted (ferret/model/ferret_arch.py, initialize_vision_tokenizer).
    region_id = source_config.get("im_region_fea_token") if tokenizer is None else tokenizer.get_vocab()[REGION]
    if region_id is None:
        raise CheckpointError(
            f"source '{source.label}': expected a tokenizer, or the id of {REGION} in its config.json, got none"
        )
    if tokenizer is not None:
        tokenizer.chat_template = chat_template(STYLE, bool(source_config["mm_use_im_start_end"]))
    # CLIP lies in `vision_tower/` where training saved it (ferret/model/builder.py), else it is the hub's.
    vision, tower = vision_of(
        source, options, source_config, CLIP_LARGE_336, ("vision_tower",), PUBLISHED["mm_vision_tower"]
    )
    config = config_of(text_config(source, source_config, vocab_size), vision, source_config, region_id)
    return Found(
        config,
        [Part(weights, rules_for()), *tower],
        tokenizer,
        # Regions read the map transposed, between the centres of its corner cells, at pixels without half a pixel's
        # shift (ferret/model/ferret_arch.py, GeoRegionSampler): `sampling.py`.
        {"region_reader": "ferret"},
        notes=[] if tokenizer else [NO_TOKENIZER],
    )


def whole_weights(source: Tensors, options: ConversionOptions) -> Tensors:
    """The source, or the sum of it and --base. Its values, not its name, determine which of the two it is.

    Raises CheckpointError for a delta without a base, and for a base with whole weights or one that is a delta itself.
    """
    # Released are differences to Vicuna 1.3 (ferret/model/apply_delta.py), in a folder like that of whole weights.
    is_delta = _is_delta(source)
    if options.base is None and not is_delta:
        return source
    if options.base is None:
        raise CheckpointError(
            f"source '{source.label}': it is a delta ({NORM} is near 0), expected the base model that it is a "
            "difference to, got none; name Vicuna's folder by --base"
        )
    base = open_source(options.base, "--base")
    if not is_delta:
        raise CheckpointError(
            f"source '{source.label}': expected a delta to add to --base, got whole weights ({NORM} is not near 0); "
            "leave --base out"
        )
    if _is_delta(base):
        raise CheckpointError(
            f"--base '{options.base}': expected whole weights, got a delta ({NORM} is near 0); name Vicuna itself"
        )
    return DeltaAndBase(source, base)


def _is_delta(source: Tensors) -> bool:
    return NORM in source.meta() and source.read(NORM).float().abs().mean().item() < DELTA_NORM


def rules_for() -> list[Rule]:
    """What becomes of the checkpoint's tensors."""
    parts = "diff_projector_list|agg_projector_list|flatten_projector|dim_projector"
    return [*llava_rules(), take(rf"model\.region_geo_sampler\.((?:{parts})\..*)", r"region_sampler.\1")]
