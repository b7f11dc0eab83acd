"""OneLLM's published checkpoint: one file without configuration and tokenizer."""

from deixis.systems.onellm.convert import read
from deixis.systems.onellm.preset import PRESETS
from deixis.systems.release import Release

RELEASE = Release(
    system="onellm",
    name="OneLLM",
    paper="Han et al., OneLLM: One Framework to Align All Modalities with Language, CVPR 2024",
    source="csuhan/OneLLM@8587a47",
    weights="csuhan/OneLLM-7B on the hub (consolidated.00-of-01.pth)",
    licence="Llama 2 Community License (code, weights and the LLaMA 2 they stand on); CLIP: MIT",
    presets=PRESETS,
    lacks=("regions in questions", "masks in answers"),
    read=read,
    options=("preset", "tokenizer"),
    tensor_prefixes=("llma.",),
)
