"""Depth maps: a 16-bit PNG, an NPY file or an array becomes metres, and metres become the network's three channels.

A map may carry the image it belongs to (`photo.png+depth.png`). Does not know the network: a `DepthSpec` says what
tensor it requires. Coordinates are the map's pixels, or its image's where it has one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, no_type_check

import numpy as np
from jaxtyping import Float32

from deixis.errors import InputError
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame
from deixis.options import Checked
from deixis.signals import pairs
from deixis.signals.files import PNG_MAGIC, TIFF_MAGICS
from deixis.signals.fit import MAX_8_BIT, Fit, square, square_frame, weighted_square
from deixis.signals.image_files import check_size, opened, upright
from deixis.signals.modality import Modality
from deixis.signals.npy_files import load_npy
from deixis.signals.signal import Signal, as_array, content_digest, is_array, is_narrow
from deixis.signals.tokenizer_options import FrameOptions

PNG_UNIT_M = 0.001
"""What one step of a PNG is, where nothing is said: millimetres, as PrimeSense, Kinect and RealSense write them."""
MAX_DEPTH_M = 10_000.0
"""Farther than any depth map reaches: the unit is wrong."""
BYTES_PER_PX = 24
"""What a map takes while it becomes metres, in double precision."""


@no_type_check
@dataclass(frozen=True)
class DepthSpec(Checked):
    """The depth map a network requires: a square as an `ImageSpec` says, of three channels made of metres.

    channels: "metric": nearness (1 at near_m, 0 at far_m, even in 1 / depth), depth (1 at far_m, even in metres), and
        whether there is a reading, so that networks can tell scale; or "grey": three equal channels of depth / far_m as
        8 bits, as OneLLM takes maps that were written as grey images (data/finetune_dataset.py@8587a47); a map opened
        from 8 bits with unit_m = far_m / 255 gives those pixels back exactly.
    paired: the image's square comes first: (2, 3, size_px, size_px), as OneLLM takes them.
    """

    size_px: int = 224
    channels: Literal["metric", "grey"] = "metric"
    near_m: float = 0.3
    far_m: float = 10.0
    paired: bool = False
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    fit: Fit = "letterbox"


@no_type_check
@dataclass(frozen=True)
class DepthOptions(FrameOptions, DepthSpec):
    """The preparation of depth maps, and how their patches become tokens (`FrameOptions`)."""


def open_file(path: Path, name: str, unit_m: float | None = None) -> Signal:
    """The depth in a grey PNG or TIFF of 16 bits (unit_m metres a step, a millimetre if not given), or an NPY file."""
    if path.suffix.lower() == ".npy":
        return open_value(load_npy(path, "a depth map"), name, str(path), unit_m)
    with opened(path, name) as image:
        turned = upright(image, name, BYTES_PER_PX)
        mode, grey = turned.mode, np.asarray(turned)
    if mode == "F":
        raise InputError(
            f"'{name}': expected a depth map of whole numbers (16 bits), got an image of floats, whose unit is not "
            "settled; save the metres as NPY."
        )
    if grey.ndim != 2 or mode == "P":
        raise InputError(
            f"'{name}': expected a depth map, one grey channel of 16 bits, got an image of mode {mode}; a coloured "
            "drawing of depth says no metres."
        )
    if mode in ("L", "1") and unit_m is None:
        raise InputError(
            f"'{name}': expected a depth map of 16 bits, got 8 bits, whose unit nothing says; give it as unit_m=, or "
            f"depth@0.05:{name} for 5 cm a step."
        )
    return _signal(grey, PNG_UNIT_M if unit_m is None else unit_m, name, str(path), {"source_mode": mode})


def open_value(value: Any, name: str, path: str | None = None, unit_m: float | None = None) -> Signal:
    """The depth in an array or tensor (height, width), in metres or steps of unit_m, or in (image, depth).

    0, NaN and infinity mean no reading.
    """
    if pairs.is_pair(value):
        return pairs.pair_in_memory(open_value, value, name, unit_m=unit_m)
    array = as_array(value, name)
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[0] if array.shape[0] == 1 else array[:, :, 0]
    if array.ndim != 2:
        raise InputError(f"'{name}': expected a depth map of shape (height, width), got {array.shape}.")
    if array.dtype.kind != "f" and unit_m is None:
        raise InputError(
            f"'{name}': expected metres as floats, got {array.dtype}, whose unit nothing says; give it as unit_m= "
            f"(0.001 for millimetres), or depth@0.001:{name}."
        )
    return _signal(array, 1.0 if unit_m is None else unit_m, name, path, {"source": "array"})


def open_pair(paths: tuple[Path, Path], name: str, unit_m: float | None = None) -> Signal:
    """The depth in the second file with the image in the first."""
    return pairs.pair_of_files(open_file, *paths, name, unit_m=unit_m)


def fits(value: Any) -> bool:
    """Whether a value in memory is a depth map: (image, depth); an array alone is taken for an image."""
    return pairs.is_pair(value) and is_array(value[1]) and len(value[1].shape) == 2 and not is_narrow(value[1])


def to_tensor(signal: Signal, spec: DepthSpec) -> tuple[Float32[np.ndarray, "..."], Frame]:
    """(3, size, size), or (2, 3, size, size) of image and map, and the frame that leads back to the pixels."""
    if spec.channels == "metric":
        values = weighted_square(metric_channels(signal.values, spec), (signal.values > 0).astype(np.float32), spec)
    else:
        grey = np.rint(np.clip(signal.values / np.float32(spec.far_m), 0, 1) * MAX_8_BIT).astype(np.uint8)
        values = square(np.repeat(grey[:, :, None], 3, axis=2), spec)
    if spec.paired:
        values = pairs.paired_values(signal, values, spec)
    return values, square_frame(signal.extent.size_hw, spec, "depth")


def metric_channels(
    depth_m: Float32[np.ndarray, "height width"], spec: DepthSpec
) -> Float32[np.ndarray, "height width 3"]:
    """Nearness, depth and whether there is a reading, each in [0, 1]; all 0 where there is none."""
    valid = depth_m > 0
    inverse = 1 / np.where(valid, depth_m, 1)
    nearness = (inverse - 1 / spec.far_m) / (1 / spec.near_m - 1 / spec.far_m)
    channels = np.stack([np.clip(nearness, 0, 1), np.clip(depth_m / spec.far_m, 0, 1), valid], axis=-1)
    return (channels * valid[..., None]).astype(np.float32)


def _signal(steps: np.ndarray, unit_m: float, name: str, path: str | None, info: dict[str, Any]) -> Signal:
    if not 0 < float(unit_m) < MAX_DEPTH_M:
        raise InputError(f"'{name}': expected unit_m, the metres of one step, above 0, got {unit_m:g}.")
    check_size(*steps.shape, name, BYTES_PER_PX)
    metres = steps * np.float64(unit_m)
    np.nan_to_num(metres, copy=False, nan=0.0, posinf=0.0, neginf=-1.0)
    low, high = float(metres.min()), float(metres.max())
    if low < 0 or high > MAX_DEPTH_M or high == 0:
        got = "no reading at all" if low == high == 0 else f"{low:g} to {high:g} m"
        raise InputError(
            f"'{name}': expected depths from 0 (no reading) to {MAX_DEPTH_M:g} m, got {got}; its unit "
            "or its modality is probably another."
        )
    values = metres.astype(np.float32)
    extent = Extent("depth", size_hw=values.shape)
    digest = content_digest("depth", values)
    return Signal("depth", values, extent, name, digest, path, {**info, "unit_m": float(unit_m)})


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    """Writes metres as PNG of 16 bits, a millimetre per step, 0 without a reading, as depth cameras do.

    Raises InputError for another array, and for depths beyond 16 bits.
    """
    from PIL import Image

    array = np.asarray(values)
    if array.dtype.kind != "f" or array.ndim != 2:
        raise InputError(f"expected depth as floats (height, width), in metres, got {array.dtype} {array.shape}")
    steps = np.rint(np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=np.inf) / PNG_UNIT_M)
    if steps.min() < 0 or steps.max() > np.iinfo(np.uint16).max:
        reach = np.iinfo(np.uint16).max * PNG_UNIT_M
        raise InputError(f"expected depth from 0 to {reach:g} m, got {array.min():g} to {array.max():g}")
    Image.fromarray(steps.astype(np.uint16)).save(path, format="PNG")


DEPTH = Modality(
    name="depth",
    noun="a depth map",
    axes="xy",
    values_form=("float32", (None, None)),
    suffixes=(),
    magics=(PNG_MAGIC, *TIFF_MAGICS),
    spec=DepthSpec,
    options=DepthOptions,
    open_file=open_file,
    open_value=open_value,
    fits=fits,
    to_tensor=to_tensor,
    tokenizers={"stem": "deixis.model.tokenizers.stems:ImageTokenizer"},
    parameter="unit_m",
    open_pair=open_pair,
    upsample="deixis.model.masks.pointing_head:Upsample2d",
    cells="deixis.model.masks.cells:PixelCells",
    panel="deixis.visualize.panels.image_panel:draw_depth",
    patches=True,
    folder="depth",
    file_suffix=".png",
    write=write,
    header="size",
)
