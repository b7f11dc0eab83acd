"""Arrays out of NPY and NPZ files: what the header announces is compared with the file before memory is taken.

Nothing pickled is ever executed. Does not know what the numbers mean.
"""

import math
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np

from deixis.errors import InputError, one_line
from deixis.files.budget import check_decoded, unpacked
from deixis.files.regular import check_regular, open_regular

ARRAY_SUFFIX = ".npy"
"""A file of one array: its shape tells the modality, as for an array in memory. Also of a member of an archive."""
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those that NumPy writes; others take memory that their header names."""
HEADER_BYTES = 2**16
"""More than NumPy reads of a header."""
REASON_LENGTH = 120


def load_npy(path: Path, expected: str, mmap_mode: Literal["r"] | None = None) -> np.ndarray:
    """The array in an NPY file, or with `mmap_mode` a view of it.

    Raises: InputError when the file is no NPY file, is cut short, holds Python objects, or is beyond the budget.
    """
    check_regular(path)
    try:
        # mapped first, for that fails where the file is shorter than its header says, before anything is allocated
        array = np.load(path, "r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            array.close()
            raise InputError("it is an archive of several arrays")
        if not array.dtype.itemsize:
            raise InputError(f"its numbers are of the type {array.dtype}, which has no bytes")
    except Exception as error:  # headers of damaged files raise anything: SyntaxError, OverflowError, TokenError, ...
        raise InputError(
            f"'{path}': expected {expected} as a NumPy array of numbers, got a file NumPy cannot read "
            f"({one_line(error, REASON_LENGTH)}); it is cut short, holds Python objects, or is not an NPY file."
        ) from error
    if mmap_mode is not None:
        return array
    check_decoded(path.name, array.nbytes, f"numbers of shape {array.shape}")
    return np.array(array)


def load_npz(
    path: Path, name: str, expected: str, choose: Callable[[Sequence[str]], Sequence[str]]
) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file that `choose` picks among its names, which are there in the order of the file.

    Raises: InputError as `load_npy`, and for encrypted members. What `choose` raises passes.
    """
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            members = {info.filename.removesuffix(ARRAY_SUFFIX): info for info in archive.infolist()}
            chosen = choose(list(members))
            size = sum(members[key].file_size for key in chosen)
            check_decoded(name, size, f"an archive of {size} bytes")
            return {key: _member(archive, members[key], name) for key in chosen}
    except (InputError, MemoryError):
        raise
    except Exception as error:  # damaged archives raise anything: BadZipFile, zlib.error, RuntimeError, ...
        raise InputError(
            f"'{name}': expected {expected} in an NPZ file, got a file that cannot be read "
            f"({one_line(error, REASON_LENGTH)}); it is cut short, damaged, encrypted, or holds Python objects."
        ) from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> np.ndarray:
    """The array in a member, which is unpacked up to the size that the archive states."""
    if info.compress_type not in COMPRESSIONS:
        raise ValueError(f"{info.filename} is compressed by method {info.compress_type}")
    with archive.open(info) as stream:
        content = unpacked(stream, name, info.file_size)
    stream = BytesIO(content[:HEADER_BYTES])
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, is_fortran, dtype = headers[np.lib.format.read_magic(stream)](stream)
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds Python objects")
    count = math.prod(shape)
    if not count:
        return np.zeros(shape, dtype)
    if min(shape) < 0 or count * dtype.itemsize > len(content) - stream.tell():
        raise ValueError(f"{info.filename} is shorter than its header says")
    return np.frombuffer(content, dtype, count, stream.tell()).reshape(shape, order="F" if is_fortran else "C")
