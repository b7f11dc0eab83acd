"""Headers that lie: numbers at their known places in a format, or anywhere in a header, set to what no file has."""

import re
import struct
import zlib
from dataclasses import dataclass
from random import Random

INTEGERS = (0, 1, -1, 2, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, 9_999_991, 1024, 50_000)
REALS = (0.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, 1e-320, 1e20, 2.0**63)
TEXTS = ("0", "-1", "2147483648", "9223372036854775808", "1" + "0" * 400, "1e308", "nan", "inf", "0x10", "1.5", "")
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
TEXT_HEAD = 4096  # bytes of a text in which numbers are replaced


@dataclass(frozen=True)
class Field:
    """A number in a header: `code` is its struct format, `at` its place behind the end of `tag` (or in the file)."""

    name: str
    code: str
    at: int
    tag: bytes = b""

    def place(self, data: bytes) -> int | None:
        start = data.find(self.tag) + len(self.tag) if self.tag else 0
        fits = start >= len(self.tag) and start + self.at + struct.calcsize(self.code) <= len(data)
        return start + self.at if fits else None


def _fields(text: str, tag: bytes = b"") -> tuple[Field, ...]:
    """The fields of lines "name code place"."""
    rows = (line.split() for line in text.strip().splitlines())
    return tuple(Field(name, code, int(at), tag) for name, code, at in rows)


_ISO = (
    *_fields("timescale >I 8\nduration >I 12", b"mvhd\0\0\0\0"),
    *_fields("width >I 72\nheight >I 76", b"tkhd\0\0\0"),
    *_fields("entries >I 0\ncount >I 4\nstep >I 8", b"stts\0\0\0\0"),
    *_fields("size >I 0\ncount >I 4", b"stsz\0\0\0\0"),
    *_fields("entries >I 0\nplace >I 4", b"stco\0\0\0\0"),
    *_fields("chunk >I 4\nsamples >I 8", b"stsc\0\0\0\0"),
    *_fields("width >H 24\nheight >H 26", b"mp4v"),
)
FIELDS: dict[str, tuple[Field, ...]] = {
    ".png": (
        *_fields("width >I 0\nheight >I 4\ndepth B 8\ncolours B 9\ninterlaced B 12", b"IHDR"),
        *_fields("length >I -8", b"IDAT"),
    ),
    ".jpg": (*_fields("height >H 3\nwidth >H 5\nchannels B 7", b"\xff\xc0"), *_fields("length >H 0", b"\xff\xc4")),
    ".gif": _fields("width <H 6\nheight <H 8\nflags B 10"),
    ".bmp": _fields("offset <I 10\nheader <I 14\nwidth <i 18\nheight <i 22\nbits <H 28\npacking <I 30\ncolours <I 46"),
    ".tif": _fields("directory <I 4\nentries <H 8\nvalue <I 18\nvalue2 <I 30\nvalue3 <I 42\ncount <I 38\ntype <H 12"),
    ".webp": (*_fields("size <I 4"), *_fields("chunk <I 0\nwidth <H 10\nheight <H 12", b"VP8 ")),
    ".jp2": _fields("height >I 0\nwidth >I 4\nchannels >H 8", b"ihdr")
    + _fields("width >I 4\nheight >I 8\ntile >I 20", b"\xff\x51"),
    ".wav": (
        *_fields("channels <H 6\nrate <I 8\nbyte_rate <I 12\nblock <H 16\nbits <H 18\ncoding <H 4\nsize <I 0", b"fmt "),
        *_fields("size <I 0", b"data"),
        *_fields("size <I 4"),
    ),
    ".au": _fields("offset >I 4\nsize >I 8\ncoding >I 12\nrate >I 16\nchannels >I 20"),
    ".aiff": _fields("channels >H 4\nframes >I 6\nbits >H 10\nrate >H 12\nrate2 >Q 14", b"COMM"),
    ".flac": _fields("blocks >I 8\nrate >I 18\ntotal >Q 18\nframe >I 12"),
    ".ogg": _fields("pages <I 14\nposition <q 6\nsegments B 26\nchannels B 39\nrate <I 40\nbitrate <i 48"),
    ".mp3": _fields("frame >I 0"),
    ".w64": _fields("size <q 16\nchannels <H 66\nrate <I 68\nblock <H 76"),
    ".caf": _fields("rate >d 20\nbytes >I 40\nframes >I 44\nchannels >I 48\nbits >I 52"),
    ".mp4": _ISO,
    ".mov": _ISO,
    ".avi": (
        *_fields("step <I 4\nflags <I 16\nframes <I 20\nstreams <I 28\nwidth <I 36\nheight <I 40", b"avih"),
        *_fields("scale <I 24\nrate <I 28\nlength <I 36", b"strh"),
        *_fields("size <I 4\nwidth <i 8\nheight <i 12", b"strf"),
    ),
    ".nii": _fields(
        "header <i 0\ndims <h 40\nx <h 42\ny <h 44\nz <h 46\nt <h 48\ntype <h 70\nbits <h 72\n"
        "step <f 80\nstep_t <f 92\noffset <f 108\nslope <f 112\nintercept <f 116\nrow <f 280\n"
        "qform <h 252\nsform <h 254"
    ),
    ".stl": _fields("count <I 80\nx <f 96\ny <f 100"),
    ".glb": _fields("version <I 4\nlength <I 8\nchunk <I 12\nkind <I 16"),
    ".safetensors": _fields("header <Q 0"),
    ".zip": (
        *_fields("flags <H 2\nmethod <H 4\npacked <I 14\nsize <I 18\nname <H 22\nextra <H 24", b"PK\x03\x04"),
        *_fields("flags <H 4\nmethod <H 6\npacked <I 16\nsize <I 20\nname <H 24\nplace <I 38", b"PK\x01\x02"),
        *_fields("entries <H 4\nentries2 <H 6\ndirectory <I 8\nplace <I 12", b"PK\x05\x06"),
    ),
    ".tar": (),
}
FIELDS |= {
    ".m4v": _ISO,
    ".npz": FIELDS[".zip"],
    ".pth": FIELDS[".zip"],
    ".jpeg": FIELDS[".jpg"],
    ".tiff": FIELDS[".tif"],
}
TEXT_HEADERS = (".ply", ".pcd", ".off", ".obj", ".npy", ".csv", ".ppm", ".pgm", ".txt", ".tsv", ".xml", ".tar")


def lying_header(data: bytes, rng: Random, suffix: str) -> bytes:
    """The file with a number of its header set to an extreme: of its known fields, of its text, or anywhere."""
    found = [(field, at) for field in FIELDS.get(suffix, ()) if (at := field.place(data)) is not None]
    if found and rng.random() < 0.8:
        changed = bytearray(data)
        for field, at in rng.sample(found, k=rng.choice([1, 1, 1, min(2, len(found))])):
            struct.pack_into(field.code, changed, at, _extreme(field.code, rng))
        return _with_checksums(bytes(changed)) if suffix == ".png" else bytes(changed)
    if suffix in TEXT_HEADERS and (numbers := list(NUMBER.finditer(data[:TEXT_HEAD]))):
        match = rng.choice(numbers)
        return data[: match.start()] + rng.choice(TEXTS).encode() + data[match.end() :]
    code = rng.choice(["<H", ">H", "<I", ">I", "<Q", ">Q", "<f", "<d"])
    size = struct.calcsize(code)
    if len(data) < size:
        return data
    at = rng.randrange(min(512, len(data) - size + 1))
    return data[:at] + struct.pack(code, _extreme(code, rng)) + data[at + size :]


def _extreme(code: str, rng: Random) -> int | float:
    """A number of the extremes that fits into the field."""
    kind = code[-1]
    if kind in "fd":
        value = rng.choice(REALS)
        return value if kind == "d" or abs(value) < 3e38 or value != value else float("inf")
    bits = 8 * struct.calcsize(code)
    value = rng.choice(INTEGERS) % 2**bits
    return value - 2**bits if kind.islower() and value >= 2 ** (bits - 1) else value


def _with_checksums(png: bytes) -> bytes:
    """A PNG whose first chunk has its checksum again: a reader that checks it would see nothing else."""
    head = png[12:29]
    return png[:29] + struct.pack(">I", zlib.crc32(head)) + png[33:]
