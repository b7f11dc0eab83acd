"""Surface normals: an image of them, an NPY file or an array becomes unit vectors, and those the network's colours.

A map may carry the image it belongs to (`photo.png+normals.png`). Does not know the network: a `NormalSpec` says what
tensor it requires. Coordinates are the map's pixels, or its image's where it has one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float, Float32

from deixis.errors import InputError
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame
from deixis.options import Checked
from deixis.signals import pairs
from deixis.signals.files import JPEG_MAGIC, PNG_MAGIC, TIFF_MAGICS
from deixis.signals.fit import MAX_8_BIT, Fit, square, square_frame
from deixis.signals.image_files import check_size, opened, upright
from deixis.signals.modality import Modality
from deixis.signals.npy_files import load_npy
from deixis.signals.signal import Signal, as_array, content_digest, is_array
from deixis.signals.tokenizer_options import FrameOptions

TOLERANCE = 0.15
"""How far from 1 a vector's length may be: 8 bits move it by 0.01, compression and resizing by more."""
STRAY_SHARE = 0.05
"""How many vectors may be farther off than that: along edges, resized maps mix two directions."""
BYTES_PER_PX = 48
"""What a map takes while its vectors are measured: three times in single precision, and their lengths."""
NO_VECTOR = 0.02
"""A vector shorter than this, such as 8-bit grey (128, 128, 128), stands for no surface."""


@no_type_check
@dataclass(frozen=True)
class NormalSpec(Checked):
    """The normals a network requires: a square as an `ImageSpec` says, of the colours (n + 1) / 2 as 8 bits.

    paired: the image's square comes first: (2, 3, size_px, size_px), as OneLLM takes them
        (data/finetune_dataset.py@8587a47). A map from an image gives that image's pixels back exactly, but for
        those without a surface, which become mid-grey.
    """

    size_px: int = 224
    paired: bool = False
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    fit: Fit = "letterbox"


@no_type_check
@dataclass(frozen=True)
class NormalOptions(FrameOptions, NormalSpec):
    """The preparation of normal maps, and how their patches become tokens (`FrameOptions`)."""


def open_file(path: Path, name: str) -> Signal:
    """The normals in an image (0..255 as -1..1, black and mid-grey as none) or in an NPY file."""
    if path.suffix.lower() == ".npy":
        return open_value(load_npy(path, "a map of surface normals"), name, str(path))
    with opened(path, name) as image:
        turned = upright(image, name, BYTES_PER_PX)
        mode = turned.mode
        if mode not in ("RGB", "RGBA"):
            raise InputError(
                f"'{name}': expected surface normals in three channels of 8 bits, got an image of mode {mode}."
            )
        rgb = np.asarray(turned)[:, :, :3]
    vectors = rgb.astype(np.float32) / np.float32(MAX_8_BIT / 2) - 1
    return _signal(vectors, (rgb > 0).any(axis=2), name, str(path), {"source_mode": mode})


def open_value(value: Any, name: str, path: str | None = None) -> Signal:
    """The normals in an array or tensor (height, width, 3) in [-1, 1], 0 or NaN for none, or in (image, normals)."""
    if pairs.is_pair(value):
        return pairs.pair_in_memory(open_value, value, name)
    array = as_array(value, name)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype.kind != "f":
        raise InputError(
            f"'{name}': expected surface normals as floats of shape (height, width, 3) in [-1, 1], got {array.dtype} "
            f"{array.shape}; colours 0..255 are opened from a PNG."
        )
    finite = np.isfinite(array).all(axis=2)
    return _signal(np.where(finite[..., None], array, 0).astype(np.float32), finite, name, path, {"source": "array"})


def open_pair(paths: tuple[Path, Path], name: str) -> Signal:
    """The normals in the second file with the image in the first."""
    return pairs.pair_of_files(open_file, *paths, name)


def fits(value: Any) -> bool:
    """Whether a value in memory is a map of normals: (image, normals); an array alone is taken for an image."""
    return pairs.is_pair(value) and is_array(value[1]) and len(value[1].shape) == 3 and "float" in str(value[1].dtype)


def to_tensor(signal: Signal, spec: NormalSpec) -> tuple[Float32[np.ndarray, "..."], Frame]:
    """(3, size, size), or (2, 3, size, size) of image and map, and the frame that leads back to the pixels."""
    values = square(normal_colours(signal.values), spec)
    if spec.paired:
        values = pairs.paired_values(signal, values, spec)
    return values, square_frame(signal.extent.size_hw, spec, "normal")


def normal_colours(vectors: Float32[np.ndarray, "height width 3"]) -> np.ndarray:
    """The vectors as 8-bit colours, (height, width, 3): -1..1 as 0..255; none is mid-grey."""
    return np.rint((np.clip(vectors, -1, 1) + 1) * np.float32(MAX_8_BIT / 2)).astype(np.uint8)


def _signal(
    vectors: Float[np.ndarray, "height width 3"], given: np.ndarray, name: str, path: str | None, info: dict[str, Any]
) -> Signal:
    check_size(*vectors.shape[:2], name, BYTES_PER_PX)
    length = np.linalg.norm(vectors, axis=2)
    given = given & (length > NO_VECTOR)
    stray = np.abs(length[given] - 1) > TOLERANCE
    if not given.any() or stray.mean() > STRAY_SHARE:
        got = f"{stray.mean():.0%} of other lengths, about {np.median(length[given]):.2f}" if given.any() else "none"
        raise InputError(
            f"'{name}': expected surface normals, vectors of length 1, got {got}; it is probably an image, or scaled."
        )
    values = np.ascontiguousarray(vectors * given[..., None], dtype=np.float32)
    extent = Extent("normal", size_hw=values.shape[:2])
    return Signal("normal", values, extent, name, content_digest("normal", values), path, info)


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    """Writes unit vectors as colours of a PNG, -1..1 as 0..255, mid-grey for none. Raises InputError otherwise."""
    from PIL import Image

    array = np.asarray(values)
    if array.dtype.kind != "f" or array.ndim != 3 or array.shape[2] != 3:
        raise InputError(f"expected normals as floats (height, width, 3), got {array.dtype} {array.shape}")
    Image.fromarray(normal_colours(array.astype(np.float32))).save(path, format="PNG")


NORMAL = Modality(
    name="normal",
    noun="a surface normal map",
    axes="xy",
    values_form=("float32", (None, None, 3)),
    suffixes=(),
    magics=(PNG_MAGIC, JPEG_MAGIC, *TIFF_MAGICS),
    spec=NormalSpec,
    options=NormalOptions,
    open_file=open_file,
    open_value=open_value,
    fits=fits,
    to_tensor=to_tensor,
    tokenizers={"stem": "deixis.model.tokenizers.stems:ImageTokenizer"},
    open_pair=open_pair,
    upsample="deixis.model.masks.pointing_head:Upsample2d",
    cells="deixis.model.masks.cells:PixelCells",
    panel="deixis.visualize.panels.image_panel:draw_normals",
    patches=True,
    has_directions=True,
    folder="normals",
    file_suffix=".png",
    write=write,
    header="size",
)
