"""Vertices and their colours out of PLY, OBJ, OFF, STL, GLB and PCD files, in the order of the file; and surfaces.

trimesh reads them all but PCD, OFF (which it takes by lines, without colours) and OBJ: there it splits vertices that
have several texture coordinates, and an index in an answer would no longer be a vertex of the file. Does not know
units, tensors or signals.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from deixis.errors import InputError
from deixis.signals.fit import MAX_8_BIT
from deixis.signals.off_files import read_off
from deixis.signals.pcd_files import MARK, read_pcd

Vertices = tuple[np.ndarray, np.ndarray | None]
"""xyz (n, 3) float, and rgb (n, 3) in 0..255 or 0..1, or None when the file has no colours."""

SURFACES = (".off", ".obj", ".stl", ".ply", ".glb")
"""Endings of files that may have faces."""
UINT8_STEPS = 257  # of 16 bits in one of 8
PLY_COLOURS = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"))
OFF_MARKS = (b"OFF", b"COFF", b"NOFF", b"CNOFF", b"STOFF", b"STCOFF", b"STNOFF", b"STCNOFF")
MAX_DIGITS = 18  # of a count in a header
REASON_LENGTH = 120
"""How much of a parser's own words goes into a sentence."""


def read_mesh(path: Path, name: str) -> Vertices:
    """Vertices (n, 3), n >= 0, and their colours (n, 3) or None.

    Raises: InputError when the file cannot be read as what its content or its ending says, or is cut short.
    """
    file_type = _file_type(path)
    try:
        if file_type in READERS:
            return READERS[file_type](path)
        return _read_with_trimesh(path, file_type)
    except InputError as error:
        raise InputError(
            f"'{name}': expected a whole {file_type.upper()} file, but it cannot be read ({error}); "
            "the file is probably cut short, damaged, or has a wrong ending."
        ) from error


def read_surface(path: Path, count: int) -> Float[np.ndarray, "count 3"] | None:
    """So many points of a mesh's surface, spread evenly over its area, the same every time.

    None for a file without faces, and for one that cannot be read: `read_mesh` says what is wrong with it.
    """
    import trimesh

    if path.suffix.lower() not in SURFACES:
        return None
    try:
        with path.open("rb") as stream:
            mesh = trimesh.load(stream, file_type=path.suffix[1:].lower(), force="mesh", process=False)
    except Exception:  # parsers of damaged files raise anything
        return None
    if not len(getattr(mesh, "faces", ())) or not getattr(mesh, "area", 0.0) > 0:
        return None
    points, _ = trimesh.sample.sample_surface(mesh, count, seed=0)
    return np.asarray(points, dtype=np.float64)


def _file_type(path: Path) -> str:
    """The format told from the first bytes, else from the ending."""
    with path.open("rb") as stream:
        head = stream.read(len(MARK))
    marks = ((b"ply", "ply"), (b"glTF", "glb"), *((mark, "off") for mark in OFF_MARKS), (MARK, "pcd"))
    for magic, file_type in marks:
        if head.startswith(magic):
            return file_type
    return path.suffix[1:].lower() or "mesh"


def _read_with_trimesh(path: Path, file_type: str) -> Vertices:
    import trimesh

    options: dict[str, Any] = {"fix_texture": False} if file_type == "ply" else {}
    try:
        with path.open("rb") as stream:
            loaded = trimesh.load(stream, file_type=file_type, process=False, **options)
        parts = list(_parts(loaded))  # trimesh decodes textures and colours only when they are asked for
    except Exception as error:  # parsers of damaged files raise anything: IndexError, struct.error, KeyError, ...
        # trimesh tries another decoding with an optional package when a file is not the text it should be
        missing = isinstance(error, ImportError)
        reason = "its content is neither text nor whole" if missing else " ".join(str(error).split()).rstrip(".")
        raise InputError(reason[:REASON_LENGTH] or type(error).__name__) from error
    if file_type == "ply" and len(parts) == 1:
        parts = [(parts[0][0], _ply_colours(loaded, len(parts[0][0])))]
    xyz = np.concatenate([np.zeros((0, 3)), *(part[0] for part in parts)])
    _check_counts(path, file_type, len(xyz), sum(len(getattr(g, "faces", ())) for g in _geometries(loaded)))
    if all(rgb is None for _, rgb in parts):
        return xyz, None
    grey = MAX_8_BIT // 2
    return xyz, np.concatenate([np.full((len(p), 3), grey) if rgb is None else rgb for p, rgb in parts])


def _ply_colours(loaded: Any, count: int) -> np.ndarray | None:
    """Colours of the vertices as the file has them, under any of their usual names; as trimesh gives them, else.

    trimesh knows them as red, green and blue alone, and takes integers of 16 bits for those of 8.
    """
    columns = loaded.metadata.get("_ply_raw", {}).get("vertex", {}).get("data")
    for names in PLY_COLOURS:
        if columns is not None and all(name in _names(columns) for name in names):
            rgb = np.stack([np.asarray(columns[name]).reshape(-1) for name in names], axis=1)
            if len(rgb) == count:
                return np.rint(rgb / UINT8_STEPS).astype(np.uint8) if rgb.dtype == np.uint16 else rgb
    return _vertices(loaded)[1]


def _names(columns: Any) -> tuple[str, ...]:
    """Of the properties of a PLY element: of a structured array in a binary file, of a dictionary in one of text."""
    return tuple(
        getattr(getattr(columns, "dtype", None), "names", None) or (columns if hasattr(columns, "keys") else ())
    )


def _parts(loaded) -> Iterator[Vertices]:
    """Vertices and colours of each geometry, in the coordinates of the scene where there is one."""
    import trimesh

    if not isinstance(loaded, trimesh.Scene):
        yield _vertices(loaded)
        return
    for node in loaded.graph.nodes_geometry:
        matrix, geometry_name = loaded.graph[node]
        xyz, rgb = _vertices(loaded.geometry[geometry_name])
        yield trimesh.transform_points(xyz, matrix), rgb


def _geometries(loaded) -> list:
    return list(loaded.geometry.values()) if hasattr(loaded, "geometry") else [loaded]


def _vertices(geometry) -> Vertices:
    """Vertices of one trimesh geometry, and their colours in 0..255 (texture and face colours brought to vertices)."""
    xyz = np.asarray(geometry.vertices, dtype=np.float64).reshape(-1, 3)
    visual = getattr(geometry, "visual", None)
    if visual is None or visual.kind is None:
        return xyz, None
    if visual.kind == "texture":
        # only GLB carries its texture inside; trimesh puts an empty stand-in where a PLY merely has coordinates for one
        if getattr(visual.material, "baseColorFactor", None) is None and (
            getattr(visual.material, "baseColorTexture", None) is None or visual.uv is None
        ):
            return xyz, None
        visual = visual.to_color()
    rgb = np.asarray(visual.vertex_colors)
    return xyz, rgb[:, :3] if rgb.shape[:1] == (len(xyz),) and len(xyz) else None


def _check_counts(path: Path, file_type: str, vertices: int, faces: int) -> None:
    """Raises: InputError when fewer vertices or faces came than the header of a PLY file announces."""
    for word, announced, got in zip(("vertices", "faces"), _announced(path, file_type), (vertices, faces), strict=True):
        if announced is not None and got < announced:
            raise InputError(f"its header announces {announced} {word}, {got} came")


def _announced(path: Path, file_type: str) -> tuple[int | None, int | None]:
    """Numbers of vertices and faces that the header of a PLY file announces; None where it does not say."""
    counts: dict[str, int] = {}
    with path.open("rb") as stream:
        if file_type == "ply":
            for line in stream:
                words = line.split()
                if words[:1] == [b"element"] and len(words) > 2:
                    counts[words[1].decode("ascii", "replace")] = _count(words[2])
                elif words == [b"end_header"]:
                    break
    return counts.get("vertex"), counts.get("face")


def _count(word: bytes) -> int:
    if not word.isdigit():
        raise InputError(f"its header announces a count of {word.decode('ascii', 'replace')!r:.20}")
    return int(word[:MAX_DIGITS])


def _read_obj(path: Path) -> Vertices:
    """Vertices of a Wavefront OBJ file, `v x y z [w]` or `v x y z r g b`; faces only show what is missing."""
    rows: list[list[float]] = []
    highest = 0
    with path.open("r", encoding="utf-8", errors="replace") as stream:
        for number, line in _logical_lines(stream):
            words = line.split("#")[0].split()
            if words[:1] == ["v"]:
                if len(words) < 4:
                    raise InputError(f"line {number} has {len(words) - 1} coordinates of a vertex, not 3")
                rows.append(_numbers(words[1:], float, number))
            elif words[:1] == ["f"]:
                corners = _numbers([word.split("/")[0] or "0" for word in words[1:]], int, number)
                highest = max([highest, *corners])
    if highest > len(rows):
        raise InputError(f"a face names vertex {highest}, and there are {len(rows)}")
    if not rows and b"\x00" in path.read_bytes():
        raise InputError("its content is binary, and OBJ is text")
    xyz = np.array([row[:3] for row in rows], dtype=np.float64).reshape(-1, 3)
    if rows and all(len(row) >= 6 for row in rows):
        return xyz, np.array([row[-3:] for row in rows], dtype=np.float64)
    return xyz, None


def _logical_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """(number of the last line, text) of lines, one that ends in a backslash joined with the next."""
    begun = ""
    number = 0
    for number, line in enumerate(lines, start=1):
        begun += line.rstrip("\r\n")
        if not begun.endswith("\\"):
            yield number, begun
            begun = ""
        else:
            begun = begun[:-1] + " "
    if begun:
        yield number, begun


def _numbers(words: list[str], read: Callable[[str], Any], line: int) -> list[Any]:
    try:
        return [read(word) for word in words]
    except ValueError as error:
        raise InputError(f"line {line}: {error}") from error


READERS = {"obj": _read_obj, "off": read_off, "pcd": read_pcd}
"""Of the formats that trimesh does not read, or not as they are."""
