"""Text of token ids as transformers 4.31's slow LlamaTokenizer wrote it, in which official results are recorded."""

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast

from deixis.checkpoints.tokenizer import SPACE

BYTE_PIECE = re.compile("<0x[0-9A-F]{2}>")


def published_text(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    """The text of `ids` as the slow tokenizer writes it, special tokens too.

    A space stands between an added token and what is beside it (transformers 4.31, `PreTrainedTokenizer._decode`);
    bytes that are no UTF-8 give one U+FFFD each, those beside them stay (sentencepiece, `Decode`).
    """
    added = {token.content for token in tokenizer.added_tokens_decoder.values()}
    control = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.unk_token}
    parts: list[str] = []
    run: list[str] = []
    for token in [*tokenizer.convert_ids_to_tokens(list(ids)), None]:
        if token is None or (token in added and token not in control):
            parts += [_run_text(run, control)] if run else []
            parts += [] if token is None else [token]
            run = []
        else:
            run.append(token)
    return " ".join(parts)


def _run_text(tokens: Sequence[str], control: set[str]) -> str:
    """Text of tokens none of which was added; control tokens split it (`LlamaTokenizer.convert_tokens_to_string`)."""
    text, pieces, after_control = "", [], False
    for place, token in enumerate(tokens):
        if token in control:
            text += (" " if place and not after_control else "") + _pieces_text(pieces) + token
            pieces, after_control = [], True
        else:
            pieces, after_control = [*pieces, token], False
    return text + _pieces_text(pieces)


def _pieces_text(pieces: Sequence[str]) -> str:
    """Text of sentencepiece's pieces, without the space put before it when it was encoded."""
    first = pieces[0].removeprefix(SPACE) if pieces else ""
    raw = b"".join(
        bytes([int(piece[3:5], 16)]) if BYTE_PIECE.fullmatch(piece) else piece.replace(SPACE, " ").encode()
        for piece in [first, *pieces[1:]]
    )
    text = ""
    while raw:
        size = next((n for n in range(1, 5) if _is_text(raw[:n])), 0)
        text += raw[:size].decode() if size else "\ufffd"
        raw = raw[size or 1 :]
    return text


def _is_text(raw: bytes) -> bool:
    try:
        return len(raw.decode()) == 1
    except UnicodeDecodeError:
        return False
