"""LISA's published checkpoints: merged weights in transformers' layout, without CLIP."""

from deixis.systems.chat_style import chat_template
from deixis.systems.lisa.convert import SEG, V0_FILES, read
from deixis.systems.lisa.preset import PRESETS, PUBLISHED
from deixis.systems.lisa.template import STYLE
from deixis.systems.llava.convert import image_tags
from deixis.systems.release import Beginning, Release

RELEASE = Release(
    system="lisa",
    name="LISA",
    paper="Lai et al., LISA: Reasoning Segmentation via Large Language Model, CVPR 2024",
    source="dvlab-research/LISA@3cb2d43",
    weights="xinlai/LISA-7B-v1, xinlai/LISA-13B-llama2-v1 and others on the hub; CLIP: openai/clip-vit-large-patch14",
    licence="Apache-2.0 (code); the weights also follow LLaVA's, Vicuna's and LLaMA's terms (non-commercial for "
    "LLaMA 1, Llama 2 Community License for llama2); SAM: Apache-2.0; CLIP: MIT",
    presets=PRESETS,
    lacks=("signals other than images", "regions in questions"),
    read=read,
    options=("clip", "preset", "sam", "tokenizer"),
    tensor_prefixes=("model.visual_model.", "visual_model.", "model.text_hidden_fcs.", "text_hidden_fcs."),
    extra_files=V0_FILES,
    model_types=("LISAForCausalLM",),
    beginning=Beginning(
        lambda tokenizer: chat_template(STYLE, bool(PUBLISHED["mm_use_im_start_end"])),
        tokens=(SEG, *image_tags(PUBLISHED)),
    ),
)
