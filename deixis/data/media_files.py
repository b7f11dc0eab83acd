"""Files of signals that are made rather than found: motion traces, depth maps and brain responses, from arrays.

Each is written in a form that `deixis.signals` opens again to the same numbers. It knows no sample and no id.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

TRACE_AXES = 6
STEPS_PER_M = 1_000
"""Of a depth map's file: millimetres, as `deixis.signals.depth` takes them."""
MAX_STEP = 2**16 - 1


def write_trace(values: Shaped[np.ndarray, "..."], path: Path) -> None:
    """An NPY file of a motion trace (rows, 6), single precision. Raises ValueError for another shape or no floats."""
    if values.dtype.kind != "f" or values.ndim != 2 or values.shape[1] != TRACE_AXES:
        raise ValueError(f"expected a motion trace as floats (rows, {TRACE_AXES}), got {values.dtype} {values.shape}")
    _write_npy(values.astype(np.float32), path)


def write_brain(values: Shaped[np.ndarray, "..."], path: Path) -> None:
    """An NPY file of a brain response (voxels,), single precision. Raises ValueError for another shape or no floats."""
    if values.dtype.kind != "f" or values.ndim != 1:
        raise ValueError(f"expected a brain response as floats (voxels,), got {values.dtype} {values.shape}")
    _write_npy(values.astype(np.float32), path)


def write_depth(values: Shaped[np.ndarray, "..."], path: Path) -> None:
    """A PNG of 16 bits, in millimetres, of a depth map (height, width) in metres; 0 stays "no reading".

    Raises ValueError for another shape, no floats, and depths that the file cannot hold.
    """
    if values.dtype.kind != "f" or values.ndim != 2:
        raise ValueError(
            f"expected a depth map as floats (height, width), in metres, got {values.dtype} {values.shape}"
        )
    steps: Any = np.rint(values.astype(np.float64) * STEPS_PER_M)
    if not ((steps >= 0) & (steps <= MAX_STEP)).all():  # false for NaN too
        raise ValueError(f"expected depths from 0 to {MAX_STEP / STEPS_PER_M:g} m, got others")
    from PIL import Image

    Image.fromarray(steps.astype(np.uint16)).save(path, format="PNG")


def _write_npy(values: Shaped[np.ndarray, "..."], path: Path) -> None:
    with path.open("wb") as file:  # np.save would add an ending to a path
        np.save(file, values, allow_pickle=False)
