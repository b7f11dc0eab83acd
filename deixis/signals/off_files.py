"""Vertices, their colours and the faces out of OFF files, as text or binary (Geomview's manual, "OFF Files").

The letters before OFF say what a vertex has: `4` a fourth, homogeneous coordinate, `n` as many coordinates as the
header says, then N a normal, C a colour, ST a place in a texture. Text is numbers in a row, however they are spread
over lines; only the colour of a face ends with its line. trimesh reads it by lines, without the colours of vertices.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate, product
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from deixis.errors import InputError, UnsupportedError
from deixis.files.budget import check_decoded
from deixis.signals.mesh import Mesh, check_words, count_of, is_count

MARKS = tuple(
    "".join(letters).encode() + b"OFF" for letters in product(("", "ST"), ("", "C"), ("", "N"), ("", "4"), ("", "n"))
)
"""What a file begins with, the letters in the manual's order."""
CHANNELS = 4  # red, green, blue, alpha
BINARY_SHARE = 20
"""What the numbers of a binary file take as Python's, so many times its size."""
BYTE_ORDERS = (">", "<")
"""Of binary files: Geomview's, and what some programs write."""
_HEADER = re.compile(
    rb"(?:\s|#[^\n]*\n)*(?:(?P<letters>(?:ST|[CN4n])*)OFF(?P<binary>[ \t]+BINARY\b[^\n]*\n)?)?(?P<rest>.*)", re.DOTALL
)


class _Content(NamedTuple):
    """Rows of the vertices, corners of each face, and what their colours are."""

    rows: np.ndarray
    faces: list[list[int]]
    has_face_colours: bool
    has_bytes: bool = False  # the colours of vertices are whole numbers


def read_off(content: bytes, name: str) -> Mesh:
    """xyz (n, 3); rgb (n, 3) of COFF, uint8 or 0..1, or None; polygons as triangles.

    Raises: InputError for a header or numbers that are not whole, UnsupportedError for vertices in another number of
    dimensions.
    """
    header = _HEADER.match(content)
    assert header is not None, "every part of it may be missing"
    if header["letters"] is None and not header["rest"][:1].isdigit():  # the manual lets the word OFF be missing
        raise InputError("its first word is not OFF, COFF, NOFF or the like")
    kind = (header["letters"] or b"").decode()
    if header["binary"]:
        check_decoded(name, len(content) * BINARY_SHARE, f"a binary OFF file of {len(content)} bytes")
        read = _read_binary(header["rest"], kind)
    else:
        plain = re.sub(rb"#[^\n]*", b"", header["rest"])
        check_words(plain, name)
        read = _read_text(plain.decode("utf-8", "replace"), kind)
    xyz, rgb = read.rows[:, :3], read.rows[:, _colour_columns(kind)] if "C" in kind else None
    if "4" in kind:
        with np.errstate(divide="ignore", invalid="ignore"):
            xyz = xyz / read.rows[:, 3:4]
    if rgb is not None and read.has_bytes:
        rgb = rgb.astype(np.uint8)
    flags = {"normals": "N" in kind, "texture coordinates": "ST" in kind, "colours of faces": read.has_face_colours}
    ignored = tuple(phrase for phrase, there in flags.items() if there)
    return Mesh(xyz, rgb, ignored, _triangles(read.faces, len(xyz)))


def _read_text(text: str, kind: str) -> _Content:
    words, start, width = text.split(), 3 + ("n" in kind), _width(kind)
    if len(words) < start or not all(map(is_count, words[:start])):
        raise InputError("its header has no counts of vertices, faces and edges")
    _check_dimension(kind, int(words[0]))
    vertices, faces = (int(word) for word in words[start - 3 : start - 1])
    # many programs leave out the alpha
    if "C" in kind and start < len(words) and next(end for end in _line_ends(text) if end > start) - start == width - 1:
        width -= 1
    end = start + vertices * width
    if len(words) < end:
        came = len(words) - start
        raise InputError(f"its header announces {vertices} vertices of {width} numbers, {came} numbers came")
    table = np.array(words[start:end], dtype=str).reshape(vertices, width)
    try:
        rows = table.astype(np.float64)
    except ValueError as error:
        raise InputError(str(error)) from error
    colours = _colour_columns(kind)
    has_bytes = bool(np.char.isdigit(table[:, colours]).all() and (rows[:, colours] <= np.iinfo(np.uint8).max).all())
    return _Content(rows, *_text_faces(words, end, text, faces), has_bytes)


def _line_ends(text: str) -> Iterator[int]:
    """How many words there are up to the end of each line."""
    return accumulate(len(line.split()) for line in text.splitlines())


def _text_faces(all_words: list[str], start: int, text: str, count: int) -> tuple[list[list[int]], bool]:
    """Corners of the faces, which begin at a word of the text, and whether any has a colour."""
    words = all_words[start:]
    corners = _face_count(words[0]) if words and count else 0
    if len(words) == count * (corners + 1) and all(map(is_count, words)):
        table = np.array(words, dtype=np.int64).reshape(count, corners + 1)
        if (table[:, 0] == corners).all():  # as in most files: one size, and no colours
            return table[:, 1:].tolist(), False
    try:
        return _faces_by_line(words, [end - start for end in _line_ends(text)], count)
    except InputError:  # several faces on a line, which then have no colours
        return _faces_by_line(words, [], count)


def _faces_by_line(words: list[str], line_ends: list[int], count: int) -> tuple[list[list[int]], bool]:
    """Up to four numbers from the last corner of a face to the end of that line are its colour."""
    faces, has_colours, place = [], False, 0
    for number in range(count):
        corners = words[place + 1 : place + 1 + _face_count(words[place])] if place < len(words) else []
        if not corners or len(corners) < _face_count(words[place]):
            raise InputError(f"its header announces {count} faces, {number} came")
        faces.append([_face_count(corner) for corner in corners])
        place += 1 + len(corners)
        behind = line_ends[bisect_right(line_ends, place - 1)] - place if line_ends else 0
        if 0 < behind <= CHANNELS:
            has_colours = True
            place += behind
    return faces, has_colours


def _face_count(word: str) -> int:
    return count_of(word, "a number of its faces")


def _read_binary(rest: bytes, kind: str) -> _Content:
    """Integers and floats of 32 bits in the order of the text."""
    whole, start, width = rest[: len(rest) // 4 * 4], 3 + ("n" in kind), _width(kind)
    for order in BYTE_ORDERS:
        numbers = np.frombuffer(whole, f"{order}i4").astype(np.int64)
        counts = numbers[:start].tolist() if len(numbers) >= start else [-1] * start
        vertices, faces = counts[start - 3 : start - 1]
        # in the other byte order small numbers are beyond the size of any file; a face has two numbers at least
        if min(vertices, faces) >= 0 and start + vertices * width + 2 * faces <= len(numbers):
            break
    else:
        raise InputError("its binary header announces more vertices and faces than came")
    _check_dimension(kind, counts[0])
    end = start + vertices * width
    rows = np.frombuffer(whole, f"{order}f4")[start:end].astype(np.float64).reshape(vertices, width)
    return _Content(rows, *_binary_faces(numbers[end:].tolist(), faces))


def _binary_faces(numbers: list[int], count: int) -> tuple[list[list[int]], bool]:
    """Corners of the faces, and whether any has a colour: behind them is how many numbers its colour has."""
    faces, has_colours, place = [], False, 0
    for number in range(count):
        end = place + 1 + numbers[place] if place < len(numbers) else 0
        if not place < end < len(numbers) or not 0 <= numbers[end] <= CHANNELS:
            raise InputError(f"its header announces {count} faces, {number} came")
        faces.append(numbers[place + 1 : end])
        has_colours = has_colours or numbers[end] > 0
        place = end + 1 + numbers[end]
    return faces, has_colours


def _width(kind: str) -> int:
    """How many numbers a vertex has."""
    return _colour_columns(kind).start + CHANNELS * ("C" in kind) + 2 * ("ST" in kind)


def _colour_columns(kind: str) -> slice:
    """Red, green and blue among them."""
    before = 3 + ("4" in kind) + 3 * ("N" in kind)
    return slice(before, before + 3)


def _check_dimension(kind: str, dimension: int) -> None:
    """Raises: UnsupportedError for vertices that are not in three dimensions."""
    if "n" in kind and ("4" in kind or dimension != 3):
        raise UnsupportedError(
            f"expected vertices with x, y, z, got {kind}OFF with {dimension} coordinates"
            f"{' and a homogeneous one' if '4' in kind else ''}; write it as OFF or PLY in three dimensions"
        )


def _triangles(faces: list[list[int]], vertices: int) -> Int[np.ndarray, "triangle 3"]:
    """The faces as fans about their first corners. Raises: InputError for a corner that is no vertex."""
    by_size: dict[int, list[list[int]]] = defaultdict(list)
    for face in faces:
        by_size[len(face)].append(face)
    fans = [np.zeros((0, 3), dtype=np.int64)]
    for size, alike in by_size.items():
        corners = np.array(alike, dtype=np.int64).reshape(-1, size)
        if corners.size and not (0 <= corners.min() and corners.max() < vertices):
            raise InputError(f"a face names a vertex that is not there, among {vertices}")
        fans += [corners[:, [0, second, second + 1]] for second in range(1, size - 1)]
    return np.concatenate(fans)
