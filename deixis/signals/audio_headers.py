"""A WAV or AIFF whose samples are there and whose header does not announce them.

libsndfile reads the samples; it sees none where their length is missing.
"""

from io import BytesIO
from pathlib import Path

from deixis.files.budget import check_decoded
from deixis.files.regular import open_regular
from deixis.signals.announced_sizes import STREAMED_BYTES, Order, chunks, sample_chunk


def with_length(path: Path) -> BytesIO | None:
    """The content with the length of its samples, where a WAV or AIFF announces none and some are there; else None.

    A recorder that is switched off leaves such files.
    """
    begin, length, order = sample_chunk(path)
    size = path.stat().st_size
    if not begin or length or _are_chunks(path, begin, order):
        return None
    check_decoded(path.name, size, f"{size} bytes of samples")
    with open_regular(path) as stream:
        content = bytearray(stream.read())
    content[begin - 4 : begin] = min(size - begin, STREAMED_BYTES).to_bytes(4, order)
    return BytesIO(content)


def _are_chunks(path: Path, begin: int, order: Order) -> bool:
    """Whether what lies behind `begin` is nothing, or chunks that end with the file: then the recording is empty."""
    end = begin
    with open_regular(path) as stream:
        for name, start, length in chunks(stream, begin, order):
            if not name.isascii() or not name.decode("ascii").isprintable():
                return False
            end = start + length
    return path.stat().st_size - end in (0, 1)
