"""Vertices and their colours out of PLY, OBJ, OFF, STL, GLB and PCD files, in the order of the file; and surfaces.

trimesh reads PLY, STL and GLB; the others have readers of their own. Does not know units, tensors or signals.
"""

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from deixis.errors import InputError, UnsupportedError, one_line
from deixis.files.budget import BudgetError, check_decoded, read_whole
from deixis.signals.fit import MAX_8_BIT
from deixis.signals.mesh import WORD_BYTES, Mesh, property_phrases, surface_points
from deixis.signals.mesh_headers import VERTEX_BYTES, Header, glb_ignored, glb_json, ply_header
from deixis.signals.obj_files import read_obj
from deixis.signals.off_files import MARKS as OFF_MARKS
from deixis.signals.off_files import read_off
from deixis.signals.pcd_files import MARK, read_pcd

Vertices = tuple[np.ndarray, np.ndarray | None]
"""xyz (n, 3) float, and rgb (n, 3) in 0..255 or 0..1, or None without colours: of a part of a file."""
READERS = {"obj": read_obj, "off": read_off, "pcd": read_pcd}
"""Of the formats that trimesh does not read, or not as they are."""
HEADERS = {"ply": ply_header, "glb": glb_json}
"""Of what trimesh believes: looked at before."""
SURFACES = (".off", ".obj", ".stl", ".ply", ".glb")
"""Endings of files that may have faces."""
LOADED_SHARE = 8
"""What trimesh makes of a binary file is so many times its size, the copy in memory included."""
STL_HEAD_BYTES, STL_FACE_BYTES = 84, 50
TEXT_SHARE = 20
"""The same of an STL file as text, most where its lines are short; twice that where not all of it is ASCII."""
SOLID_BYTES = 2**13
"""What each solid of such a file takes besides, as a mesh of its own."""
MATERIAL_BYTES = 2**14
"""What each stretch of an OBJ file with a material takes besides its words."""
UINT8_STEPS = 257  # of 16 bits in one of 8
HARMONICS = ("f_dc_0", "f_dc_1", "f_dc_2")
PLY_COLOURS = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"), HARMONICS)
HARMONIC_0 = 0.5 / np.pi**0.5
"""The constant spherical harmonic; 3-D Gaussians have its coefficients for colours (Kerbl et al., 2023)."""
PLY_NORMALS = ("nx", "ny", "nz")
PLY_CORNERS = ("vertex_indices", "vertex_index")
REASON_LENGTH = 120
"""How much of a parser's own words goes into a sentence."""


def read_mesh(path: Path, name: str) -> Mesh:
    """Vertices (n, 3), n >= 0, their colours, and phrases for what the file has besides.

    Raises: InputError when the file cannot be read as what its content or its ending says, or is cut short;
    UnsupportedError for a variant of a format that is not read.
    """
    content = read_whole(path, name)
    file_type = _file_type(content, path)
    try:
        return READERS.get(file_type, partial(_read_with_trimesh, file_type))(content, name)
    except BudgetError:
        raise
    except UnsupportedError as error:
        raise UnsupportedError(f"'{name}': {error}") from error
    except InputError as error:
        raise InputError(
            f"'{name}': expected a whole {file_type.upper()} file, but it cannot be read ({error}); "
            "the file is probably cut short, damaged, or has a wrong ending."
        ) from error


def read_surface(path: Path, count: int) -> Float[np.ndarray, "count 3"] | None:
    """So many points of a mesh's surface, spread evenly over its area, the same every time.

    None for a file without faces, and for one that cannot be read: `read_mesh` says what is wrong with it.
    """
    if path.suffix.lower() not in SURFACES:
        return None
    try:
        content = read_whole(path)
        file_type = _file_type(content, path)
        if file_type == "off":
            return surface_points(read_off(content, path.name), count)
        mesh, _ = _loaded(file_type, content, path.name, force="mesh")
    except Exception:  # parsers of damaged files raise anything
        return None
    return surface_points(
        Mesh(np.asarray(getattr(mesh, "vertices", ())), None, (), getattr(mesh, "faces", None)), count
    )


def _file_type(content: bytes, path: Path) -> str:
    """The format told from the first bytes, else from the ending."""
    marks = ((b"ply", "ply"), (b"glTF", "glb"), *((mark, "off") for mark in OFF_MARKS), (MARK, "pcd"))
    for magic, file_type in marks:
        if content.startswith(magic):
            return file_type
    return path.suffix[1:].lower() or "mesh"


def _loaded(file_type: str, content: bytes, name: str, **options: Any) -> tuple[Any, Any]:
    """(what trimesh makes of a file, its header or None)."""
    import trimesh

    check_decoded(name, _loaded_bytes(file_type, content), f"a {file_type.upper()} file of {len(content)} bytes")
    header = HEADERS[file_type](content, name) if file_type in HEADERS else None
    # a stream in memory gives no more bytes than it has, whatever is asked for
    return trimesh.load(BytesIO(content), file_type=file_type, process=False, **options), header


def _loaded_bytes(file_type: str, content: bytes) -> int:
    """What trimesh takes at most to load a file."""
    size = len(content)
    if file_type == "obj":
        letters = np.frombuffer(content, np.uint8)
        gaps = (letters <= ord(" ")) | (letters == ord("/"))  # "1/2/3" is three numbers
        words = 1 + np.count_nonzero(gaps[:-1] > gaps[1:])
        return size * LOADED_SHARE + int(words) * WORD_BYTES + content.count(b"usemtl") * MATERIAL_BYTES
    is_binary = size == STL_HEAD_BYTES + STL_FACE_BYTES * int.from_bytes(content[80:STL_HEAD_BYTES], "little")
    if file_type != "stl" or is_binary:
        return size * LOADED_SHARE
    share = TEXT_SHARE if content.isascii() else 2 * TEXT_SHARE
    return size * share + content.lower().count(b"endsolid") * SOLID_BYTES


def _read_with_trimesh(file_type: str, content: bytes, name: str) -> Mesh:
    options = {"fix_texture": False} if file_type == "ply" else {}
    try:
        loaded, header = _loaded(file_type, content, name, **options)
        parts = list(_parts(loaded, name))  # trimesh decodes textures and colours only when they are asked for
    except (InputError, MemoryError):
        raise
    except Exception as error:  # parsers of damaged files raise anything: IndexError, struct.error, KeyError, ...
        # trimesh tries another decoding with an optional package when a file is not the text it should be
        missing = isinstance(error, ImportError)
        reason = "its content is neither text nor whole" if missing else one_line(error, REASON_LENGTH)
        raise InputError(reason) from error
    xyz = np.concatenate([np.zeros((0, 3)), *(part[0] for part in parts)])
    if file_type == "ply":
        _check_counts(header, len(xyz), sum(len(getattr(g, "faces", ())) for g in _geometries(loaded)))
        columns = loaded.metadata.get("_ply_raw", {}).get("vertex", {}).get("data")
        if len(parts) == 1 and columns is not None:
            rgb, used = _ply_colours(header, columns, len(xyz))
            rgb = parts[0][1] if rgb is None else rgb
            return Mesh(xyz, rgb, _ply_ignored(header, columns, used, by_face=rgb is not None and not used))
    ignored = glb_ignored(header) if file_type == "glb" else _stl_ignored(loaded) if file_type == "stl" else ()
    if all(rgb is None for _, rgb in parts):
        return Mesh(xyz, None, ignored)
    grey = MAX_8_BIT // 2
    rgb = np.concatenate([np.full((len(p), 3), grey) if rgb is None else rgb for p, rgb in parts])
    return Mesh(xyz, rgb, ignored)


def _ply_colours(header: Header, columns: Any, count: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Colours of the vertices as the file has them, under any of their usual names, and the properties they are of.

    trimesh knows them as red, green and blue alone, and takes integers of 16 bits for those of 8.
    """
    for names in PLY_COLOURS:
        if all(name in header["vertex"][1] for name in names):
            rgb = np.stack([np.asarray(columns[name]).reshape(-1) for name in names], axis=1)
            if names == HARMONICS:
                rgb = np.clip(0.5 + HARMONIC_0 * rgb.astype(np.float64), 0, 1)
            if len(rgb) == count:
                return np.rint(rgb / UINT8_STEPS).astype(np.uint8) if rgb.dtype == np.uint16 else rgb, names
    return None, ()


def _ply_ignored(header: Header, columns: Any, used: tuple[str, ...], by_face: bool) -> tuple[str, ...]:
    """Phrases for what is not read; `by_face`: the colours are those of the faces."""
    names = [name for name in header["vertex"][1] if name not in ("x", "y", "z", *used)]
    if used and "alpha" in names and np.ptp(np.asarray(columns["alpha"])) == 0:
        names.remove("alpha")  # an opaque cloud has nothing to say by it
    colours = ("red", "green", "blue", "alpha") if by_face else ()
    of_faces = [name for name in header.get("face", (0, []))[1] if name not in (*PLY_CORNERS, *colours)]
    others = [name for name, (count, _) in header.items() if count and name not in ("vertex", "face")]
    phrases = property_phrases(names, PLY_NORMALS)
    phrases += (f"face properties {', '.join(of_faces)}",) if of_faces else ()
    return phrases + ((f"elements {', '.join(others)}",) if others else ())


def _stl_ignored(loaded: Any) -> tuple[str, ...]:
    attributes = getattr(loaded, "face_attributes", {}).get("stl")
    return ("attributes of faces",) if attributes is not None and np.any(attributes) else ()


def _parts(loaded: Any, name: str) -> Iterator[Vertices]:
    """Vertices and colours of each geometry, in the coordinates of the scene where there is one."""
    import trimesh

    if not isinstance(loaded, trimesh.Scene):
        yield _vertices(loaded)
        return
    shown = [loaded.geometry[loaded.graph[node][1]] for node in loaded.graph.nodes_geometry]
    count = sum(len(getattr(geometry, "vertices", ())) for geometry in shown)
    check_decoded(name, count * VERTEX_BYTES, f"{count} vertices in {len(shown)} places of a scene")
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


def _check_counts(header: Header, vertices: int, faces: int) -> None:
    """Raises: InputError when fewer vertices or faces came than the header of a PLY file announces."""
    for element, words, got in (("vertex", "vertices", vertices), ("face", "faces", faces)):
        announced = header[element][0] if element in header else 0
        if got < announced:
            raise InputError(f"its header announces {announced} {words}, {got} came")
