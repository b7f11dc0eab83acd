"""What a mesh or cloud file holds: vertices in the order of the file, their colours, faces, and what was not read."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from deixis.errors import InputError
from deixis.files.budget import check_decoded

WORD_BYTES = 128
"""What a word of a text file takes while it becomes a number, as several of Python's objects."""
MAX_WORD = 64
"""Letters of a number as text; a column of an array is as wide as its longest word."""
MAX_DIGITS = 18
"""Of a count; more are beyond the size of any file."""
NAMED = 4
"""Properties of a vertex that a phrase lists by name."""


class Mesh(NamedTuple):
    """Vertices of a file.

    xyz: (n, 3) float. rgb: (n, 3) in 0..255 or 0..1; None when the file has no colours.
    ignored: phrases for what the file has besides, such as "normals".
    triangles: (m, 3) indices of vertices; None from the readers that do not read faces.
    """

    xyz: np.ndarray
    rgb: np.ndarray | None = None
    ignored: tuple[str, ...] = ()
    triangles: np.ndarray | None = None


def is_count(word: str) -> bool:
    """Whether a word of a text is a count."""
    return word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS


def count_of(word: str, what: str) -> int:
    """The count that a word is. Raises: InputError, which says of `what`, for anything else."""
    if not is_count(word):
        raise InputError(f"{what} is {word!r:.20}, not a count")
    return int(word)


def check_words(text: bytes | memoryview, name: str) -> None:
    """Raises: BudgetError for a text of more words than may be decoded, InputError for one with too long a word."""
    edges = np.flatnonzero(np.diff(np.frombuffer(text, np.uint8) > ord(" "), prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    check_decoded(name, len(starts) * WORD_BYTES, f"{len(starts)} numbers as text")
    if len(starts) and (ends - starts).max() > MAX_WORD:
        raise InputError(f"one of its numbers has {(ends - starts).max()} letters")


def surface_points(mesh: Mesh, count: int) -> Float[np.ndarray, "count 3"] | None:
    """So many points of the triangles, spread evenly over their area, the same every time; None without an area."""
    import trimesh

    if mesh.triangles is None or not len(mesh.triangles):
        return None
    surface = trimesh.Trimesh(mesh.xyz, mesh.triangles, process=False)
    if not surface.area > 0:  # false for NaN as well
        return None
    points, _ = trimesh.sample.sample_surface(surface, count, seed=0)
    return np.asarray(points, dtype=np.float64)


def property_phrases(names: Sequence[str], normals: Sequence[str]) -> tuple[str, ...]:
    """Phrases for the properties of vertices that are not read: "normals", and the others by name.

    >>> property_phrases(["nx", "ny", "nz", "label"], ["nx", "ny", "nz"])
    ('normals', 'vertex properties label')
    """
    others = [name for name in names if name not in normals]
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    listed = (f"vertex properties {', '.join(others[:NAMED])}{more}",) if others else ()
    return (("normals",) if len(others) < len(names) else ()) + listed
