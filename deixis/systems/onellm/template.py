"""OneLLM's conversations, word for word; an answer ends at "###".

The demos and evaluations write "###Human", which is followed here; training wrote "### Human"
(csuhan/OneLLM@8587a47, data/finetune_dataset.py:53).
"""

from deixis.systems.chat_style import ChatStyle
from deixis.systems.llava.template import CURIOUS_HUMAN

STYLE = ChatStyle(
    f"{CURIOUS_HUMAN}\n\n###",
    "Human: ",
    "\n###",
    "Assistant: ",
    "\n###",
    "Assistant:",
    "csuhan/OneLLM@8587a47, data/conversation_lib.py, conv_v1_2; demos/multi_turn_mm.py",
    around=None,
    stop="###",
)
