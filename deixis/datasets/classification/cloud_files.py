"""The points that stand for an object in a file: of a mesh its surface, of everything else the points themselves.

A classifier has to see a shape, and the vertices of a mesh are not its shape: a table top is four of them. So this
differs from `deixis.signals`, where an index in an answer must be a vertex of the file. Does not know classes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from deixis.errors import DataError
from deixis.files.json_text import read_text
from deixis.signals import open_signal
from deixis.signals.mesh_files import SURFACES, read_surface

SURFACE_POINTS = 2048
"""Drawn from the surface of a mesh, as in the files of ModelNet40 that are trained on."""


def read_points(path: str | Path, count: int = SURFACE_POINTS) -> Float32[np.ndarray, "point 3"]:
    """x, y, z of the points in a file, in its own units and in no order: the first n of them are a fair sample.

    A mesh with faces (OFF, OBJ, STL, PLY, GLB) gives `count` points of its surface, spread evenly over its area; clouds
    (PLY, OBJ, NPZ, NPY, PCD, TXT, XYZ or PTS with x, y, z in the first three columns) give all of theirs. The
    same file gives the same points.

    Raises DataError for a file that holds no points or cannot be read.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    xyz = read_surface(path, count) if reader is None else reader(path)
    if xyz is None:
        xyz = open_signal(path, "point_cloud").extent.points_xyz
    if not np.isfinite(xyz).all():
        raise DataError(f"'{path.name}': expected finite coordinates, got NaN or infinity; remove those points")
    return np.random.default_rng(0).permutation(np.asarray(xyz, dtype=np.float32))


def in_unit_sphere(xyz: Float[np.ndarray, "point 3"]) -> Float32[np.ndarray, "point 3"]:
    """The points about their mean, the farthest at a distance of 1: as the public sets of objects are prepared."""
    centred = xyz.astype(np.float64) - xyz.mean(axis=0, dtype=np.float64)
    reach = np.sqrt((centred**2).sum(axis=1).max())
    return (centred / (reach if reach > 0 else 1.0)).astype(np.float32)


def _read_text(path: Path) -> np.ndarray:
    """Lines of numbers between commas or blanks; x, y, z are the first three."""
    lines = read_text(path, fallback="latin-1").splitlines()
    try:
        rows = [[float(word) for word in line.replace(",", " ").split()[:3]] for line in lines if line.strip()]
        xyz = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"'{path.name}': expected lines with x, y, z first, in numbers; {error}") from None
    if xyz.ndim != 2 or xyz.shape[1] != 3:
        raise DataError(f"'{path.name}': expected lines with x, y, z first, got {xyz.shape} numbers")
    return xyz


READERS: Mapping[str, Callable[[Path], np.ndarray]] = dict.fromkeys((".txt", ".xyz", ".pts"), _read_text)
SUFFIXES = (*SURFACES, ".pcd", ".npy", ".npz", *READERS)
