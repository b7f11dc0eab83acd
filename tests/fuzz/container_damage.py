"""Damage inside of containers, which are then closed again: checksums and sizes fit, and the content does not."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from random import Random

from tests.fuzz.value_damage import changed_value

Inner = Callable[[str, bytes, Random], bytes]
"""Damage of a file by its name."""


def damaged_gzip(data: bytes, rng: Random, inner: Inner, name: str) -> bytes:
    """A gzip file of damaged content."""
    return gzip.compress(inner(name.removesuffix(".gz"), gzip.decompress(data), rng), compresslevel=1, mtime=0)


def damaged_zip(data: bytes, rng: Random, inner: Inner) -> bytes:
    """An archive with one member damaged, lost, doubled or renamed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at, made = rng.randrange(len(members)), io.BytesIO()
    name, content = members[at]
    way = rng.choice(["content", "content", "content", "lost", "doubled", "renamed"])
    if way == "content":
        members[at] = name, inner(name, content, rng)
    elif way == "lost":
        del members[at]
    elif way == "renamed":
        members[at] = rng.choice(["../x.npy", "x", "", "a/b.npy", "\u202e.npy"]), content
    else:
        members.append((f"{name}2", content))
    with zipfile.ZipFile(made, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def damaged_tar(data: bytes, rng: Random, inner: Inner) -> bytes:
    """A tar file with one member damaged, renamed, or of a kind that is no file."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(info, archive.extractfile(info).read()) for info in archive if info.isfile()]
    made, at = io.BytesIO(), rng.randrange(len(members))
    with tarfile.open(fileobj=made, mode="w") as archive:
        for number, (info, content) in enumerate(members):
            if number == at:
                way = rng.choice(["content", "content", "content", "name", "kind", "twice"])
                if way == "content":
                    content = inner(info.name, content, rng)
                elif way == "name":
                    info.name = rng.choice(
                        ["../x.json", "/etc/x.json", "x", f"{'a' * 300}.json", "a.b.c.json", ".json"]
                    )
                elif way == "twice":
                    archive.addfile(info, io.BytesIO(content))
                else:
                    info.type = rng.choice([tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
                    info.linkname, content = rng.choice(["/dev/zero", "../x", info.name]), b""
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def damaged_safetensors(data: bytes, rng: Random) -> bytes:
    """Weights whose header has other names, shapes, types or places."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    if rng.random() < 0.5:
        name = rng.choice([name for name in header if name != "__metadata__"])
        field = rng.choice(["dtype", "shape", "data_offsets"])
        others = {
            "dtype": ["F64", "F8_E4M3", "BOOL", "X", None, "I64"],
            "shape": [[], [0], [-1], [2**62, 4], [2**31, 2**31], "a", None, [[1]]],
            "data_offsets": [[0, 0], [0, 2**62], [8, 4], [-1, 4], None, [0]],
        }
        header[name][field] = rng.choice(others[field])
    else:
        header = changed_value(header, rng)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def damaged_glb(data: bytes, rng: Random) -> bytes:
    """A binary glTF whose JSON has another value in it."""
    (length,) = struct.unpack_from("<I", data, 12)
    text = json.dumps(changed_value(json.loads(data[20 : 20 + length]), rng)).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    return data[:8] + struct.pack("<III", 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


def damaged_pickle(data: bytes, rng: Random) -> bytes:
    """A pickle of plain data with another value in it."""
    protocol = rng.choice([0, 2, 4])
    return pickle.dumps(changed_value(pickle.loads(data), rng), protocol)  # of this harness's own making
