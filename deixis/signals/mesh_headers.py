"""What the headers of PLY and GLB files announce, looked at before trimesh believes them; and what in them is not read.

Views of the same bytes, images in any format of Pillow's and scenes that show one mesh many times let a small GLB file
become a large one.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from functools import cache
from io import BytesIO
from typing import Any

from deixis.errors import InputError
from deixis.files.budget import check_decoded
from deixis.files.json_text import parse_json
from deixis.signals.image_files import BYTES_PER_PX, header_size_hw
from deixis.signals.mesh import check_words, count_of, property_phrases

Header = dict[str, tuple[int, list[str]]]
"""Element of a PLY file -> how many there are, and the names of their properties."""
VERTEX_BYTES = 160
"""What a vertex of a scene takes: in the file's precision, in trimesh's, and brought to the places of its nodes."""
CORNER_BYTES = 24
MAX_LINE = 2**16
GLB_HEAD_BYTES, CHUNK_HEAD_BYTES = 12, 8  # magic, version, length; length, type
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
COMPONENT_BYTES = 4
GLB_READ = ("POSITION", "COLOR_0", "TEXCOORD_0")
GLB_MORE = ("animations", "skins", "cameras")


def ply_header(content: bytes, name: str) -> Header:
    """The elements of a PLY file. Raises: InputError for a count that is none, and for a file whose header never ends.

    ASCII files have their words counted, as trimesh makes several of Python's objects of each.
    """
    elements: Header = {}
    is_text = False
    stream = BytesIO(content)
    while line := stream.readline(MAX_LINE):
        words = line.decode("ascii", "replace").split()
        if words[:1] == ["format"]:
            is_text = words[1:2] == ["ascii"]
        elif words[:1] == ["element"] and len(words) > 2:
            elements[words[1]] = (count_of(words[2], "a count of its header"), [])
        elif words[:1] == ["property"] and elements:
            next(reversed(elements.values()))[1].append(words[-1])
        elif words == ["end_header"]:
            break
    else:
        raise InputError("its header does not end")
    body = memoryview(content)[stream.tell() :]
    announced = sum(count for count, properties in elements.values() if properties)
    if announced > len(body):  # each has a byte at least
        raise InputError(f"its header announces {announced} elements, {len(body)} bytes came")
    if is_text:
        check_words(body, name)
    return elements


def glb_json(content: bytes, name: str) -> Mapping[str, Any]:
    """The JSON of a GLB file.

    Raises: BudgetError for what would become too large, InputError for JSON or images that cannot be.
    """
    values, buffer = _glb_chunks(content)
    try:
        views = list(_items(values, "bufferViews"))
        accessors = list(_items(values, "accessors"))
        counts = [_size(item["count"]) for item in accessors]
        needed = sum(_size(view["byteLength"]) for view in views)
        needed += sum(
            count * COMPONENTS[item["type"]] * COMPONENT_BYTES for count, item in zip(counts, accessors, strict=True)
        )
        parts = [part for mesh in _items(values, "meshes") for part in mesh["primitives"]]
        vertices, corners = (
            sum(counts[part[name]] for part in group if name in part)
            for name, group in (("POSITION", [part.get("attributes", {}) for part in parts]), ("indices", parts))
        )
        needed += vertices * VERTEX_BYTES + corners * CORNER_BYTES
        check_decoded(name, needed, f"{vertices} vertices in {len(parts)} parts of {len(views)} views")
        _check_textures(_items(values, "images"), views, buffer, name)
    except (KeyError, TypeError, IndexError, AttributeError, binascii.Error, OverflowError) as error:
        raise InputError(f"its JSON lacks what it refers to: {error!r:.60}") from error
    return values


def glb_ignored(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Phrases for what the JSON of a GLB file has and is not read."""
    primitives = [part for mesh in _items(values, "meshes") for part in mesh.get("primitives", ())]
    names = dict.fromkeys(name for part in primitives for name in part.get("attributes", ()) if name not in GLB_READ)
    more = tuple(name for name in GLB_MORE if values.get(name))
    return property_phrases(list(names), ["NORMAL"]) + more


def _glb_chunks(content: bytes) -> tuple[Mapping[str, Any], memoryview]:
    """(JSON, buffer) of the two chunks of a GLB file."""
    chunks, rest = [], memoryview(content)[GLB_HEAD_BYTES:]
    while len(chunks) < 2 and len(rest) >= CHUNK_HEAD_BYTES:
        length, rest = int.from_bytes(rest[:4], "little"), rest[CHUNK_HEAD_BYTES:]
        if length > len(rest):
            raise InputError(f"one of its chunks announces {length} bytes, {len(rest)} came")
        chunks.append(rest[:length])
        rest = rest[length:]
    values = parse_json(bytes(chunks[0])) if chunks else None
    if not isinstance(values, dict):
        raise InputError("its JSON is no object")
    return values, chunks[1] if len(chunks) > 1 else rest[:0]


def _items(values: Mapping[str, Any], name: str) -> Iterable[Any]:
    return values.get(name) or ()


def _size(value: Any) -> int:
    """A count or length of the JSON: one below nothing would make room for others."""
    if int(value) < 0:
        raise InputError(f"its JSON has a size of {value!r:.20}")
    return int(value)


def _check_textures(images: Iterable[Any], views: list[Any], buffer: memoryview, name: str) -> None:
    """One after the other, so that no two of them are in memory. Raises: as `glb_json`."""

    @cache
    def pixels_of_view(number: int) -> int:  # which may be many images
        start = _size(views[number].get("byteOffset", 0))
        return _pixels(buffer[start : start + _size(views[number]["byteLength"])])

    pixels = 0
    for image in images:
        pixels += pixels_of_view(image["bufferView"]) if "bufferView" in image else _pixels(_embedded(image["uri"]))
        check_decoded(name, pixels * BYTES_PER_PX, f"textures of {pixels} px and more")


def _pixels(image: bytes | memoryview) -> int:
    height, width = header_size_hw(BytesIO(image), "texture")
    return height * width


def _embedded(uri: str) -> bytes:
    head, _, data = uri.partition("base64,")
    if not head.startswith("data:"):
        raise InputError("one of its textures is in another file")
    return base64.b64decode(data)
