"""Ferret's published checkpoints: differences to Vicuna, in transformers' layout."""

from deixis.systems.chat_style import chat_template
from deixis.systems.ferret.convert import REGION, read
from deixis.systems.ferret.preset import PRESETS, PUBLISHED
from deixis.systems.ferret.template import STYLE
from deixis.systems.release import Beginning, Release

RELEASE = Release(
    system="ferret",
    name="Ferret",
    paper="You et al., Ferret: Refer and Ground Anything Anywhere at Any Granularity, ICLR 2024",
    source="apple/ml-ferret@3c9e5c9",
    weights="docs-assets.developer.apple.com/ml-research/models/ferret (ferret-7b-delta.zip, ferret-13b-delta.zip), to "
    "be added to lmsys/vicuna-7b-v1.3 or lmsys/vicuna-13b-v1.3",
    licence="CC BY-NC for the differences, research only; Vicuna 1.3: LLaMA's non-commercial licence; CLIP: MIT",
    presets=PRESETS,
    lacks=("signals other than images", "masks in answers"),
    read=read,
    options=("base", "clip", "preset", "tokenizer"),
    tensor_prefixes=("model.region_geo_sampler.",),
    model_types=("FERRETLlamaForCausalLM", "ferret"),
    beginning=Beginning(
        lambda tokenizer: chat_template(STYLE, bool(PUBLISHED["mm_use_im_start_end"])),
        tokens=(REGION,),
        processor={"region_reader": "ferret"},
    ),
)
