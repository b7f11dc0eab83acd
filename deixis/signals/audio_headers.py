"""Chunks of WAV and AIFF files: how many bytes of samples are announced, and how many are there.

libsndfile reads the samples; it says nothing of a file that is cut short, and sees none where their length is missing.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

STREAMED_BYTES = 0x7FFFF000
"""Programs that stream a WAV write about 2 or 4 GB where its size should stand; more than any file we read."""


def missing_bytes(path: Path) -> int:
    """How many bytes of samples the header of a WAV or AIFF announces that the file lacks; 0 for a whole or other file.

    libsndfile shortens such a file without a word.
    """
    begin, length, _ = _sample_chunk(path)
    return 0 if length >= STREAMED_BYTES else max(0, begin + length - path.stat().st_size)


def with_length(path: Path) -> Path | BytesIO:
    """The file; or its content with the length of its samples, where a WAV or AIFF announces none and some are there.

    A recorder that is switched off leaves such files.
    """
    begin, length, order = _sample_chunk(path)
    size = path.stat().st_size
    if not begin or length or _are_chunks(path, begin, order):
        return path
    content = bytearray(path.read_bytes())
    content[begin - 4 : begin] = min(size - begin, STREAMED_BYTES).to_bytes(4, order)
    return BytesIO(content)


def _sample_chunk(path: Path) -> tuple[int, int, Literal["little", "big"]]:
    """(where the samples of a WAV or AIFF begin, how many bytes are announced, byte order); zeros for other files."""
    with path.open("rb") as stream:
        head = stream.read(12)
        is_wav = (head[:4], head[8:]) == (b"RIFF", b"WAVE")
        order: Literal["little", "big"] = "little" if is_wav else "big"
        if is_wav or (head[:4], head[8:]) == (b"FORM", b"AIFF"):
            for name, begin, length in _chunks(stream, len(head), order):
                if name == (b"data" if is_wav else b"SSND"):
                    return begin, length, order
    return 0, 0, order


def _chunks(stream: BinaryIO, begin: int, order: Literal["little", "big"]) -> Iterator[tuple[bytes, int, int]]:
    """(name, where it begins, its length) of every chunk from `begin` on."""
    while stream.seek(begin) == begin and len(chunk := stream.read(8)) == 8:
        length = int.from_bytes(chunk[4:], order)
        yield chunk[:4], begin + 8, length
        begin += 8 + length + length % 2


def _are_chunks(path: Path, begin: int, order: Literal["little", "big"]) -> bool:
    """Whether what lies behind `begin` is nothing, or chunks that end with the file: then the recording is empty."""
    end = begin
    with path.open("rb") as stream:
        for name, start, length in _chunks(stream, begin, order):
            if not name.isascii() or not name.decode("ascii").isprintable():
                return False
            end = start + length
    return path.stat().st_size - end in (0, 1)
