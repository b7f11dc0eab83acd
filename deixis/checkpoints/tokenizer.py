"""The tokenizer of a published checkpoint as one fast tokenizer, with the ids of the slow one it was trained with.

Ferret and LISA use transformers 4.31's slow, "legacy" LlamaTokenizer over a sentencepiece model; OneLLM the model
itself. What a loader must not change:

* every part of text between added tokens is encoded afresh: it gets a space before it, so "[SEG]." is `[SEG]`,
  "▁", "." (transformers 4.31, `LlamaTokenizer._tokenize`);
* an added token swallows the white space on both sides of it, unless `special_tokens_map.json` describes it as one
  that does not, as it does for `<s>`, `</s>` and `<unk>` (transformers 4.31, `PreTrainedTokenizer.tokenize`);
* the merges of a sentencepiece model are not stored but follow from the scores of its pieces.

One difference is known: Python counts the control characters U+001C to U+001F as white space, this tokenizer does
not, so beside an added token they stay. Knows nothing of prompts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

from deixis.checkpoints.find import read_json
from deixis.checkpoints.pieces import BPE, BYTE, CONTROL, NORMAL, UNKNOWN, PieceModel, read_pieces
from deixis.checkpoints.processor_files import open_tokenizer
from deixis.checkpoints.tokenizer_json import read_tokenizer_json
from deixis.errors import CheckpointError

SPACE = "▁"
FILES = ("tokenizer.model", "tokenizer.json")
"""What a tokenizer is read from: the first one there, as the published code does (`use_fast=False`)."""
FILES_BESIDE = ("added_tokens.json", "special_tokens_map.json")


def find_tokenizer(place: Path) -> Path | None:
    """The tokenizer file that `place` is or holds; None where there is none."""
    if place.is_file():
        return place
    return next((place / name for name in FILES if (place / name).is_file()), None)


def read_tokenizer(file: Path, whole: Sequence[str], vocab_size: int, extra: Sequence[str]) -> PreTrainedTokenizerFast:
    """The tokenizer in `file` and the JSON files beside it, with the tokens `extra` added from `vocab_size` on.

    `whole`: tokens the model needs, each of which must be one id. Raises CheckpointError where one of them
    is missing or split, or the number of tokens is not `vocab_size`, that of the embeddings.
    """
    tokenizer = _from_pieces(file) if file.suffix == ".model" else _from_json(file)
    vocabulary = tokenizer.get_vocab()
    for token in whole:
        if token not in vocabulary:
            raise CheckpointError(
                f"tokenizer '{file}': expected the special token {token} among its {len(vocabulary)}, got none; it may "
                "be the base model's tokenizer, or its added_tokens.json is missing"
            )
        _check_whole(tokenizer, token, file)
    if len(vocabulary) != vocab_size:
        raise CheckpointError(
            f"tokenizer '{file}': expected {vocab_size} tokens, as many as rows of the embeddings, got "
            f"{len(vocabulary)}; it belongs to another checkpoint"
        )
    placed = [_special(token) for token in extra if token not in vocabulary]
    tokenizer.add_tokens(placed, special_tokens=True)
    return tokenizer


def begun_tokenizer(folder: Path, tokens: Sequence[str], placeholders: Sequence[str]) -> PreTrainedTokenizerFast:
    """The tokenizer of a language model, with the tokens that it lacks behind its own, and then the placeholders.

    Every one of `tokens` is one id. Raises CheckpointError where the folder has no tokenizer.
    """
    file = find_tokenizer(folder)
    if file is None:
        raise CheckpointError(
            f"'{folder}': expected the language model's tokenizer ({' or '.join(FILES)}) beside its weights, got none"
        )
    from_pieces = file.suffix == ".model"
    tokenizer = _from_pieces(file) if from_pieces else open_tokenizer(folder)
    if tokenizer.eos_token is None:
        tokenizer = _from_json(file)  # LLaMA's, without the names of its special tokens
    known = tokenizer.get_vocab()
    # as training adds them to LLaMA's slow tokenizer, where they swallow the spaces beside them
    tokenizer.add_tokens([_added(t, {}) if from_pieces else _special(t) for t in tokens if t not in known])
    for token in tokens:
        _check_whole(tokenizer, token, file)
    tokenizer.add_tokens([_special(token) for token in placeholders if token not in known], special_tokens=True)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.unk_token or tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def _special(token: str) -> AddedToken:
    return AddedToken(token, special=True, normalized=False)


def _check_whole(tokenizer: PreTrainedTokenizerFast, token: str, file: Path) -> None:
    """Raises CheckpointError unless `token` is one id, alone and within text."""
    own = tokenizer.get_vocab()[token]
    for text in (token, f"a{token}b", f"It is {token}."):
        ids = tokenizer.encode(text, add_special_tokens=False)
        if ids.count(own) != 1 or (text == token and len(ids) > 1):
            raise CheckpointError(
                f"tokenizer '{file}': expected {token} as the one id {own}, got it split: '{text}' becomes {ids}; a "
                "tokenizer.model with its added_tokens.json keeps it whole"
            )


def _from_json(file: Path) -> PreTrainedTokenizerFast:
    try:
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=read_tokenizer_json(file))
    except CheckpointError as error:
        raise CheckpointError(
            f"tokenizer '{file}': expected a tokenizer.json, got a file that cannot be read ({error})"
        ) from error
    vocabulary = tokenizer.get_vocab()
    if not {"<s>", "</s>", "<unk>"} <= vocabulary.keys():
        raise CheckpointError(f"tokenizer '{file}': expected LLaMA's <s>, </s> and <unk> in it, got another family's")
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    tokenizer.add_special_tokens({name: _token_of(tokenizer, token) for name, token in names.items()})
    tokenizer.padding_side = "left"
    return tokenizer


def _token_of(tokenizer: PreTrainedTokenizerFast, content: str) -> AddedToken:
    """The added token of that content as it is in the tokenizer, or one that leaves spaces alone."""
    for token in tokenizer.added_tokens_decoder.values():
        if token.content == content:
            return token
    return AddedToken(content, special=True, normalized=False)


def _from_pieces(file: Path) -> PreTrainedTokenizerFast:
    """A fast tokenizer of the pieces in `file`, with the added tokens listed in the files beside it."""
    model = read_pieces(file)
    _check_pieces(file, model)
    tokenizer = Tokenizer(
        models.BPE(
            vocab={text: index for index, text in enumerate(model.texts)},
            merges=_merges(model),
            unk_token=model.texts[model.unk_id],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    bos, eos, unk = (model.texts[index] for index in (model.bos_id, model.eos_id, model.unk_id))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, model.bos_id)]
    )
    described = read_json(file.parent / "special_tokens_map.json", "tokenizer")
    tokenizer.add_special_tokens([_control(text, described) for text in (unk, bos, eos)])
    _add_tokens(tokenizer, file, len(model.texts), described)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=_control(bos, described),
        eos_token=_control(eos, described),
        unk_token=_control(unk, described),
        pad_token=_control(unk, described),
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _check_pieces(file: Path, model: PieceModel) -> None:
    """Raises CheckpointError for a model that the fast tokenizer would not follow exactly."""
    known = {NORMAL, UNKNOWN, CONTROL, BYTE}
    if model.algorithm != BPE or not model.byte_fallback or not model.plain or not set(model.types) <= known:
        raise CheckpointError(
            f"tokenizer '{file}': expected a sentencepiece model like LLaMA's (byte pairs, byte fallback, text taken "
            "as it is), got another; the checkpoint's own tokenizer.model is one"
        )


def _merges(model: PieceModel) -> list[tuple[str, str]]:
    """Pairs of pieces in the order in which sentencepiece joins them: the best score of what they make first."""
    place = {text: index for index, text in enumerate(model.texts)}
    usable = {text for text, piece_type in zip(model.texts, model.types, strict=True) if piece_type == NORMAL}
    found = []
    for text in usable:
        halves = [(text[:cut], text[cut:]) for cut in range(1, len(text))]
        score = -model.scores[place[text]]
        found += [(score, place[a], place[b], (a, b)) for a, b in halves if a in usable and b in usable]
    return [pair for *_, pair in sorted(found)]


def _add_tokens(tokenizer: Tokenizer, file: Path, first: int, described: dict[str, Any]) -> None:
    """Adds the tokens of added_tokens.json in the order of their ids, which must follow on the pieces."""
    added = read_json(file.parent / "added_tokens.json", "tokenizer")
    listed = sorted((token for token, index in added.items() if index >= first), key=added.__getitem__)
    for index, token in enumerate(listed, first):
        if added[token] != index:
            raise CheckpointError(
                f"tokenizer '{file}': expected the ids in added_tokens.json to follow on from {first} without a gap, "
                f"got {added[token]} for {token}"
            )
    tokenizer.add_tokens([_added(token, described) for token in listed])


def _control(text: str, described: dict[str, Any]) -> AddedToken:
    """A control piece; written as a bare word in the special tokens' map it swallows spaces, as any added token."""
    bare = text in described.values()
    if any(isinstance(token, dict) and token["content"] == text for token in described.values()):
        bare = False
    return AddedToken(text, special=True, normalized=False, lstrip=bare, rstrip=bare)


def _added(text: str, described: dict[str, Any]) -> AddedToken:
    for token in described.values():
        if isinstance(token, dict) and token.get("content") == text:
            return AddedToken(
                text, normalized=False, lstrip=token.get("lstrip", False), rstrip=token.get("rstrip", False)
            )
    return AddedToken(text, normalized=False, lstrip=True, rstrip=True)
