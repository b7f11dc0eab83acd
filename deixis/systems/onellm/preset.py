"""OneLLM's published size; its file comes without a configuration."""

from deixis.systems.onellm.convert import published_sizes
from deixis.systems.preset_type import Preset

PRESETS = {"onellm-7b": Preset("onellm", published_sizes, "LLaMA 2 7B, CLIP ViT-L/14")}
