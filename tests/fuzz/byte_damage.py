"""Damage that knows nothing of the format: bits, cuts, blocks, and the beginning or the ending of another format."""

from random import Random

BLOCK = 64  # bytes of a block that is doubled, zeroed or moved, at most
HEAD = 192  # bytes from the beginning where half of the damage is done: headers are there


def flipped_bits(data: bytes, rng: Random) -> bytes:
    """One to eight bits flipped."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def other_bytes(data: bytes, rng: Random) -> bytes:
    """One to six bytes set to anything."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        changed[_place(data, rng)] = rng.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)])
    return bytes(changed)


def cut(data: bytes, rng: Random) -> bytes:
    """The beginning alone."""
    return data[: rng.choice([_place(data, rng), rng.randrange(len(data)), len(data) - rng.randint(1, 4)])]


def without_beginning(data: bytes, rng: Random) -> bytes:
    """The end alone."""
    return data[_place(data, rng) :]


def doubled_block(data: bytes, rng: Random) -> bytes:
    """A block twice."""
    at = _place(data, rng)
    size = rng.randint(1, BLOCK)
    return data[: at + size] + data[at:]


def zeroed_block(data: bytes, rng: Random) -> bytes:
    """A block of zeros, or of ones."""
    at, size = _place(data, rng), rng.randint(1, BLOCK)
    return data[:at] + rng.choice([b"\0", b"\xff"]) * len(data[at : at + size]) + data[at + size :]


def inserted_bytes(data: bytes, rng: Random) -> bytes:
    """Random bytes, or what has a meaning in text, in between."""
    at = _place(data, rng)
    known = [
        b"\0",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b'"',
        b"\r\n",
        b"%s%n",
        b"\x1b[2J",
        b"../../",
        b"1e999",
        b"-",
        b"{",
    ]
    return data[:at] + rng.choice([rng.randbytes(rng.randint(1, BLOCK)), rng.choice(known)]) + data[at:]


def lost_block(data: bytes, rng: Random) -> bytes:
    """A block missing."""
    at = _place(data, rng)
    return data[:at] + data[at + rng.randint(1, BLOCK) :]


def random_tail(data: bytes, rng: Random) -> bytes:
    """Random bytes behind the format's first ones."""
    return data[: rng.randint(1, min(HEAD, len(data)))] + rng.randbytes(rng.randint(0, 400))


def empty(data: bytes, rng: Random) -> bytes:
    """No bytes, or blank ones."""
    return rng.choice([b"", b"\n", b" " * 9, b"\0" * 64])


def _place(data: bytes, rng: Random) -> int:
    return rng.randrange(min(HEAD, len(data)) if rng.random() < 0.5 else len(data))


BYTE_DAMAGE = (
    flipped_bits,
    other_bytes,
    cut,
    without_beginning,
    doubled_block,
    zeroed_block,
    inserted_bytes,
    lost_block,
    random_tail,
    empty,
)
