"""OneLLM (Han et al., CVPR 2024): `consolidated.NN-of-MM.pth`, as csuhan/OneLLM@8587a47 saves it.

Heads and norms do not show in the file: they come from `config.json` beside it, else from --preset. What the published
code does in its own way stands at the step, here and in `preset.py`, and is a named option of ours.
"""

from deixis.checkpoints.part_rules import meta_expert_rules, meta_llama_rules, open_clip_rules
from deixis.checkpoints.rules import DROP_FIRST, FLATTEN, Part, Rule, take
from deixis.checkpoints.source import Tensors
from deixis.errors import CheckpointError
from deixis.systems.chat_style import chat_template
from deixis.systems.onellm.preset import MODALITY_NAMES, SIZES, config_of
from deixis.systems.onellm.template import STYLE
from deixis.systems.release import NO_TOKENIZER, ConversionOptions, Found, published_config, source_tokenizer


def read(source: Tensors, options: ConversionOptions) -> Found:
    """Everything that a conversion needs. Raises CheckpointError for missing tensors or unknown sizes."""
    source_config = published_config(source, options, SIZES)
    meta = source.meta()
    vocab_size = meta["llma.tok_embeddings.weight"].shape[0] if "llma.tok_embeddings.weight" in meta else 0
    # A checkpoint has the modalities whose start tags it holds.
    modalities = [ours for theirs, ours in MODALITY_NAMES.items() if f"llma.start_tag.{theirs}" in meta]
    tokenizer = source_tokenizer(source, options, (), vocab_size, modalities)
    if tokenizer is not None:
        tokenizer.chat_template = chat_template(STYLE)
    try:
        config = config_of(meta, source_config, modalities, vocab_size)
    except KeyError as error:
        raise CheckpointError(
            f"source '{source.label}': expected {error.args[0]} in its tensors or its config.json, got none; a shard "
            "may be missing, or name the sizes by --preset"
        ) from None
    rules = rules_for(config.text_config.num_attention_heads)
    return Found(config, [Part(source, rules)], tokenizer, stop=STYLE.stop, notes=[] if tokenizer else [NO_TOKENIZER])


def rules_for(heads: int) -> list[Rule]:
    """What becomes of the checkpoint's tensors, for a language model of so many heads."""
    # The encoder is open_clip's ViT-L-14 with OpenAI's weights (model/LLM/onellm.py:216); its text model is not used.
    rules = [*meta_llama_rules(heads, r"llma\."), *open_clip_rules(r"llma\.clip\.")]
    # Experts are Llama blocks without rotary embedding, so their queries and keys keep Meta's order; those of the
    # language model are put in transformers'.
    rules += meta_expert_rules(r"llma\.resample_layers\.(\d+)\.(\d+)\.", r"projection.experts.\1.layers.\2.")
    for theirs, ours in MODALITY_NAMES.items():
        conv = r"conv1\.point\.conv1" if theirs == "point" else rf"conv1\.{theirs}"
        rules += [
            take(rf"llma\.{conv}\.(weight|bias)", rf"field_encoder.tokenizers.{ours}.conv.\1"),
            # Audio, points, fMRI and IMU have positions of their own; the class embedding and CLIP's final norm are
            # shared by all modalities (model/LLM/onellm.py:331-354).
            take(rf"llma\.positional_embedding\.{theirs}", f"field_encoder.encoder.positions.{ours}"),
            take(rf"llma\.resample_tokens\.{theirs}", f"projection.query.{ours}", DROP_FIRST),
            take(rf"llma\.clip_proj1\.{theirs}\.([01])\.(weight|bias)", rf"projection.into.{ours}.\1.\2"),
            take(rf"llma\.clip_proj2\.{theirs}\.([01])\.(weight|bias)", rf"projection.onto.{ours}.\1.\2"),
            take(rf"llma\.routers\.{theirs}\.fc1\.(weight|bias)", rf"projection.router.{ours}.0.\1"),
            take(rf"llma\.routers\.{theirs}\.fc2\.(weight|bias)", rf"projection.router.{ours}.2.\1"),
            take(rf"llma\.start_tag\.{theirs}", f"projection.tags.{ours}#0", FLATTEN),
            take(rf"llma\.end_tag\.{theirs}", f"projection.tags.{ours}#1", FLATTEN),
        ]
    return rules
