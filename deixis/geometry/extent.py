"""Extent: how large a signal is, in its own units; what regions are checked against.

It knows no file and no tensor. Which sizes are given decides the axes of a place: pixels are x and y, seconds are t,
both together (a video) are x, y and t, and points are x, y and z. A new modality with any of them needs nothing
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deixis.errors import InputError

Numbers = np.ndarray | Sequence[Any]  # an array, or the lists and tuples that make one
NOUNS: dict[str, str] = {}
"""What each modality is called in messages, "a depth map"; `deixis.signals` fills it, for it knows the modalities."""
_SIZES = ("size_hw", "duration_s", "points_xyz", "count")


@dataclass(frozen=True, eq=False)
class Extent:
    """Size of one signal: exactly one of the sizes, or `size_hw` and `duration_s` of a video."""

    modality: str  # "image" | "audio" | "point_cloud" | ...
    size_hw: tuple[int, int] | None = None  # pixels of the upright image
    duration_s: float | None = None
    points_xyz: np.ndarray | None = None  # (N, 3), the file's own units
    count: int | None = None  # of values without positions, in which no region can lie

    def __post_init__(self):
        given = [name for name in _SIZES if getattr(self, name) is not None]
        if len(given) != 1 and given != ["size_hw", "duration_s"]:
            raise InputError(f"Extent of {self.modality!r} needs one of {', '.join(_SIZES)}, got {given}")
        if self.size_hw is not None:
            height, width = (int(side) for side in self.size_hw)
            if height < 1 or width < 1:
                raise InputError(f"size_hw of an Extent must be positive, got {(height, width)}")
            object.__setattr__(self, "size_hw", (height, width))
        if self.duration_s is not None:
            if not 0 < self.duration_s < float("inf"):
                raise InputError(f"duration_s of an Extent must be positive seconds, got {self.duration_s}")
            object.__setattr__(self, "duration_s", float(self.duration_s))
        if self.points_xyz is not None:
            points = np.asarray(self.points_xyz)
            if points.ndim != 2 or points.shape[1] != 3 or not np.issubdtype(points.dtype, np.floating):
                raise InputError(f"points_xyz of an Extent must be floats (N, 3), got {points.dtype} {points.shape}")
            object.__setattr__(self, "points_xyz", points)
        if self.count is not None and self.count < 1:
            raise InputError(f"count of an Extent must be positive, got {self.count}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Extent):
            return NotImplemented
        if self._sizes != other._sizes:
            return False
        if self.points_xyz is None or other.points_xyz is None:
            return self.points_xyz is other.points_xyz
        return np.array_equal(self.points_xyz, other.points_xyz)

    def __hash__(self) -> int:
        return hash(self._sizes)

    @property
    def _sizes(self) -> tuple:
        return self.modality, self.size_hw, self.duration_s, self.count

    @property
    def axes(self) -> str:
        """Names of the axes of a place, in order: "xy", "t", "xyt", "xyz", or "" where nothing has a place."""
        pixels, seconds = "xy" * (self.size_hw is not None), "t" * (self.duration_s is not None)
        return pixels + seconds + "xyz" * (self.points_xyz is not None)

    @property
    def dim(self) -> int:
        """Number of axes of a place in this signal: 2 with pixels, 1 with seconds, 3 with both or with points."""
        return len(self.axes)

    @property
    def noun(self) -> str:
        """Its name in messages, with an article where it takes one: "an image"."""
        return NOUNS.get(self.modality, f"a signal of modality {self.modality!r}")
