"""Vertices and their colours out of Wavefront OBJ files, one row a vertex of the file.

trimesh splits vertices that have several texture coordinates, and an index in an answer would no longer be a vertex of
the file.
"""

from array import array
from collections.abc import Callable, Iterator
from io import BytesIO, TextIOWrapper
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.files.lines import bounded_lines
from deixis.signals.mesh import Mesh

MAX_LINE = 2**20
"""Letters of a line, with those that it goes on in: a face of a hundred thousand corners."""
NOT_READ = {
    "vn": "normals",
    "vt": "texture coordinates",
    "mtllib": "materials and textures",
    "usemtl": "materials and textures",
    "curv": "curves",
    "curv2": "curves",
    "surf": "free-form surfaces",
}
"""First word of a line -> what it tells that is not read."""


def read_obj(content: bytes, name: str) -> Mesh:
    """Vertices of lines `v x y z [w]` or `v x y z r g b`; faces only show what is missing.

    Raises: InputError for a line that is not whole, and for a face of a vertex that is not there.
    """
    xyz, rgb = array("d"), array("d")  # of Python's objects each number would take four times as much
    ignored: dict[str, None] = {}
    highest = 0
    del name
    with TextIOWrapper(BytesIO(content), encoding="utf-8", errors="replace") as stream:
        for number, line in _logical_lines(stream):
            words = line.split("#")[0].split()
            keyword = words[0] if words else ""
            if keyword == "v":
                if len(words) < 4:
                    raise InputError(f"line {number} has {len(words) - 1} coordinates of a vertex, not 3")
                numbers = _numbers(words[1:], float, number)
                xyz.extend(numbers[:3])
                rgb.extend(numbers[-3:] if len(numbers) >= 6 else ())
            elif keyword == "f":
                corners = _numbers([word.split("/")[0] or "0" for word in words[1:]], int, number)
                highest = max([highest, *corners])
            elif keyword in NOT_READ:
                ignored[NOT_READ[keyword]] = None
    count, coloured = len(xyz) // 3, len(rgb) // 3
    if highest > count:
        raise InputError(f"a face names vertex {highest}, and there are {count}")
    if not count and b"\x00" in content:
        raise InputError("its content is binary, and OBJ is text")
    places, colours = (np.frombuffer(numbers, dtype=np.float64).reshape(-1, 3) for numbers in (xyz, rgb))
    if count and coloured == count:
        return Mesh(places, colours, tuple(ignored))
    if coloured:
        ignored[f"colours, which {count - coloured} of {count} vertices lack"] = None
    return Mesh(places, None, tuple(ignored))


def _logical_lines(stream: TextIOWrapper) -> Iterator[tuple[int, str]]:
    """(number of the last line, text) of lines, one that ends in a backslash joined with the next."""
    begun: list[str] = []
    number = joined = 0
    for number, (line, length) in enumerate(bounded_lines(stream.readline, MAX_LINE), start=1):
        joined += length
        if joined > MAX_LINE:
            raise InputError(f"line {number} has {joined} letters, with those that it goes on from")
        text = line.rstrip("\r\n")
        begun.append(text.removesuffix("\\"))
        if not text.endswith("\\"):
            yield number, " ".join(begun)
            begun, joined = [], 0
    if begun:
        yield number, " ".join(begun)


def _numbers(words: list[str], read: Callable[[str], Any], line: int) -> list[Any]:
    try:
        return [read(word) for word in words]
    except ValueError as error:
        raise InputError(f"line {line}: {error}") from error
