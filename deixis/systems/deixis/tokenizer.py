"""The text tokenizer of models trained from scratch: byte-level BPE, every number of the coordinate grid one token.

A pretrained language model brings its own tokenizer and only gets the special tokens added.
"""

from collections.abc import Iterable
from itertools import pairwise

from transformers import PreTrainedTokenizerFast

from deixis.signals import MODALITIES

SPECIAL_TOKENS = {
    "pad": "<pad>",
    "bos": "<bos>",
    "eos": "<eos>",
    "region": "<region>",
    "seg": "<seg>",
    "image": "<image>",
    "audio": "<audio>",
    "point_cloud": "<point_cloud>",
    "user": "<user>",
    "assistant": "<assistant>",
    "phrase_open": "<p>",
    "phrase_close": "</p>",
    "video": "<video>",
    "depth": "<depth>",
    "normal": "<normal>",
    "imu": "<imu>",
    "fmri": "<fmri>",
}
CHAT_TEMPLATE = (
    "<bos>{% for message in messages %}{% if message['role'] == 'user' %}"
    "{% if message['content'] is string %}<user>{{ message['content'] }}{% else %}"
    "{% for piece in message['content'] if piece['type'] != 'text' %}<{{ piece['type'] }}>{% endfor %}<user>"
    "{% for piece in message['content'] if piece['type'] == 'text' %}{{ piece['text'] }}{% endfor %}{% endif %}"
    "{% else %}<assistant>{{ message['content'] }}<eos>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
"""Signals first, then turns between special tokens, each answer closed by `<eos>`."""


def build_tokenizer(texts: Iterable[str], vocab_size: int, numbers: int = 1000) -> PreTrainedTokenizerFast:
    """A tokenizer trained on `texts` with at most `vocab_size` learnt pieces, then `numbers` tokens "0", "1", ...

    The numbers swallow a space before them, so that "[12, 40]" is seven tokens at most.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(dict.fromkeys((*SPECIAL_TOKENS.values(), *(f"<{name}>" for name in MODALITIES)))),
        initial_alphabet=[c for c in pre_tokenizers.ByteLevel.alphabet() if not c.isdecimal()],  # digits come below
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(str(n), lstrip=True, normalized=False) for n in range(numbers)])
    tokenizer.add_tokens([AddedToken(mark, lstrip=mark == "[", normalized=False) for mark in "[],"])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS["pad"],
        bos_token=SPECIAL_TOKENS["bos"],
        eos_token=SPECIAL_TOKENS["eos"],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def number_tokens(tokenizer: PreTrainedTokenizerFast, numbers: int = 1000) -> list[int]:
    """[id of "0", how many follow in a row], for `DeixisConfig.number_tokens`; [0, 0] if numbers have no tokens."""
    vocabulary = tokenizer.get_vocab()
    if any(str(n) not in vocabulary for n in range(numbers)):
        return [0, 0]
    ids = [vocabulary[str(n)] for n in range(numbers)]
    return [ids[0], numbers] if all(b - a == 1 for a, b in pairwise(ids)) else [0, 0]
