"""The published systems, sources of their weights and their licences: data for model cards and tables.

As read from the repositories named in `source`; terms are theirs to change. Not legal advice.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """name, paper. source: the code read. weights: where the official ones live. licence: of these weights and of the
    models they stand on. lacks: ability -> systems that have it."""

    name: str
    paper: str
    source: str
    weights: str
    licence: str
    lacks: dict[str, str]


TERMS = {
    "onellm": Terms(
        "OneLLM",
        "Han et al., OneLLM: One Framework to Align All Modalities with Language, CVPR 2024",
        "csuhan/OneLLM@8587a47",
        "csuhan/OneLLM-7B on the hub (consolidated.00-of-01.pth)",
        "Llama 2 Community License (code, weights and the LLaMA 2 they stand on); CLIP: MIT",
        {"regions in questions": "Ferret and the union", "masks in answers": "LISA and the union"},
    ),
    "ferret": Terms(
        "Ferret",
        "You et al., Ferret: Refer and Ground Anything Anywhere at Any Granularity, ICLR 2024",
        "apple/ml-ferret@3c9e5c9",
        "docs-assets.developer.apple.com/ml-research/models/ferret (ferret-7b-delta.zip, ferret-13b-delta.zip), to be "
        "added to lmsys/vicuna-7b-v1.3 or lmsys/vicuna-13b-v1.3",
        "CC BY-NC for the differences, research only; Vicuna 1.3: LLaMA's non-commercial licence; CLIP: MIT",
        {"signals other than images": "OneLLM and the union", "masks in answers": "LISA and the union"},
    ),
    "lisa": Terms(
        "LISA",
        "Lai et al., LISA: Reasoning Segmentation via Large Language Model, CVPR 2024",
        "dvlab-research/LISA@3cb2d43",
        "xinlai/LISA-7B-v1, xinlai/LISA-13B-llama2-v1 and others on the hub; CLIP: openai/clip-vit-large-patch14",
        "Apache-2.0 (code); the weights also follow LLaVA's, Vicuna's and LLaMA's terms (non-commercial for LLaMA 1, "
        "Llama 2 Community License for llama2); SAM: Apache-2.0; CLIP: MIT",
        {"signals other than images": "OneLLM and the union", "regions in questions": "Ferret and the union"},
    ),
    "pointmlp": Terms(
        "PointMLP",
        "Ma et al., Rethinking Network Design and Local Geometry in Point Cloud, ICLR 2022",
        "ma-xu/pointMLP-pytorch@1ab7f04",
        "web.northeastern.edu/smilelab/xuma/pointMLP/checkpoints (the server was down in 2024)",
        "Apache-2.0",
        {"questions and text": "the other systems"},
    ),
    "deixis": Terms(
        "Deixis, the union",
        "the three systems in one network",
        "this repository",
        "none published: train it from a recipe",
        "Apache-2.0 (code); the backbones have their own: Qwen3 and SAM 2: Apache-2.0, SigLIP 2: Apache-2.0",
        {},
    ),
}
