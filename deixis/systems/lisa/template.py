"""LISA's conversations, word for word."""

from deixis.systems.chat_style import ChatStyle, vicuna_style
from deixis.systems.llava.template import CURIOUS_HUMAN, CURIOUS_USER

STYLE = vicuna_style(CURIOUS_HUMAN, "dvlab-research/LISA@3cb2d430, model/llava/conversation.py, conv_llava_v1")
V0_STYLE = vicuna_style(
    CURIOUS_USER,
    "dvlab-research/LISA@0e26916, utils/conversation.py, conv_vicuna_v1_1; tags: chat.py (the v0 releases)",
    ("<im_start>", "<im_end> "),
)
# No conversion chooses it: every release, those on LLaMA 2 too, is asked in STYLE (README.md and chat.py name no
# other). Training offers it as --conv_type; who trained so sets `chat_template` by hand.
_SEES = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
LLAMA_2_STYLE = ChatStyle(
    f"[INST] <<SYS>>\n{_SEES}\n<</SYS>>\n\n",
    "",
    " [/INST]",
    " ",
    " </s>",
    "",
    "dvlab-research/LISA@3cb2d430, model/llava/conversation.py, conv_llava_llama_2",
    again="<s>[INST] ",
)
