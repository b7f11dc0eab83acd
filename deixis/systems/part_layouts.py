"""The layouts in which the weights of a part are published, alone or within a whole checkpoint, as rules.

A language model comes in transformers' or Meta's layout; an encoder as a vision model of transformers or open_clip; SAM
in its official layout or transformers'; LLaVA's projection as `mm_projector.bin`; and all of them within a checkpoint
of OneLLM, Ferret or LISA, or of ours. Within such a checkpoint a part takes what is its own.
"""

import re
from collections.abc import Collection, Mapping

from deixis.checkpoints.part_rules import (
    LANGUAGE,
    RECOMPUTED,
    SAM,
    TRUNK,
    clip_rules,
    meta_llama_rules,
    open_clip_rules,
    sam_rules,
)
from deixis.checkpoints.rules import Part, Plan, Rule, leave, make_plan, take
from deixis.checkpoints.source import Tensors
from deixis.model import DeixisConfig, DeixisForConditionalGeneration
from deixis.model.parts import part_of
from deixis.signals import MODALITIES
from deixis.systems.ferret.convert import rules_for as ferret_rules
from deixis.systems.lisa.convert import rules_for as lisa_rules
from deixis.systems.onellm.convert import rules_for as onellm_rules

WITH: Mapping[str, tuple[str, ...]] = {"language_model": ("embeddings",), "masks": ("mask_encoder",)}
"""Parts that come with another one, from the same source, unless they have a source of their own."""
TABLES = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight", "lm_head.weight")
"""How the names of embeddings end, whose rows are a vocabulary."""
OURS = r"(?:field_encoder|projection|region_features|region_sampler|language_model|pointing_head|sam_pointing)\."


def part_plan(part: str, source: Tensors, others: Collection[str], network: DeixisForConditionalGeneration) -> Plan:
    """What the weights of `part` (`model.parts`) are made of; `others` have sources of their own.

    network: without values, on the meta device; its vocabulary may be larger than the source's. What the source has
    nothing of, such as the tokenizers of modalities that it was not trained on, is left to start as new. Raises
    CheckpointError, from names and shapes alone.
    """
    config, own = network.config, {part, *(name for name in WITH.get(part, ()) if name not in others)}
    tied = dict(network._tied_weights_keys or {})
    tied |= {original: copy for copy, original in tied.items()}

    def wanted(target: str) -> bool:
        return ("embeddings" if _is_table(target) else part_of(target)) in own

    def may_lack(target: str, plan: Plan) -> bool:
        unit, made = _unit(target), map(_unit, plan.steps)
        return tied.get(target) in plan.steps or (len(plan.steps) > 0 and unit not in made)

    mine = {name: tensor for name, tensor in network.state_dict().items() if wanted(name)}
    rows = vocabulary_rows(source, config) if "embeddings" in own else None
    if rows is not None and rows < config.text_config.vocab_size:
        mine |= {name: table.new_empty((rows, *table.shape[1:])) for name, table in mine.items() if _is_table(name)}
    return make_plan([Part(source, part_rules(part, source, config), f"init.{part}")], mine, wanted, may_lack)


def part_rules(part: str, source: Tensors, config: DeixisConfig) -> list[Rule]:
    """What becomes of the tensors of a source for a part; those of whole checkpoints first."""
    heads = config.text_config.num_attention_heads
    whole = [
        take(f"({OURS}.*)", r"\1"),
        *onellm_rules(heads),
        *ferret_rules(),
        *lisa_rules(),
        leave(r".*\.rotary_emb\.inv_freq", RECOMPUTED),
    ]
    alone: dict[str, list[Rule]] = {
        "language_model": [*meta_llama_rules(heads), take("(.*)", LANGUAGE + r"\1")],
        "embeddings": [*meta_llama_rules(heads), take("(.*)", LANGUAGE + r"\1")],
        "encoder": [
            *clip_rules(),
            *open_clip_rules(""),
            leave(r"(?:text_model\..*|logit_(?:scale|bias)|(?:vision_model\.)?head\..*)", "no part of the encoder"),
            take(r"(?:vision_model\.)?(.*)", TRUNK + r"\1"),
        ],
        "projection": [
            take(r"mm_projector\.(weight|bias)", r"projection.out.\1"),
            take(r"mm_projector\.(\d+)\.(weight|bias)", r"projection.maps.\1.\2"),
        ],
        "sampler": [take(r"region_geo_sampler\.(.*)", r"region_sampler.\1")],
    }
    video = r"(?:memory_|mask_downsample|object_pointer|no_object_pointer|no_memory_pos|occlusion_|temporal_).*"
    sam = [leave(video, "SAM 2's memory of a video is not used"), take("(.*)", SAM + r"\1")]
    if any(name.startswith("image_encoder.") for name in source.meta()):  # both layouts have a mask_decoder
        sam = sam_rules()
    return whole + alone.get(part, sam if part in ("masks", "mask_encoder") else [])


def vocabulary_rows(source: Tensors, config: DeixisConfig) -> int | None:
    """Rows of the embeddings in a source of the language model; None where it has none."""
    rules = [(re.compile(rule.pattern), rule) for rule in part_rules("language_model", source, config)]
    for name, tensor in source.meta().items():
        match = next(((found, rule) for pattern, rule in rules if (found := pattern.fullmatch(name))), None)
        made = [match[0].expand(target) for target, _ in match[1].makes] if match else []
        if any(map(_is_table, made)):
            return tensor.shape[0]
    return None


def _is_table(target: str) -> bool:
    """Whether a name of ours is that of embeddings, which are a part of their own."""
    return target.startswith(LANGUAGE) and target.endswith(TABLES)


def _unit(target: str) -> str:
    """What of a network a source has whole or not at all: a model, a module of a part, or that of a modality."""
    names = target.split(".")
    if modality := next((place for place, name in enumerate(names) if name in MODALITIES), None):
        return ".".join(names[: modality + 1])
    depth = {"field_encoder": 3, "sam_pointing": 2, "projection": 2}
    return ".".join(names[: depth.get(names[0], 1)])
