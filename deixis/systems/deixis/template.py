"""Chat templates of a union on a pretrained language model: the model's own turns, signals before the first question.

A language model that was trained here from scratch keeps the template of its own tokens
(`deixis.systems.deixis.tokenizer`).
"""

import json

from transformers import PreTrainedTokenizerFast

from deixis.systems.deixis.tokenizer import CHAT_TEMPLATE, SPECIAL_TOKENS

CHAT_ML = ("<|im_start|>", "<|im_end|>")
"""Tokens around a turn in ChatML, which Qwen's models are trained with."""


def template_for(tokenizer: PreTrainedTokenizerFast) -> str:
    """The template (Jinja) for a tokenizer: our own or ChatML where it has the tokens, else USER and ASSISTANT in
    words."""
    vocabulary = tokenizer.get_vocab()
    if all(SPECIAL_TOKENS[name] in vocabulary for name in ("user", "assistant")):
        return CHAT_TEMPLATE
    if all(token in vocabulary for token in CHAT_ML):
        opened, closed = CHAT_ML
        return _template("", f"{opened}user\n", f"{closed}\n{opened}assistant\n", "", f"{closed}\n")
    return _template(tokenizer.bos_token or "", "USER: ", " ASSISTANT:", " ", tokenizer.eos_token or "")


def _template(opening: str, user: str, asked: str, before: str, answered: str) -> str:
    """asked: between a question and its answer, as where generation begins; before: the rest, which is generated."""
    texts = (json.dumps(text) for text in (opening, user, asked, before, answered))
    opening, user, asked, before, answered = (f"{{{{ {text} }}}}" for text in texts)
    placeholder = "<{{ piece['type'] }}>"
    return (
        f"{opening}{{% for message in messages %}}{{% if message['role'] == 'user' %}}{user}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for piece in message['content'] %}"
        "{% if piece['type'] == 'text' %}{{ piece['text'] }}{% else %}" + placeholder + "{% endif %}{% endfor %}"
        f"{{% endif %}}{asked}{{% else %}}{before}{{{{ message['content'] }}}}{answered}{{% endif %}}{{% endfor %}}"
    )
