"""Files whose headers announce a size, whatever comes behind them."""

import struct
import zlib


def png(width: int, height: int, bits: int = 8, colours: int = 2, body: bytes = b"") -> bytes:
    """A PNG whose header announces a size; `body`: of its pixels, packed, of which nothing may be there."""
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def gif(width: int, height: int, frames: int = 1) -> bytes:
    """A GIF that announces a size, with frames of one pixel."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


def npy(shape: str, dtype: str = "<f8") -> bytes:
    """A NumPy file that announces a shape, without its numbers."""
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head
