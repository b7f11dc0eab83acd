"""Frames: coordinates between a file, the tensor window the network sees, and the integer grid written in text.

Axis order is x, y | t | x, y, t | x, y, z everywhere. Per axis, ``unit = (file - origin) / extent``; the grid numbers
the cells of the unit axis from 0, and a cell stands for its centre. Frames know no pixels' values and resize nothing.

    file (pixels, s, own units) --to_unit--> [0, 1] of the window --to_grid--> 0..999
                                <--to_file--
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from deixis.errors import InputError
from deixis.geometry.extent import Extent, Numbers

GRID_CELLS = 1000  # cells per axis in text; Ferret (You et al., ICLR 2024) section 3 uses the same thousand


@dataclass(frozen=True)
class Frame:
    """Affine map of every axis between file units and the unit window; d = ``frame.dim``."""

    modality: str
    origin: tuple[float, ...]  # file coordinate of unit 0, per axis
    extent: tuple[float, ...]  # file length of the unit window, per axis
    size: Extent  # the whole signal, which may be smaller (padding) or larger (a window) than this frame

    def __post_init__(self):
        if len(self.origin) != len(self.extent) or len(self.origin) != self.size.dim:
            raise InputError(
                f"Frame of {self.modality!r} needs {self.size.dim} origins and extents, "
                f"got {len(self.origin)} and {len(self.extent)}"
            )
        if not (np.isfinite(self.origin).all() and np.isfinite(self.extent).all() and min(self.extent, default=1) > 0):
            raise InputError(f"Frame needs finite origins and positive extents, got {self.origin} and {self.extent}")

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.origin)

    def to_unit(self, file: Numbers) -> Float[np.ndarray, "*batch dim"]:
        """Unit coordinates (..., d) of file coordinates (..., d); outside the window they leave [0, 1]."""
        return (np.asarray(file, dtype=np.float64) - self.origin) / self.extent

    def to_file(self, unit: Numbers) -> Float[np.ndarray, "*batch dim"]:
        """File coordinates (..., d) of unit coordinates (..., d)."""
        return np.asarray(unit, dtype=np.float64) * self.extent + self.origin

    def to_grid(self, unit: Numbers, cells: int = GRID_CELLS) -> Int[np.ndarray, "*batch dim"]:
        """Grid cells 0..cells-1 of unit coordinates, clipped: what lies outside goes to the border cell."""
        scaled = np.floor(np.asarray(unit, dtype=np.float64) * cells)
        return np.clip(scaled, 0, cells - 1).astype(np.int64)

    def clip(self, file: Numbers) -> Float[np.ndarray, "*batch dim"]:
        """File coordinates moved into the signal: off the padding of an image, off the silence after audio.

        Clouds have no border and stay as they are.
        """
        file = np.asarray(file, dtype=np.float64)
        highs = (*(self.size.size_hw or ())[::-1], *((self.size.duration_s,) if self.size.duration_s else ()))
        return np.clip(file, 0.0, highs) if highs else file

    @property
    def window(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """(lows, highs), in file units: what the network sees of the signal. A region outside of it is not seen."""
        return self.origin, tuple(low + length for low, length in zip(self.origin, self.extent, strict=True))


def letterbox_placement(size_hw: tuple[int, int], tensor_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width), in whole tensor pixels, of an image fitted into a tensor: aspect kept, centred.

    >>> letterbox_placement((480, 640), (128, 128))
    (16, 0, 96, 128)
    """
    scale = min(tensor_hw[0] / size_hw[0], tensor_hw[1] / size_hw[1])
    height, width = (min(max(round(side * scale), 1), room) for side, room in zip(size_hw, tensor_hw, strict=True))
    return (tensor_hw[0] - height) // 2, (tensor_hw[1] - width) // 2, height, width


def letterbox_frame(size_hw: tuple[int, int], tensor_hw: tuple[int, int], modality: str = "image") -> Frame:
    """Frame of an image fitted into a tensor as ``letterbox_placement`` says, exact for its rounded size.

    >>> letterbox_frame((480, 640), (128, 128)).to_unit([0.0, 0.0]).tolist()
    [0.0, 0.125]
    """
    return placed_frame(size_hw, tensor_hw, letterbox_placement(size_hw, tensor_hw), modality)


def crop_placement(
    size_hw: tuple[int, int], size_px: int, half: Callable[[float], int] = math.floor
) -> tuple[int, int, int, int]:
    """(top, left, height, width), in tensor pixels, of an image whose central square fills the tensor.

    The shorter side becomes size_px and the longer one is rounded down; what does not fit is cut off, half on each
    side, so top and left are zero or negative. An odd pixel is given away by ``half``: transformers cuts ``floor`` of
    the half off first, torchvision ``round``.

    >>> crop_placement((480, 645), 224), crop_placement((480, 645), 224, round)
    ((0, -38, 224, 301), (0, -38, 224, 301))
    """
    height, width = (size_px * side // min(size_hw) for side in size_hw)
    return -half((height - size_px) / 2), -half((width - size_px) / 2), height, width


def placed_frame(
    size_hw: tuple[int, int], tensor_hw: tuple[int, int], placement: tuple[int, int, int, int], modality: str = "image"
) -> Frame:
    """Frame of an image that takes up (top, left, height, width) of a tensor, in tensor pixels; it may stick out.

    >>> placed_frame((100, 200), (10, 10), crop_placement((100, 200), 10)).window
    ((50.0, 0.0), (150.0, 100.0))
    """
    top, left, height, width = placement
    per_pixel_x, per_pixel_y = size_hw[1] / width, size_hw[0] / height  # file pixels per tensor pixel
    return Frame(
        modality=modality,
        origin=(-left * per_pixel_x, -top * per_pixel_y),
        extent=(tensor_hw[1] * per_pixel_x, tensor_hw[0] * per_pixel_y),
        size=Extent(modality, size_hw=size_hw),
    )


def video_frame(image: Frame, duration_s: float, modality: str = "video") -> Frame:
    """Frame of a video, x, y, t: that of its images, and the whole duration as its time axis."""
    size = Extent(modality, size_hw=image.size.size_hw, duration_s=duration_s)
    return Frame(modality, (*image.origin, 0.0), (*image.extent, float(duration_s)), size)


def window_frame(duration_s: float, window_s: float, start_s: float = 0.0, modality: str = "audio") -> Frame:
    """Frame of the window [start_s, start_s + window_s] of audio or an IMU recording of ``duration_s``."""
    return Frame(modality, (float(start_s),), (float(window_s),), Extent(modality, duration_s=duration_s))


def placeless_frame(count: int, modality: str) -> Frame:
    """Frame of values without positions: no axes, so that no region can lie in it."""
    return Frame(modality, (), (), Extent(modality, count=count))


def cloud_frame(points_xyz: Float[np.ndarray, "n 3"], modality: str = "point_cloud") -> Frame:
    """Frame of the smallest cube around a cloud, centred on its bounding box; a cloud without size gets side 1.

    Raises InputError for an empty cloud or one with coordinates that are not finite.
    """
    points = np.asarray(points_xyz, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise InputError(f"a point cloud needs points of shape (N, 3) with N > 0, got {points.shape}")
    lows, highs = points.min(axis=0), points.max(axis=0)
    side = float((highs / 2 - lows / 2).max()) * 2
    if not np.isfinite(side):
        raise InputError("a point cloud needs finite coordinates: it holds NaN, infinite or far too large ones")
    centre = lows / 2 + highs / 2
    if side <= 1e-9 * float(np.abs(centre).max()):  # one place, up to rounding
        side = 1.0
    return Frame(
        modality=modality,
        origin=tuple((centre - side / 2).tolist()),
        extent=(side, side, side),
        size=Extent(modality, points_xyz=np.asarray(points_xyz)),
    )
