"""Maps that belong to a photo: a depth map or surface normals, alone or with the picture they were made of.

What both have in common: a pair from two files or from memory, and the pair a network takes, cut the same way.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from deixis.errors import InputError
from deixis.signals.fit import SquareSpec, square
from deixis.signals.image import fits as fits_picture
from deixis.signals.image import open_file as open_picture_file
from deixis.signals.image import open_value as open_picture_value
from deixis.signals.signal import Signal, content_digest, is_array

ASPECT_SHARE = 0.02
"""How much a map's aspect may differ from its picture's: a map is often made at another size."""


def with_picture(signal: Signal, picture: Signal) -> Signal:
    """The map with its picture; a map of another size is brought to the picture's, each pixel from the nearest.

    Nearest, because a depth between two things is the depth of neither. Places are the picture's pixels.
    Raises: ValueError when the two have different proportions.
    """
    height, width = signal.values.shape[:2]
    rows, columns = picture.values.shape[:2]
    if abs(width * rows - height * columns) > ASPECT_SHARE * height * columns:
        raise InputError(
            f"'{signal.name}': expected a map of its picture's proportions, {columns} x {rows}, got {width} x "
            f"{height}; they are probably not of the same view."
        )
    values = signal.values
    if (height, width) != (rows, columns):
        y, x = (np.arange(rows) + 0.5) * height / rows, (np.arange(columns) + 0.5) * width / columns
        values = np.ascontiguousarray(values[y.astype(np.int64)][:, x.astype(np.int64)])
    digest = content_digest(signal.digest + picture.digest, values)
    info = {**signal.info, "map_size_hw": (height, width)}
    extent = replace(signal.extent, size_hw=(rows, columns))
    return replace(signal, values=values, extent=extent, digest=digest, picture=picture.values, info=info)


def pair_of_files(open_map: Callable[..., Signal], picture: Path, map_path: Path, name: str, **options: Any) -> Signal:
    """The map in the second file with the picture in the first."""
    opened = open_map(map_path, map_path.name, **options)
    paired = with_picture(opened, open_picture_file(picture, picture.name))
    return replace(paired, name=name, path=f"{picture}+{map_path}")


def pair_in_memory(open_map: Callable[..., Signal], value: Any, name: str, **options: Any) -> Signal:
    """The map of (picture, map) in memory with its picture."""
    picture, plane = value
    return with_picture(open_map(plane, name, None, **options), open_picture_value(picture, f"picture of {name}"))


def is_pair(value: Any) -> bool:
    """Whether a value is (picture, map): a picture or an array, and an array."""
    return isinstance(value, tuple) and len(value) == 2 and fits_picture(value[0]) and is_array(value[1])


def paired_values(signal: Signal, map_square: Float32[np.ndarray, "3 size size"], spec: SquareSpec) -> np.ndarray:
    """(2, 3, size, size): the picture's square and the map's, cut the same way.

    Raises: ValueError when the signal has no picture.
    """
    if signal.picture is None:
        raise InputError(
            f"'{signal.name}': expected a {signal.modality} map with its picture, which this model looks at together, "
            f"got the map alone; name both as {signal.modality}:photo.png+{signal.name}, or give (picture, map) in "
            "memory."
        )
    return np.stack([square(signal.picture, spec), map_square])
