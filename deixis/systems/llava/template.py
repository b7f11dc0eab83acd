"""The conversations that the published checkpoints were trained on, word for word, as chat templates (Jinja).

A template gets messages: a user's content is a text or a list of pieces, {"type": "image"} (or another kind of signal)
and {"type": "text", "text": ...}; an assistant's is a text. It writes `<s>` first and a placeholder, `<image>`, for
each signal. How regions and masks are written into the text is `deixis.geometry`'s. All words stand in the tables.
"""

import json
from dataclasses import dataclass

IMAGE_TAGS = {True: ("<im_start>", "<im_end>\n"), False: ("", "\n")}
"""Words around a picture's placeholder, by `mm_use_im_start_end` (LLaVA; dvlab-research/LISA@3cb2d430, chat.py:168)."""


@dataclass(frozen=True)
class Conversation:
    """One way to write a conversation.

    opening: before the first turn. user, asked, assistant, answered: what stands before and after a question and an
    answer. around: words around a signal's placeholder in its question; None puts all placeholders behind `<s>`.
    prompt: what asks for an answer. stop: the text at which an answer ends, where that is no `</s>`. source: where the
    words are from. again: what stands before a question that is not the first, where it differs.
    """

    opening: str
    user: str
    asked: str
    assistant: str
    answered: str
    prompt: str
    source: str
    around: tuple[str, str] | None = IMAGE_TAGS[True]
    stop: str | None = None
    again: str | None = None


CURIOUS_HUMAN = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
CURIOUS_USER = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
SEES = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
REFERS = (
    "A chat between a human and an AI that understands visuals. In images, [x, y] denotes points: top-left [0, 0], "
    "bottom-right [width-1, height-1]. Increasing x moves right; y moves down. Bounding box: [x1, y1, x2, y2]. "
    "Image size: 1000x1000. Follow instructions. "
)


def _two(system: str, source: str, around: tuple[str, str] = IMAGE_TAGS[True]) -> Conversation:
    """Vicuna 1.1's style (`SeparatorStyle.TWO`)."""
    return Conversation(f"{system} ", "USER: ", " ", "ASSISTANT: ", "</s>", "ASSISTANT:", source, around)


CONVERSATIONS = {
    "llava_v1": _two(CURIOUS_HUMAN, "dvlab-research/LISA@3cb2d430, model/llava/conversation.py, conv_llava_v1"),
    "vicuna_v1": _two(
        CURIOUS_USER,
        "dvlab-research/LISA@0e26916, utils/conversation.py, conv_vicuna_v1_1; tags: chat.py (the v0 releases)",
        ("<im_start>", "<im_end> "),
    ),
    # No conversion chooses it: every release, those on LLaMA 2 too, is asked in llava_v1 (README.md and chat.py name no
    # other). Training offers it as --conv_type; who trained so sets `chat_template` by hand.
    "llava_llama_2": Conversation(
        f"[INST] <<SYS>>\n{SEES}\n<</SYS>>\n\n",
        "",
        " [/INST]",
        " ",
        " </s>",
        "",
        "dvlab-research/LISA@3cb2d430, model/llava/conversation.py, conv_llava_llama_2",
        again="<s>[INST] ",
    ),
    "ferret_v1": _two(REFERS, "apple/ml-ferret@3c9e5c9, ferret/conversation.py, ferret_conv_vicuna_v1"),
    # The demos and evaluations write "###Human", which is followed here; training wrote "### Human"
    # (data/finetune_dataset.py:53). An answer ends at "###".
    "onellm": Conversation(
        f"{CURIOUS_HUMAN}\n\n###",
        "Human: ",
        "\n###",
        "Assistant: ",
        "\n###",
        "Assistant:",
        "csuhan/OneLLM@8587a47, data/conversation_lib.py, conv_v1_2; demos/multi_turn_mm.py",
        around=None,
        stop="###",
    ),
}


def chat_template(name: str, start_end: bool = True) -> str:
    """The Jinja template of the conversation called `name`.

    `start_end`: whether a picture stands between `<im_start>` and `<im_end>` (`mm_use_im_start_end`), for the
    conversations that may or may not.
    """
    style = CONVERSATIONS[name]
    around = style.around
    if around == IMAGE_TAGS[True]:
        around = IMAGE_TAGS[start_end]
    signals = (
        "{% for message in messages %}{% if message['content'] is not string %}"
        "{% for piece in message['content'] if piece['type'] != 'text' %}<{{ piece['type'] }}>{% endfor %}"
        "{% endif %}{% endfor %}"
        if around is None
        else ""
    )
    before, after = around or ("", "")
    placeholder = f"{_say(before)}<{{{{ piece['type'] }}}}>{_say(after)}" if around is not None else ""
    question = (
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for piece in message['content'] %}"
        "{% if piece['type'] == 'text' %}{{ piece['text'] }}{% else %}" + placeholder + "{% endif %}"
        "{% endfor %}{% endif %}"
    )
    again = "" if style.again is None else "{% if not loop.first %}" + _say(style.again) + "{% endif %}"
    return (
        f"<s>{signals}{_say(style.opening)}"
        "{% for message in messages %}{% if message['role'] == 'user' %}"
        f"{again}{_say(style.user)}{question}{_say(style.asked)}"
        "{% else %}" + f"{_say(style.assistant)}{{{{ message['content'] }}}}{_say(style.answered)}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}" + _say(style.prompt) + "{% endif %}"
    )


def _say(text: str) -> str:
    """Jinja that writes `text`: line breaks outside of an expression would be trimmed."""
    return f"{{{{ {json.dumps(text)} }}}}" if text else ""
