"""The network: tokenizers, universal encoder, projection, region sampler, pointing head, and their processor.

`DeixisConfig`, `DeixisForConditionalGeneration` and `DeixisProcessor` are registered with transformers' Auto classes
when this room is first imported, and so is the form of packed weights (`packing`).
"""

from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from deixis.model import packing  # noqa: F401  (registers with transformers)
from deixis.model.config import DeixisConfig
from deixis.model.network import DeixisForConditionalGeneration, DeixisOutput
from deixis.model.processor import DeixisProcessor, build_processor

AutoConfig.register("deixis", DeixisConfig, exist_ok=True)
AutoModelForImageTextToText.register(DeixisConfig, DeixisForConditionalGeneration, exist_ok=True)
AutoProcessor.register(DeixisConfig, DeixisProcessor, exist_ok=True)

__all__ = ["DeixisConfig", "DeixisForConditionalGeneration", "DeixisOutput", "DeixisProcessor", "build_processor"]
