"""OneLLM's published checkpoint: one file without configuration and tokenizer."""

from deixis.systems.chat_style import chat_template
from deixis.systems.onellm.convert import read
from deixis.systems.onellm.preset import PRESETS
from deixis.systems.onellm.template import STYLE
from deixis.systems.release import Beginning, Release

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
    beginning=Beginning(lambda tokenizer: chat_template(STYLE), stop=STYLE.stop),
)
