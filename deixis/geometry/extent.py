"""Extent: how large a signal is, in its own units; what regions are checked against.

It knows no file and no tensor. Which of the three sizes is given decides the number of axes, so a new kind of signal
with pixels, seconds or points needs nothing here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = np.ndarray | Sequence[Any]  # an array, or the lists and tuples that make one
NOUNS = {"image": "a picture", "audio": "a sound", "point_cloud": "a point cloud"}


@dataclass(frozen=True, eq=False)
class Extent:
    """Size of one signal; exactly one of the three sizes is given. Raises ValueError otherwise."""

    kind: str  # "image" | "audio" | "point_cloud" | ...
    size_hw: tuple[int, int] | None = None  # pixels of the upright picture
    duration_s: float | None = None
    points_xyz: np.ndarray | None = None  # (N, 3), the file's own units

    def __post_init__(self):
        given = [name for name in ("size_hw", "duration_s", "points_xyz") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"Extent of {self.kind!r} needs one of size_hw, duration_s, points_xyz, got {given}")
        if self.size_hw is not None:
            height, width = (int(side) for side in self.size_hw)
            if height < 1 or width < 1:
                raise ValueError(f"size_hw of an Extent must be positive, got {(height, width)}")
            object.__setattr__(self, "size_hw", (height, width))
        elif self.duration_s is not None:
            if not 0 < self.duration_s < float("inf"):
                raise ValueError(f"duration_s of an Extent must be positive seconds, got {self.duration_s}")
            object.__setattr__(self, "duration_s", float(self.duration_s))
        else:
            points = np.asarray(self.points_xyz)
            if points.ndim != 2 or points.shape[1] != 3 or not np.issubdtype(points.dtype, np.floating):
                raise ValueError(f"points_xyz of an Extent must be floats (N, 3), got {points.dtype} {points.shape}")
            object.__setattr__(self, "points_xyz", points)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Extent):
            return NotImplemented
        if (self.kind, self.size_hw, self.duration_s) != (other.kind, other.size_hw, other.duration_s):
            return False
        if self.points_xyz is None or other.points_xyz is None:
            return self.points_xyz is other.points_xyz
        return np.array_equal(self.points_xyz, other.points_xyz)

    def __hash__(self) -> int:
        return hash((self.kind, self.size_hw, self.duration_s))

    @property
    def dim(self) -> int:
        """Number of axes of a place in this signal: 2 with pixels, 1 with seconds, 3 with points."""
        if self.size_hw is not None:
            return 2
        return 1 if self.duration_s is not None else 3

    @property
    def noun(self) -> str:
        """What a person calls it, for messages: "a picture"."""
        return NOUNS.get(self.kind, f"a signal of kind {self.kind!r}")
