"""Points and colours out of PCD files of the Point Cloud Library: ASCII, binary, or binary compressed by LZF.

The header says which fields a point has, of which types, in which order (pointclouds.org, "The PCD (Point Cloud Data)
file format"). x, y, z are needed, rgb or rgba is read where it is there, packed into one number; the rest is passed
over. Does not know units, tensors or signals.
"""

import numpy as np
from jaxtyping import UInt8

from deixis.errors import InputError
from deixis.files.budget import check_decoded
from deixis.signals.mesh import Mesh, check_words, count_of, property_phrases

MARK = b"# .PCD"
NEEDED = ("FIELDS", "SIZE", "TYPE", "POINTS", "DATA")
TYPES = {"F": ("f", (4, 8)), "I": ("i", (1, 2, 4, 8)), "U": ("u", (1, 2, 4, 8))}
"""Letter of a type -> NumPy's letter, and the bytes that it may have."""
MAX_NUMBERS = 1 << 12  # of one field per point
COLOURS = ("rgb", "rgba")
NORMALS = ("normal_x", "normal_y", "normal_z")
PADDING = "_"
COLOUR_BYTES = 4
UNPACKED_SHARE = 3
"""What the columns take beside the bytes that they are unpacked from."""
MAX_FIELDS = 1000
GREY = 127  # of a point whose colour is lost
LITERAL_RUN = 32  # control bytes below it are followed by that many literal bytes and one


def read_pcd(content: bytes, name: str) -> Mesh:
    """x, y, z of every point of a file, in its order, and their colours, uint8, or None.

    Raises: InputError for a header or content that is not whole.
    """
    header, body = _header(content)
    dtype = _dtype(header)
    count, data = count_of(header["POINTS"][0], "POINTS of its header"), header["DATA"][0]
    if data == "ascii":
        check_words(body, name)
        columns = _ascii_columns(body, dtype, count)
    elif data in ("binary", "binary_compressed"):
        check_decoded(name, count * dtype.itemsize * UNPACKED_SHARE, f"{count} points of {dtype.itemsize} bytes")
        columns = _binary_columns(body, dtype, count, data == "binary_compressed")
    else:
        raise InputError(f"its DATA is {data!r}, not ascii, binary or binary_compressed")
    xyz = np.stack([columns[name].astype(np.float64).reshape(count) for name in "xyz"], axis=1)
    used = next((name for name in COLOURS if name in columns), None)
    names = [name for name in header["FIELDS"] if name not in ("x", "y", "z", used, PADDING)]
    ignored = property_phrases(names, NORMALS)
    if used is None:
        return Mesh(xyz, None, ignored)
    colour = columns[used].reshape(count)
    rgb = _unpacked(colour)
    if data == "ascii" and colour.dtype.kind == "f":  # bits with an alpha are those of NaN, and lost as text
        lost = np.isnan(colour)
        rgb[lost] = GREY
        if lost.any():
            ignored += (f"colours of {lost.sum()} of {count} points, written as nan",)
        if count and lost.all():
            return Mesh(xyz, None, ignored)
    return Mesh(xyz, rgb, ignored)


def _header(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    """The words behind each keyword, and all that follows the line of DATA."""
    header: dict[str, list[str]] = {}
    place = 0
    while "DATA" not in header:
        end = content.find(b"\n", place)
        if end < 0:
            raise InputError("its header has no line DATA")
        keyword, *words = content[place:end].decode("ascii", "replace").split("#")[0].split() or [""]
        header[keyword] = words
        place = end + 1
    if lacking := [name for name in NEEDED if not header.get(name)]:
        raise InputError(f"its header has no {lacking[0]}")
    return header, content[place:]


def _dtype(header: dict[str, list[str]]) -> np.dtype:
    """One point as the file holds it."""
    names, sizes, types = (header[name] for name in ("FIELDS", "SIZE", "TYPE"))
    counts = header.get("COUNT") or ["1"] * len(names)
    if not len(names) == len(sizes) == len(types) == len(counts):
        raise InputError("FIELDS, SIZE, TYPE and COUNT of its header are not equally many")
    if len(names) > MAX_FIELDS:
        raise InputError(f"its points have {len(names)} fields, more than {MAX_FIELDS}")
    if lacking := [axis for axis in "xyz" if axis not in names]:
        raise InputError(f"its points have no field {lacking[0]}, only {' '.join(names)}")
    if repeated := [name for name in ("x", "y", "z", *COLOURS) if names.count(name) > 1]:
        raise InputError(f"its points have the field {repeated[0]} more than once")
    fields = []
    for number, (name, size, kind, count) in enumerate(zip(names, sizes, types, counts, strict=True)):
        known = name in ("x", "y", "z", *COLOURS)
        if known and count != "1":
            raise InputError(f"its field {name} has {count} numbers per point")
        letter, known_sizes = TYPES.get(kind, ("", ()))
        own = count_of(size, "SIZE of its header")
        if own not in known_sizes or (name in COLOURS and own != COLOUR_BYTES):
            raise InputError(f"its field {name} is of type {kind} with {size} bytes")
        if not 1 <= count_of(count, "COUNT of its header") <= MAX_NUMBERS:
            raise InputError(f"its field {name} has {count} numbers per point")
        # others may have the same name, as the paddings "_" do
        fields.append((name if known else f"{number} {name}", f"<{letter}{own}", (int(count),)))
    return np.dtype(fields)


def _ascii_columns(body: bytes, dtype: np.dtype, count: int) -> dict[str, np.ndarray]:
    words = body.split()
    width = sum(dtype[name].shape[0] for name in dtype.names or ())
    if len(words) != count * width:
        raise InputError(f"its header announces {count} points of {width} numbers, {len(words)} numbers came")
    table = np.array(words, dtype="S").reshape(count, width)
    columns, at = {}, 0
    for name in dtype.names or ():
        if name in ("x", "y", "z", *COLOURS):
            base = dtype[name].base
            # a colour packed into a float may be written as one, with digits enough for all its bits
            try:
                numbers = table[:, at].astype(np.float64)
            except ValueError as error:
                raise InputError(f"its field {name} holds what is no number") from error
            with np.errstate(invalid="ignore"):
                columns[name] = numbers.astype(base)
        at += dtype[name].shape[0]
    return columns


def _binary_columns(body: bytes, dtype: np.dtype, count: int, compressed: bool) -> dict[str, np.ndarray]:
    needed = count * dtype.itemsize
    if not compressed:
        if len(body) < needed:
            raise InputError(f"its header announces {count} points in {needed} bytes, {len(body)} came")
        rows = np.frombuffer(body, dtype, count)
        return {name: rows[name] for name in dtype.names or ()}
    if len(body) < 8:
        raise InputError("its compressed points end before their sizes")
    packed, whole = (int(n) for n in np.frombuffer(body[:8], "<u4", 2))
    if len(body) < 8 + packed or whole != needed:
        raise InputError(f"its header announces {needed} bytes from {packed}, {whole} from {len(body) - 8} came")
    data, columns, place = _decompressed(body[8 : 8 + packed], whole), {}, 0
    for name in dtype.names or ():  # all of the first field, then all of the second
        columns[name] = np.frombuffer(data, dtype[name].base, count * dtype[name].shape[0], place)
        place += count * dtype[name].itemsize
    return columns


def _decompressed(packed: bytes, size: int) -> bytes:
    """LZF (Marc Lehmann's liblzf, lzf_d.c): runs of literal bytes, and copies of what came before."""
    out, place = bytearray(), 0
    packed += bytes(2)  # so that a cut copy is read to its end, and found by the count of bytes
    while place < len(packed) - 2 and len(out) <= size:
        control = packed[place]
        place += 1
        if control < LITERAL_RUN:
            out += packed[place : place + control + 1]
            place += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += packed[place]
            place += 1
        start = len(out) - ((control & 31) << 8) - packed[place] - 1
        place += 1
        length += 2
        if start < 0:
            raise InputError("its compressed points begin with a copy of nothing")
        period = bytes(out[start : start + length])
        out += (period * (length // len(period) + 1))[:length]  # a copy may run into what it writes
    if len(out) != size:
        raise InputError(f"its compressed points are {len(out)} bytes, {size} were announced")
    return bytes(out)


def _unpacked(colour: np.ndarray) -> UInt8[np.ndarray, "point 3"]:
    """r, g, b of the bits of one number a point: 0x00RRGGBB."""
    bits = np.ascontiguousarray(colour).view("<u4")
    return np.stack([(bits >> shift) & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8)
