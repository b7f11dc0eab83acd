"""`ChatStyle`: how a published checkpoint's conversations are worded, and its chat template (Jinja).

A template gets messages: a user's content is a text or a list of parts, {"type": "image"} (or another modality) and
{"type": "text", "text": ...}; an assistant's is a text. It writes `<s>` first and one placeholder, `<image>`, per
signal. Which styles there are is data in `systems/*/template.py`.
"""

import json
from dataclasses import dataclass

IMAGE_TAGS = {True: ("<im_start>", "<im_end>\n"), False: ("", "\n")}
"""Text around an image's placeholder, by `mm_use_im_start_end` (LLaVA; dvlab-research/LISA@3cb2d430, chat.py:168)."""


@dataclass(frozen=True)
class ChatStyle:
    """One way to word a conversation.

    Attributes:
        opening: before the first turn.
        user, asked, assistant, answered: before and after a question and an answer.
        prompt: what asks for an answer (the generation prompt).
        source: where the text is from.
        around: text around a signal's placeholder in its question; None puts all placeholders directly after `<s>`.
        stop: the text at which an answer ends, where that is not `</s>`.
        again: before a question that is not the first, where it differs.
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

    @property
    def answer_open(self) -> str:
        """The text between a question and its answer."""
        return self.asked + self.assistant


def vicuna_style(system: str, source: str, around: tuple[str, str] = IMAGE_TAGS[True]) -> ChatStyle:
    """Vicuna 1.1's style (LLaVA's `SeparatorStyle.TWO`) with this system prompt."""
    return ChatStyle(f"{system} ", "USER: ", " ", "ASSISTANT: ", "</s>", "ASSISTANT:", source, around)


def chat_template(style: ChatStyle, start_end: bool = True) -> str:
    """The Jinja template of a style.

    `start_end`: whether an image stands between `<im_start>` and `<im_end>` (`mm_use_im_start_end`), for styles that
    allow both.
    """
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
    placeholder = f"{_literal(before)}<{{{{ piece['type'] }}}}>{_literal(after)}" if around is not None else ""
    question = (
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for piece in message['content'] %}"
        "{% if piece['type'] == 'text' %}{{ piece['text'] }}{% else %}" + placeholder + "{% endif %}"
        "{% endfor %}{% endif %}"
    )
    again = "" if style.again is None else "{% if not loop.first %}" + _literal(style.again) + "{% endif %}"
    return (
        f"<s>{signals}{_literal(style.opening)}"
        "{% for message in messages %}{% if message['role'] == 'user' %}"
        f"{again}{_literal(style.user)}{question}{_literal(style.asked)}"
        "{% else %}" + f"{_literal(style.assistant)}{{{{ message['content'] }}}}{_literal(style.answered)}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}" + _literal(style.prompt) + "{% endif %}"
    )


def _literal(text: str) -> str:
    """Jinja that writes `text`: line breaks outside of an expression would be trimmed."""
    return f"{{{{ {json.dumps(text)} }}}}" if text else ""
