"""A stranger's `tokenizer.json`: its tokenizer, once it is known that it makes no text much longer.

Normalizers and decoders replace texts, one after another; forty that double a letter would fill any memory. How much
they can lengthen a text follows from the file alone.
"""

import base64
import binascii
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from deixis.errors import CheckpointError, DataError, is_out_of_memory, one_line
from deixis.files.json_text import parse_json, read_text

MAX_GROWTH = 200
"""How many times longer replacements may make a text; of published tokenizers, NFKC with 18 is the most."""
MAX_TOKENS_AROUND = 100
"""Tokens that may be put around a text, such as `<s>`."""
SPARE_IDS = 100_000
"""Ids without a token that a small vocabulary may have."""
TRIAL = "Where is it? «Ünïcode» 日本語 🙂 [12, 345]\n"


def read_tokenizer_json(file: Path) -> Tokenizer:
    """The tokenizer in the file, without padding and truncation. Raises CheckpointError, which names the file."""
    try:
        text = read_text(file)
        _check(parse_json(text))
        tokenizer = Tokenizer.from_str(text)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.decode(tokenizer.encode(TRIAL, add_special_tokens=False).ids)
    except (CheckpointError, DataError) as error:
        raise CheckpointError(f"tokenizer.json: {str(error).removeprefix(f'{file}: ')}") from error
    except BaseException as error:  # the library raises bare exceptions, and its panics are no Exception
        panic = type(error).__name__ == "PanicException"
        if is_out_of_memory(error) or not (panic or isinstance(error, Exception)):
            raise
        raise CheckpointError(
            f"tokenizer.json: expected a tokenizer, got another file ({one_line(error, 200)})"
        ) from error
    return tokenizer


def _check(values: Any) -> None:
    """Raises CheckpointError for what makes texts longer than the limits."""
    if not isinstance(values, dict):
        raise CheckpointError("expected a JSON object, got something else; the file is damaged")
    _check_ids(values)
    for name in ("normalizer", "pre_tokenizer", "decoder"):
        growth = 1.0
        for part in _parts(values.get(name)):
            growth *= _growth(part)
            if growth > MAX_GROWTH:
                raise CheckpointError(
                    f"{name}: expected replacements that make a text at most {MAX_GROWTH} times longer, got more; it "
                    "is probably made to fill the memory"
                )
    around = sum(1 for part in _parts(values.get("post_processor")) for _ in _placed(part))
    if around > MAX_TOKENS_AROUND:
        raise CheckpointError(
            f"post_processor: expected at most {MAX_TOKENS_AROUND} tokens around a text, got {around}; it is probably "
            "made to fill the memory"
        )


def _check_ids(values: Mapping[str, Any]) -> None:
    """Raises CheckpointError for an id far beyond the number of tokens: the library makes a table up to the largest."""
    model, added = values.get("model"), values.get("added_tokens")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else []
    ids += [token.get("id") for token in added if isinstance(token, dict)] if isinstance(added, list) else []
    most = SPARE_IDS + 10 * len(ids)
    if beyond := next((own for own in ids if isinstance(own, int) and own > most), None):
        raise CheckpointError(f"expected ids of {len(ids)} tokens that follow one another, got {beyond}")


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """A part of a tokenizer, and all that it is made of."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)


def _growth(part: Mapping[str, Any]) -> float:
    """How many times longer a part can make a text."""
    match part.get("type"):
        case "Replace":
            pattern, content = part.get("pattern"), part.get("content")
            plain = pattern.get("String") if isinstance(pattern, dict) else None
            length = len(plain) if isinstance(plain, str) else 1  # of a regular expression: one character at least
            own = len(content) if isinstance(content, str) else 0
            return max(own / length, 1) if length else own + 1
        case "Prepend":
            return 1 + len(part.get("prepend") or "") / 8
        case "Precompiled":
            return _longest(part.get("precompiled_charsmap"))
        case "Metaspace" | "WordPiece" | "BPEDecoder" | "CTC" | "Strip":
            texts = [value for value in part.values() if isinstance(value, str)]
            return max(map(len, texts), default=1) if max(map(len, texts), default=1) > MAX_GROWTH else 1
    return 1


def _longest(charsmap: Any) -> int:
    """Characters of the longest replacement in a sentencepiece table: texts that end in zero, behind a trie."""
    try:
        table = base64.b64decode(charsmap or "")
        size = struct.unpack("<I", table[:4])[0]
    except (TypeError, ValueError, binascii.Error, struct.error):
        return 1  # of no such table the library says what is wrong
    return max(len(text.decode("utf-8", "replace")) for text in table[4 + size :].split(b"\0"))


def _placed(part: Mapping[str, Any]) -> Iterator[Any]:
    """What a template of tokens puts around a text."""
    for name in ("single", "pair"):
        if isinstance(part.get(name), list):
            yield from part[name]
    if isinstance(part.get("ids"), list):
        yield from part["ids"]
