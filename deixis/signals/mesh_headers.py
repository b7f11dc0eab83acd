"""What the headers of PLY and GLB files announce, looked at before trimesh believes them; and what in them is not read.

Views of the same bytes, images in any format of Pillow's and scenes that show one mesh many times let a small GLB file
become a large one.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from deixis.errors import InputError
from deixis.files.budget import check_decoded
from deixis.files.json_text import parse_json
from deixis.files.regular import open_regular
from deixis.signals.image_files import BYTES_PER_PX, header_size_hw
from deixis.signals.mesh import check_words, property_phrases

Header = dict[str, tuple[int, list[str]]]
"""Element of a PLY file -> how many there are, and the names of their properties."""
VERTEX_BYTES = 160
"""What a vertex of a scene takes: in the file's precision, in trimesh's, and brought to the places of its nodes."""
CORNER_BYTES = 24
MAX_DIGITS = 18  # of a count in a header
MAX_LINE = 2**16
GLB_HEAD_BYTES = 12  # magic, version, length
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
COMPONENT_BYTES = 4
GLB_READ = ("POSITION", "COLOR_0", "TEXCOORD_0")
GLB_MORE = ("animations", "skins", "cameras")


def ply_header(path: Path) -> Header:
    """The elements of a PLY file. Raises: InputError for a count that is none, and for a file whose header never ends.

    ASCII files have their words counted, as trimesh makes several of Python's objects of each.
    """
    elements: Header = {}
    is_text = False
    with open_regular(path) as stream:
        while line := stream.readline(MAX_LINE):
            words = line.decode("ascii", "replace").split()
            if words[:1] == ["format"]:
                is_text = words[1:2] == ["ascii"]
            elif words[:1] == ["element"] and len(words) > 2:
                elements[words[1]] = (_count(words[2]), [])
            elif words[:1] == ["property"] and elements:
                next(reversed(elements.values()))[1].append(words[-1])
            elif words == ["end_header"]:
                break
        else:
            raise InputError("its header does not end")
        body = path.stat().st_size - stream.tell()
        announced = sum(count for count, properties in elements.values() if properties)
        if announced > body:  # each has a byte at least
            raise InputError(f"its header announces {announced} elements, {body} bytes came")
        if is_text:
            check_words(stream.read(), path.name)
    return elements


def check_glb(path: Path) -> None:
    """Raises: BudgetError for what would become too large, InputError for JSON or images that cannot be."""
    content, buffer = _glb_chunks(path)
    try:
        views = list(_items(content, "bufferViews"))
        accessors = list(_items(content, "accessors"))
        counts = [int(item["count"]) for item in accessors]
        needed = sum(int(view["byteLength"]) for view in views)
        needed += sum(
            count * COMPONENTS[item["type"]] * COMPONENT_BYTES for count, item in zip(counts, accessors, strict=True)
        )
        parts = [part for mesh in _items(content, "meshes") for part in mesh["primitives"]]
        vertices, corners = (
            sum(counts[part[name]] for part in group if name in part)
            for name, group in (("POSITION", [part.get("attributes", {}) for part in parts]), ("indices", parts))
        )
        needed += vertices * VERTEX_BYTES + corners * CORNER_BYTES
        check_decoded(path.name, needed, f"{vertices} vertices in {len(parts)} parts of {len(views)} views")
        images = [_image_content(image, views, buffer) for image in _items(content, "images")]
    except (KeyError, TypeError, IndexError, AttributeError, binascii.Error, OverflowError) as error:
        raise InputError(f"its JSON lacks what it refers to: {error!r:.60}") from error
    pixels = 0
    for image in images:
        height, width = header_size_hw(BytesIO(image), "texture")
        pixels += height * width
        check_decoded(path.name, pixels * BYTES_PER_PX, f"textures of {pixels} px and more")


def glb_ignored(path: Path) -> tuple[str, ...]:
    """Phrases for what is in a GLB file and not read."""
    content, _ = _glb_chunks(path)
    primitives = [part for mesh in _items(content, "meshes") for part in mesh.get("primitives", ())]
    names = dict.fromkeys(name for part in primitives for name in part.get("attributes", ()) if name not in GLB_READ)
    more = tuple(name for name in GLB_MORE if content.get(name))
    return property_phrases(list(names), ["NORMAL"]) + more


def _glb_chunks(path: Path) -> tuple[Mapping[str, Any], bytes]:
    """(JSON, buffer) of the two chunks of a GLB file."""
    with open_regular(path) as stream:
        size = path.stat().st_size
        chunks = []
        stream.seek(GLB_HEAD_BYTES)
        while len(chunks) < 2 and len(head := stream.read(8)) == 8:
            length = int.from_bytes(head[:4], "little")
            if length > size - stream.tell():
                raise InputError(f"one of its chunks announces {length} bytes, {size - stream.tell()} came")
            chunks.append(stream.read(length))
    content = parse_json(chunks[0]) if chunks else None
    if not isinstance(content, dict):
        raise InputError("its JSON is no object")
    return content, chunks[1] if len(chunks) > 1 else b""


def _items(content: Mapping[str, Any], name: str) -> Iterable[Any]:
    return content.get(name) or ()


def _image_content(image: Mapping[str, Any], views: list[Any], buffer: bytes) -> bytes:
    if "bufferView" in image:
        view = views[image["bufferView"]]
        start = int(view.get("byteOffset", 0))
        return buffer[start : start + int(view["byteLength"])]
    head, _, data = image["uri"].partition("base64,")
    if not head.startswith("data:"):
        raise InputError("one of its textures is in another file")
    return base64.b64decode(data)


def _count(word: str) -> int:
    if not word.isdigit():
        raise InputError(f"its header announces a count of {word!r:.20}")
    return int(word[:MAX_DIGITS])
