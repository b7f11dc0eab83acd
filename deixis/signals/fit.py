"""How an image becomes the square a network wants: letterboxed, squashed or cropped, then normalised.

Images, videos, depth maps and normals all pass here, so that what one network was trained on is one word in its
spec. Resampling is Pillow's, as in the official preprocessors: the same pixels, bit for bit.

| fit | what is done | whose |
| --- | --- | --- |
| letterbox | the whole image, aspect kept, centred; padding is 0, the mean colour | ours |
| squash | the whole image, each side by its own scale | Ferret |
| crop | shorter side to size, the middle square; half an odd pixel rounded down | LISA, LLaVA (transformers) |
| crop_rounded | the same, rounded to even | OneLLM's evaluation (torchvision) |
"""

import math
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from deixis.geometry.frames import Frame, crop_placement, letterbox_placement, placed_frame

Fit = Literal["letterbox", "squash", "crop", "crop_rounded"]
MAX_8_BIT = 255
SPARSE = 0.25
"""A pixel of the square is kept where at least this share of what it covers has a reading."""

Placement = tuple[int, int, int, int]


@runtime_checkable
class SquareSpec(Protocol):
    """The fields of a spec that say which square its network wants."""

    # Properties, for the specs are frozen: a plain field of a protocol could be assigned.
    @property
    def size_px(self) -> int: ...

    @property
    def mean(self) -> tuple[float, float, float]: ...

    @property
    def std(self) -> tuple[float, float, float]: ...

    @property
    def fit(self) -> str: ...


def placement(size_hw: tuple[int, int], size_px: int, fit: str) -> Placement:
    """(top, left, height, width), in pixels of the square, that the image takes up; negative where it sticks out."""
    if fit == "letterbox":
        return letterbox_placement(size_hw, (size_px, size_px))
    if fit == "squash":
        return 0, 0, size_px, size_px
    return crop_placement(size_hw, size_px, round if fit == "crop_rounded" else math.floor)


def square_frame(size_hw: tuple[int, int], spec: SquareSpec, modality: str) -> Frame:
    """The frame of an image of this size in the square of a spec."""
    place = placement(size_hw, spec.size_px, spec.fit)
    return placed_frame(size_hw, (spec.size_px, spec.size_px), place, modality)


def square(rgb: UInt8[np.ndarray, "height width 3"], spec: SquareSpec) -> Float32[np.ndarray, "3 size size"]:
    """The normalised square of RGB pixels: (value in [0, 1] - mean) / std, resampled by Pillow's bicubic."""
    from PIL import Image

    place = placement(rgb.shape[:2], spec.size_px, spec.fit)
    _, _, height, width = place
    if rgb.shape[:2] != (height, width):
        rgb = np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))
    return normalised(rgb, place, spec, MAX_8_BIT)


def weighted_square(
    channels: Float[np.ndarray, "height width 3"], weights: Float[np.ndarray, "height width"], spec: SquareSpec
) -> Float32[np.ndarray, "3 size size"]:
    """The normalised square of channels in [0, 1], where a pixel counts by its weight; 0 where none has any.

    Pixels without a reading then lend their neighbours nothing, as they would if the map were resampled as it is.
    """
    place = placement(channels.shape[:2], spec.size_px, spec.fit)
    size_hw = place[2], place[3]
    total = _smooth(weights.astype(np.float32), size_hw)
    sums = [_smooth((channels[..., i] * weights).astype(np.float32), size_hw) for i in range(3)]
    kept = [np.divide(part, total, out=np.zeros_like(total), where=total > SPARSE) for part in sums]
    return normalised(np.stack(kept, axis=-1), place, spec, 1)


def _smooth(plane: Float32[np.ndarray, "height width"], size_hw: tuple[int, int]) -> np.ndarray:
    """One channel at another size: antialiased, and never beyond its own range (Pillow's bilinear)."""
    from PIL import Image

    if plane.shape == size_hw:
        return plane
    return np.asarray(Image.fromarray(plane).resize(size_hw[::-1], Image.Resampling.BILINEAR))


def normalised(
    pixels: Shaped[np.ndarray, "height width 3"], place: Placement, spec: SquareSpec, top_value: float
) -> Float32[np.ndarray, "3 size size"]:
    """The square of pixels already of the placement's size, 0..top_value; what sticks out is cut, the rest is 0."""
    top, left, height, width = place
    size = spec.size_px
    rows, columns = slice(max(-top, 0), size - top), slice(max(-left, 0), size - left)
    scale = 1 / (top_value * np.asarray(spec.std, dtype=np.float32))
    shift = np.asarray(spec.mean, dtype=np.float32) / np.asarray(spec.std, dtype=np.float32)
    normal = pixels[rows, columns].astype(np.float32) * scale - shift
    values = np.zeros((3, size, size), dtype=np.float32)
    top, left = max(top, 0), max(left, 0)
    values[:, top : top + normal.shape[0], left : left + normal.shape[1]] = normal.transpose(2, 0, 1)
    return values
