"""Masks as Label Studio's brush stores them: the bytes of an RGBA image in the run-length code of thi.ng/rle-pack.

A header of the number of bytes (32 bits), the word size less 1 (5), and four sizes of run lengths less 1 (4 each); then
runs: one bit "repeated", two bits that choose a size, a length less 1, and one byte or as many as the length.
Source: the documentation of thi.ng/umbrella, packages/rle-pack.
"""

import numpy as np
from jaxtyping import Bool

WORD_BITS = 8
SIZE_BITS = (3, 4, 8, 16)
CHANNELS = 4


def encode(mask: Bool[np.ndarray, "height width"]) -> list[int]:
    """The packed bytes of a mask: opaque where it is true."""
    flat = np.repeat(mask.reshape(-1), CHANNELS)
    edges = np.flatnonzero(np.diff(flat)) + 1
    bits = [_bits(len(flat), 32), _bits(WORD_BITS - 1, 5), *(_bits(size - 1, 4) for size in SIZE_BITS)]
    for start, end in zip([0, *edges.tolist()], [*edges.tolist(), len(flat)], strict=True):
        value = 255 if flat[start] else 0
        for length in _pieces(end - start):
            choice = next(n for n, size in enumerate(SIZE_BITS) if length <= 1 << size)
            bits += ["1", _bits(choice, 2), _bits(length - 1, SIZE_BITS[choice]), _bits(value, WORD_BITS)]
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return np.packbits(np.frombuffer(text.encode(), np.uint8) == ord("1")).tolist()


def decode(packed: list[int], height: int, width: int) -> Bool[np.ndarray, "height width"]:
    """The mask of packed bytes, true where a pixel is at all opaque. Raises ValueError for other sizes."""
    text = "".join(f"{byte & 255:08b}" for byte in packed)
    place = 0

    def take(count: int) -> int:
        nonlocal place
        if place + count > len(text):
            raise ValueError("rle: expected more bytes")
        place += count
        return int(text[place - count : place], 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    if total != height * width * CHANNELS or word != WORD_BITS:
        raise ValueError(f"rle: expected {height * width * CHANNELS} bytes of 8 bits, got {total} of {word}")
    values = np.zeros(total, np.uint8)
    at = 0
    while at < total:
        repeated, length = take(1), take(sizes[take(2)]) + 1
        if at + length > total:
            raise ValueError("rle: expected fewer bytes")
        values[at : at + length] = take(word) if repeated else [take(word) for _ in range(length)]
        at += length
    return values.reshape(height, width, CHANNELS)[..., 3] > 0


def _pieces(length: int) -> list[int]:
    whole, rest = divmod(length, 1 << SIZE_BITS[-1])
    return [1 << SIZE_BITS[-1]] * whole + ([rest] if rest else [])


def _bits(value: int, count: int) -> str:
    return f"{value:0{count}b}"
