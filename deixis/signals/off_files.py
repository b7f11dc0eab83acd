"""Vertices and their colours out of OFF files, as Geomview's manual has them ("OFF Files"): numbers in a row, however
they are spread over lines. trimesh reads them by lines, and passes over colours of vertices.

The letters before OFF say what a vertex has behind x, y, z: N a normal, C a colour, ST a place in a texture.
"""

import re
from pathlib import Path

import numpy as np

from deixis.errors import InputError

_HEADER = re.compile(r"\s*(?P<texture>ST)?(?P<colour>C)?(?P<normal>N)?OFF\b(?P<rest>.*)", re.DOTALL)
MAX_DIGITS = 18  # of a count


def read_off(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """xyz (n, 3), and rgb (n, 3) of COFF, uint8 or 0..1, or None; faces only show what is missing.

    Raises: InputError for a header or numbers that are not whole.
    """
    text = re.sub(r"#[^\n]*", "", path.read_bytes().decode("utf-8", "replace"))
    header = _HEADER.match(text)
    if header is None:
        raise InputError("its first word is not OFF, COFF, NOFF or the like")
    lines = [line for line in map(str.split, header["rest"].splitlines()) if line]
    words = [word for line in lines for word in line]
    if len(words) < 3 or not all(map(_is_count, words[:3])):
        raise InputError("its header has no counts of vertices, faces and edges")
    vertices, faces = (int(word[:MAX_DIGITS]) for word in words[:2])
    before = 3 + 3 * bool(header["normal"])
    behind = 2 * bool(header["texture"])
    colour = 4 if header["colour"] else 0
    if colour and any(len(line) == before + 3 + behind for line in lines[1:2]):
        colour = 3  # without its alpha, as many programs write it
    width = before + colour + behind
    table = words[3 : 3 + vertices * width]
    if len(table) < vertices * width:
        raise InputError(f"its header announces {vertices} vertices of {width} numbers, {len(table)} numbers came")
    try:
        rows = np.array(table, dtype=np.float64).reshape(vertices, width)
    except ValueError as error:
        raise InputError(str(error)) from error
    _check_faces(words[3 + vertices * width :], faces, vertices)
    if not colour:
        return rows[:, :3], None
    rgb = rows[:, before : before + 3]
    shown = [word for row in range(vertices) for word in table[row * width + before :][:3]]
    is_bytes = all(map(_is_count, shown)) and (not len(rgb) or rgb.max() <= np.iinfo(np.uint8).max)
    return rows[:, :3], rgb.astype(np.uint8) if is_bytes else rgb


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _check_faces(words: list[str], faces: int, vertices: int) -> None:
    """Raises: InputError for fewer numbers than so many triangles need, and a first face of a vertex that is not there.

    Colours may follow the corners of a face, and only lines tell them from the next face.
    """
    if faces and (not words or len(words) < 4 * faces):
        raise InputError(f"its header announces {faces} faces, {len(words)} numbers came")
    corners = words[1 : 1 + int(words[0][:MAX_DIGITS])] if faces and _is_count(words[0]) else []
    if faces and not all(_is_count(corner) and int(corner[:MAX_DIGITS]) < vertices for corner in corners):
        raise InputError(f"its first face names a vertex that is not there, among {vertices}")
