"""OneLLM (Han et al., CVPR 2024): eight modalities into a language model, text out."""

from deixis.conversation.system import System
from deixis.systems.onellm.notation import NOTATION

SYSTEM = System("onellm", NOTATION)
