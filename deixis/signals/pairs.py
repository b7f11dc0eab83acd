"""Maps that belong to a photo: a depth map or surface normals, alone or with the image they were made of.

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
from deixis.signals.image import fits as fits_image
from deixis.signals.image import open_file as open_image_file
from deixis.signals.image import open_value as open_image_value
from deixis.signals.signal import Signal, content_digest, is_array

ASPECT_SHARE = 0.02
"""How much a map's aspect may differ from its image's: a map is often made at another size."""


def with_image(signal: Signal, image: Signal) -> Signal:
    """The map with its image; a map of another size is brought to the image's, each pixel from the nearest.

    Nearest, because a depth between two things is the depth of neither. Places are the image's pixels.
    Raises: InputError when the two have different proportions.
    """
    height, width = signal.values.shape[:2]
    rows, columns = image.values.shape[:2]
    if abs(width * rows - height * columns) > ASPECT_SHARE * height * columns:
        raise InputError(
            f"'{signal.name}': expected a map of its image's proportions, {columns} x {rows}, got {width} x "
            f"{height}; they are probably not of the same view."
        )
    values = signal.values
    if (height, width) != (rows, columns):
        y, x = (np.arange(rows) + 0.5) * height / rows, (np.arange(columns) + 0.5) * width / columns
        values = np.ascontiguousarray(values[y.astype(np.int64)][:, x.astype(np.int64)])
    digest = content_digest(signal.digest + image.digest, values)
    extent = replace(signal.extent, size_hw=(rows, columns))
    return replace(signal, values=values, extent=extent, digest=digest, image=image.values)


def pair_of_files(open_map: Callable[..., Signal], image: Path, map_path: Path, name: str, **options: Any) -> Signal:
    """The map in the second file with the image in the first."""
    opened = open_map(map_path, map_path.name, **options)
    paired = with_image(opened, open_image_file(image, image.name))
    return replace(paired, name=name, path=f"{image}+{map_path}")


def pair_in_memory(open_map: Callable[..., Signal], value: Any, name: str, **options: Any) -> Signal:
    """The map of (image, map) in memory with its image."""
    image, plane = value
    return with_image(open_map(plane, name, None, **options), open_image_value(image, f"image of {name}"))


def is_pair(value: Any) -> bool:
    """Whether a value is (image, map): an image or an array, and an array."""
    return isinstance(value, tuple) and len(value) == 2 and fits_image(value[0]) and is_array(value[1])


def paired_values(signal: Signal, map_square: Float32[np.ndarray, "3 size size"], spec: SquareSpec) -> np.ndarray:
    """(2, 3, size, size): the image's square and the map's, cut the same way.

    Raises: InputError when the signal has no image.
    """
    if signal.image is None:
        raise InputError(
            f"'{signal.name}': expected a {signal.modality} map with its image, which this model looks at together, "
            f"got the map alone; name both as {signal.modality}:photo.png+{signal.name}, or give (image, map) in "
            "memory."
        )
    return np.stack([square(signal.image, spec), map_square])
