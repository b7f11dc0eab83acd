"""OneLLM's notation: answers are text alone (Han et al., CVPR 2024)."""

from deixis.geometry import Notation

NOTATION = Notation(
    "onellm", phrase_open="", phrase_close="", region_token="", seg_token="", none_text="", coordinates=False
)
