"""Reads a sentencepiece model file: its pieces and the few settings that decide how text becomes pieces.

The file is a protocol buffer (google/sentencepiece, `sentencepiece_model.proto`); the required fields are few and of
simple types, so they are read here without a protobuf library. Encodes nothing: that is `checkpoints.tokenizer`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deixis.errors import CheckpointError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""Types of a piece, as numbered in the file."""
BPE = 2
SCORE_BYTES = 4
_MODEL = {"pieces": 1, "trainer": 2, "normalizer": 3}
_PIECE = {"text": 1, "score": 2, "type": 3}
_TRAINER = {"model_type": 3, "byte_fallback": 35, "unk_id": 40, "bos_id": 41, "eos_id": 42}
_NORMALIZER = {"name": 1, "charsmap": 2, "add_dummy_prefix": 3, "remove_extra_whitespaces": 4, "escape_whitespaces": 5}


@dataclass(frozen=True)
class PieceModel:
    """texts, scores and types of the pieces, by id; ids of the three control pieces; the relevant settings.

    `plain`: text is encoded without normalisation and removal of spaces, only a space is put before it.
    """

    texts: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[int, ...]
    unk_id: int
    bos_id: int
    eos_id: int
    algorithm: int
    byte_fallback: bool
    plain: bool


def read_pieces(path: Path) -> PieceModel:
    """The model in the file. Raises CheckpointError for a file that is no sentencepiece model."""
    try:
        return _read_model(path.read_bytes())
    except CheckpointError as error:
        raise CheckpointError(
            f"tokenizer '{path}': expected a sentencepiece model, got a file that is none ({error})"
        ) from error


def _read_model(data: bytes) -> PieceModel:
    texts, scores, types = [], [], []
    settings: dict[str, dict[int, int | bytes]] = {"trainer": {}, "normalizer": {}}
    for field, value in _fields(data):
        if field == _MODEL["pieces"]:
            piece = dict(_fields(value))
            texts.append(_text(piece.get(_PIECE["text"])))
            scores.append(_score(piece.get(_PIECE["score"], bytes(SCORE_BYTES))))
            types.append(piece.get(_PIECE["type"], NORMAL))
        elif field == _MODEL["trainer"]:
            settings["trainer"] = dict(_fields(value))
        elif field == _MODEL["normalizer"]:
            settings["normalizer"] = dict(_fields(value))
    trainer, normalizer = settings["trainer"], settings["normalizer"]
    unk_id, bos_id, eos_id = (_integer(trainer, name, n) for n, name in enumerate(("unk_id", "bos_id", "eos_id")))
    if not texts or max(unk_id, bos_id, eos_id) >= len(texts):
        raise CheckpointError("no pieces, or none of the control tokens")
    plain = (
        normalizer.get(_NORMALIZER["name"], b"") == b"identity"
        and not normalizer.get(_NORMALIZER["charsmap"], b"")
        and normalizer.get(_NORMALIZER["add_dummy_prefix"], 1) == 1
        and normalizer.get(_NORMALIZER["remove_extra_whitespaces"], 1) == 0
        and normalizer.get(_NORMALIZER["escape_whitespaces"], 1) == 1
    )
    return PieceModel(
        tuple(texts),
        tuple(scores),
        tuple(types),
        unk_id,
        bos_id,
        eos_id,
        _integer(trainer, "model_type", 1),
        trainer.get(_TRAINER["byte_fallback"], 0) == 1,
        plain,
    )


def _integer(trainer: dict[int, int | bytes], name: str, default: int) -> int:
    value = trainer.get(_TRAINER[name], default)
    if not isinstance(value, int):
        raise CheckpointError(f"no number for {name}")
    return value


def _text(value: int | bytes | None) -> str:
    if not isinstance(value, bytes):
        raise CheckpointError("a piece without text")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError("a piece without text") from error


def _score(value: int | bytes) -> float:
    if not isinstance(value, bytes) or len(value) != SCORE_BYTES:
        raise CheckpointError("a piece without a score")
    return struct.unpack("<f", value)[0]


def _fields(data: int | bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of every field of a message: integers as int, everything else as bytes."""
    if not isinstance(data, bytes):
        raise CheckpointError("a number in place of a message")
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(data, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, place = data[place : place + size], place + size
        elif wire == 2:
            size, place = _varint(data, place)
            value, place = data[place : place + size], place + size
        else:
            raise CheckpointError(f"wire type {wire}")
        if place > len(data):
            raise CheckpointError("cut short")
        yield number, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """(integer, position after it): seven bits per byte, lowest first."""
    value = shift = 0
    while place < len(data):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise CheckpointError("cut short")
