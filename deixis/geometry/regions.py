"""Region types: the ways of pointing at a part of a signal.

A region says where, in the units of the file it points into (pixels, seconds, the cloud's own units), and on which
signal of the question it lies. It does not know how large that signal is (see ``check.py``), which of its pixels or
points are inside (``raster.py``) or what the network sees (``frames.py``).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.geometry.extent import Numbers
from deixis.geometry.rle import mask_to_rle, rle_to_mask


def _locked(values: np.ndarray) -> np.ndarray:
    """A read-only view, so that a frozen region cannot change under its digest."""
    view = values.view()
    view.flags.writeable = False
    return view


def _float_coordinate(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{what} must be a number, got {value!r}") from None


def _point_rows(values: Numbers, what: str) -> np.ndarray:
    """(k, 2) floats, or ValueError that names the region type."""
    try:
        rows = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what} needs points as k pairs (x, y) of numbers, got {values!r}") from None
    if rows.size == 0:
        rows = rows.reshape(0, 2)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise InputError(f"{what} needs points of shape (k, 2), got shape {rows.shape}")
    return _locked(rows)


def _same_region(first: Any, second: Any) -> bool:
    if type(first) is not type(second):
        return NotImplemented
    return first.signal == second.signal and region_digest(first) == region_digest(second)


def _region_hash(region: Any) -> int:
    return hash((region.signal, region_digest(region)))


@dataclass(frozen=True, init=False)
class Point:
    """One place: ``Point(x, y)`` in a picture, ``Point(time_s)`` in a sound, ``Point(x, y, z)`` in a cloud.

    In a film, ``Point(x, y, time_s)``.
    """

    coords: tuple[float, ...]
    signal: int = 0

    def __init__(self, *values: float, coords: Sequence[float] | None = None, signal: int = 0):
        given = tuple(values) if coords is None else tuple(coords)
        if not 1 <= len(given) <= 3:
            raise InputError(f"Point needs 1, 2 or 3 coordinates, got {len(given)}")
        object.__setattr__(self, "coords", tuple(_float_coordinate(value, "a coordinate of Point") for value in given))
        object.__setattr__(self, "signal", int(signal))


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture, edges in pixels: pixel i covers [i, i + 1)."""

    x1: float
    y1: float
    x2: float
    y2: float
    signal: int = field(default=0, kw_only=True)

    def __post_init__(self):
        for name in ("x1", "y1", "x2", "y2"):
            object.__setattr__(self, name, _float_coordinate(getattr(self, name), f"{name} of Box"))


@dataclass(frozen=True, eq=False)
class Scribble:
    """A stroke over a picture through ``points`` (k, 2), k >= 1, as (x, y) in pixels."""

    points: Numbers  # kept as float64 (k, 2), read-only
    signal: int = field(default=0, kw_only=True)

    __eq__ = _same_region
    __hash__ = _region_hash

    def __post_init__(self):
        object.__setattr__(self, "points", _point_rows(self.points, "Scribble"))


@dataclass(frozen=True, eq=False)
class Polygon:
    """A filled outline over a picture, corners ``points`` (k, 2), k >= 3, as (x, y) in pixels; it closes itself."""

    points: Numbers  # kept as float64 (k, 2), read-only
    signal: int = field(default=0, kw_only=True)

    __eq__ = _same_region
    __hash__ = _region_hash

    def __post_init__(self):
        object.__setattr__(self, "points", _point_rows(self.points, "Polygon"))


@dataclass(frozen=True, eq=False)
class Mask:
    """The pixels of a picture where ``array`` (H, W) is not zero."""

    array: Numbers  # kept as bool (H, W), read-only
    signal: int = field(default=0, kw_only=True)

    __eq__ = _same_region
    __hash__ = _region_hash

    def __post_init__(self):
        array = np.asarray(self.array)
        if array.ndim != 2:
            raise InputError(f"Mask needs an array of shape (height, width), got shape {array.shape}")
        object.__setattr__(self, "array", _locked(array.astype(bool)))

    @classmethod
    def from_rle(cls, rle: dict, signal: int = 0) -> "Mask":
        """The mask of a COCO run-length code ``{"size": [h, w], "counts": ...}``; ValueError if it is malformed."""
        return cls(rle_to_mask(rle), signal=signal)

    def to_rle(self) -> dict:
        """COCO's compressed run-length code, ``counts`` as ASCII text, so that it goes into JSON as it is."""
        return mask_to_rle(self.array)


@dataclass(frozen=True)
class Span:
    """A stretch of a sound, a motion trace or a film, in seconds from its beginning."""

    start_s: float
    end_s: float
    signal: int = field(default=0, kw_only=True)

    def __post_init__(self):
        for name in ("start_s", "end_s"):
            object.__setattr__(self, name, _float_coordinate(getattr(self, name), f"{name} of Span"))


@dataclass(frozen=True)
class Tube:
    """A rectangle of a film for a stretch of its time: edges in pixels, and seconds from its beginning."""

    x1: float
    y1: float
    x2: float
    y2: float
    start_s: float
    end_s: float
    signal: int = field(default=0, kw_only=True)

    def __post_init__(self):
        for name in ("x1", "y1", "x2", "y2", "start_s", "end_s"):
            object.__setattr__(self, name, _float_coordinate(getattr(self, name), f"{name} of Tube"))

    @property
    def box(self) -> Box:
        """Its rectangle."""
        return Box(self.x1, self.y1, self.x2, self.y2, signal=self.signal)

    @property
    def span(self) -> Span:
        """Its stretch of time."""
        return Span(self.start_s, self.end_s, signal=self.signal)


@dataclass(frozen=True)
class Box3D:
    """An upright box in a point cloud or a brain, in its own units."""

    x1: float
    y1: float
    z1: float
    x2: float
    y2: float
    z2: float
    signal: int = field(default=0, kw_only=True)

    def __post_init__(self):
        for name in ("x1", "y1", "z1", "x2", "y2", "z2"):
            object.__setattr__(self, name, _float_coordinate(getattr(self, name), f"{name} of Box3D"))


@dataclass(frozen=True, eq=False)
class PointSet:
    """Some points of a cloud, or voxels of a brain, as ``indices`` (k,) into the file's, sorted, without repeats."""

    indices: Numbers  # kept as int64 (k,), read-only
    signal: int = field(default=0, kw_only=True)

    __eq__ = _same_region
    __hash__ = _region_hash

    def __post_init__(self):
        indices = np.asarray(self.indices)
        if indices.size == 0:
            indices = np.zeros(0, dtype=np.int64)
        if indices.ndim != 1 or not np.issubdtype(indices.dtype, np.integer):
            raise InputError(
                f"PointSet needs whole-number indices of shape (k,), got {indices.dtype} of shape {indices.shape}"
            )
        object.__setattr__(self, "indices", _locked(np.unique(indices).astype(np.int64)))


Region = Point | Box | Scribble | Polygon | Mask | Span | Tube | Box3D | PointSet


def region_digest(region: Region) -> bytes:
    """16 bytes that are equal for equal regions, whichever signal of the question they lie on.

    >>> region_digest(Box(0, 0, 4, 4)) == region_digest(Box(0, 0, 4.0, 4, signal=1))
    True
    """
    match region:
        case Mask(array=array):
            content = np.packbits(array).tobytes() + repr(array.shape).encode()
        case Scribble(points=rows) | Polygon(points=rows):
            content = rows.tobytes()
        case PointSet(indices=indices):
            content = indices.tobytes()
        case Point(coords=coords):
            content = repr(coords).encode()
        case _:
            content = repr([value for name, value in vars(region).items() if name != "signal"]).encode()
    return hashlib.blake2b(type(region).__name__.encode() + content, digest_size=16).digest()
