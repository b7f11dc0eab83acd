"""How many bytes the header of a recording announces, and how many of them are there: a copy may have stopped early.

The libraries that decode sound and video shorten such files without a word. Only files whose header states a size are
judged: recorders that stream leave it out.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from deixis.files.regular import open_regular

STREAMED_BYTES = 0x7FFFF000
"""Programs that stream a WAV write about 2 or 4 GB where its size should stand; more than any file we read."""
STREAMED_LONG = 2**48
"""The same where the size has 8 bytes."""
MAX_CHUNKS = 100_000
"""More chunks than any recorder writes: what follows them is not looked at."""
W64_RIFF, W64_DATA = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00", b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0"
"""The names of Wave64: that of the file, and the first 12 bytes of that of its samples."""
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
"""How Matroska and WebM begin, and how the element that holds all of the recording does."""
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""How ASF (WMV) begins, and the name of the object with the properties of the file."""
ASF_HEAD_BYTES = 2**16
OGG_PAGE_BYTES = 27 + 255 + 255 * 255
"""The longest page of an OGG file."""

Order = Literal["little", "big"]
Announced = tuple[int, int]
"""Where the content begins, and how many bytes of it are announced."""


def missing_bytes(path: Path) -> int:
    """How many bytes of its content the header of a recording announces that the file lacks.

    0 for a whole file, for one that announces nothing, and for other formats than WAV, RF64, AIFF, AU, Wave64, CAF,
    OGG, Matroska, WebM and ASF.
    """
    return _lack(path)[0]


def missing_share(path: Path) -> float:
    """The same, as a share of what is announced."""
    lacking, announced = _lack(path)
    return lacking / announced if lacking else 0.0


def sample_chunk(path: Path) -> tuple[int, int, Order]:
    """(where the samples of a WAV or AIFF begin, how many bytes are announced, byte order); zeros for other files."""
    with open_regular(path) as stream:
        head = stream.read(12)
        order: Order = "little" if head.startswith(b"RIFF") else "big"
        if (head[:4], head[8:]) in ((b"RIFF", b"WAVE"), (b"RIFX", b"WAVE"), (b"FORM", b"AIFF"), (b"FORM", b"AIFC")):
            for name, begin, length in chunks(stream, len(head), order):
                if name == (b"data" if head.endswith(b"WAVE") else b"SSND"):
                    return begin, length, order
    return 0, 0, order


def chunks(stream: BinaryIO, begin: int, order: Order) -> Iterator[tuple[bytes, int, int]]:
    """(name, where it begins, its length) of every chunk of a WAV or AIFF from `begin` on."""
    for _ in range(MAX_CHUNKS):
        if stream.seek(begin) != begin or len(chunk := stream.read(8)) != 8:
            return
        length = int.from_bytes(chunk[4:], order)
        yield chunk[:4], begin + 8, length
        begin += 8 + length + length % 2


def _lack(path: Path) -> tuple[int, int]:
    """(bytes that are missing, bytes that are announced)."""
    begin, length, _ = sample_chunk(path)
    if begin and length >= STREAMED_BYTES:
        return 0, 0
    size = path.stat().st_size
    if not begin:
        with open_regular(path) as stream:
            head = stream.read(16)
            stream.seek(0)
            begin, length = next((read(stream, size) for mark, read in READERS if head.startswith(mark)), (0, 0))
    if length >= STREAMED_LONG:
        return 0, 0
    return max(0, begin + length - size), length


def _rf64(stream: BinaryIO, size: int) -> Announced:
    """A WAV beyond 4 GB: the length of the samples stands in the chunk ds64, behind that of the file."""
    found: dict[bytes, tuple[int, int]] = {}
    for name, begin, length in chunks(stream, 12, "little"):
        found[name] = begin, length
        if name == b"data":
            break
    if b"ds64" not in found or b"data" not in found:
        return 0, 0
    stream.seek(found[b"ds64"][0] + 8)
    return found[b"data"][0], int.from_bytes(stream.read(8), "little")


def _au(stream: BinaryIO, size: int) -> Announced:
    """.snd, where the samples begin, and how many bytes they are, all bits set where that is not known."""
    stream.seek(4)
    begin, length = int.from_bytes(stream.read(4), "big"), int.from_bytes(stream.read(4), "big")
    return (begin, length) if length < STREAMED_BYTES else (0, 0)


def _w64(stream: BinaryIO, size: int) -> Announced:
    """Chunks of 16 bytes of a name and 8 of a length that counts them; each begins at a multiple of 8."""
    begin = 40
    for _ in range(MAX_CHUNKS):
        stream.seek(begin)
        head = stream.read(24)
        length = int.from_bytes(head[16:], "little")
        if len(head) < 24 or head.startswith(W64_DATA) or not 24 <= length < size:
            return (begin, length) if head.startswith(W64_DATA) else (0, 0)
        begin += length + -length % 8
    return 0, 0


def _caf(stream: BinaryIO, size: int) -> Announced:
    """Chunks of 4 bytes of a name and 8 of a length; -1 for the samples of a recording that goes on to the end."""
    begin = 8
    for _ in range(MAX_CHUNKS):
        if begin > size:
            break
        stream.seek(begin)
        head = stream.read(12)
        length = int.from_bytes(head[4:], "big", signed=True)
        if head[:4] == b"data" or len(head) < 12 or length < 0:
            return (begin + 12, length) if head[:4] == b"data" and length > 0 else (0, 0)
        begin += 12 + length
    return 0, 0


def _matroska(stream: BinaryIO, size: int) -> Announced:
    """The header's element, then that of the recording; all bits of a length set where it is not known."""
    begin = 0
    while begin < size:
        stream.seek(begin)
        name, head = stream.read(4), stream.read(8)
        if len(head) < 8 or not head[0]:
            return 0, 0
        width = 9 - head[0].bit_length()
        known = int.from_bytes(head[:width], "big") & ((1 << 7 * width) - 1)
        begin += 4 + width
        if name == SEGMENT:
            return (0, 0) if known == (1 << 7 * width) - 1 else (begin, known)
        if name != EBML:
            return 0, 0
        begin += known
    return 0, 0


def _asf(stream: BinaryIO, size: int) -> Announced:
    """The length of the whole file, behind the name, the length and the number of an object of the header."""
    head = stream.read(ASF_HEAD_BYTES)
    at = head.find(ASF_FILE)
    return (0, int.from_bytes(head[at + 40 : at + 48], "little")) if at >= 0 else (0, 0)


def _ogg(stream: BinaryIO, size: int) -> Announced:
    """The last page, which says in its header how long it is: a cut goes through a page nearly always."""
    start = max(0, size - OGG_PAGE_BYTES)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(b"OggS\x00")
    counts = tail[at + 27 : at + 27 + tail[at + 26]] if 0 <= at < len(tail) - 26 else b""
    if at < 0 or not counts:
        return 0, 0
    return start + at, 27 + tail[at + 26] + sum(counts)


READERS: tuple[tuple[bytes, Callable[[BinaryIO, int], Announced]], ...] = (
    (b"RF64", _rf64),
    (b".snd", _au),
    (W64_RIFF, _w64),
    (b"caff", _caf),
    (EBML, _matroska),
    (ASF, _asf),
    (b"OggS", _ogg),
)
"""How a file begins -> where its content begins, and how many bytes are announced; zeros where that is not stated."""
