"""Images: a file, a PIL image or an array becomes upright RGB pixels, and pixels become the network's square.

Knows EXIF orientation, alpha, grey, palettes, 16 bits and CMYK. Does not know the network: an `ImageSpec` says
which tensor it takes. Coordinates are pixels of the upright image, x to the right and y down; pixel i covers [i, i+1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, no_type_check

import numpy as np
from jaxtyping import Float32, UInt8

from deixis.errors import InputError
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame
from deixis.options import Checked, Count, Natural
from deixis.signals.files import JPEG_MAGIC, PNG_MAGIC, TIFF_MAGICS
from deixis.signals.fit import MAX_8_BIT, Fit, square, square_frame
from deixis.signals.image_files import check_size, opened, quiet, upright
from deixis.signals.modality import Modality
from deixis.signals.signal import Signal, as_array, content_digest, is_array, is_narrow
from deixis.signals.tokenizer_options import FINE_STRIDE, check_stem

PAPER = (255, 255, 255)
"""What shows through transparent pixels."""
CHANNELS = (1, 2, 3, 4)
"""Grey, grey with alpha, RGB, RGB with alpha."""
MAX_16_BIT = 65535
STRIP_PX = 2**22
"""How many pixels are converted at once: a copy of a large image would take as much again."""


@no_type_check
@dataclass(frozen=True)
class ImageSpec(Checked):
    """The image a network requires: a square of size_px, (value in [0, 1] - mean) / std for each of R, G, B.

    fit: how the image fills the square (`signals.fit`): "letterbox", "squash" (Ferret), "crop" (LISA, LLaVA),
    "crop_rounded" (OneLLM's evaluation).
    """

    size_px: int = 128
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    fit: Fit = "letterbox"


@no_type_check
@dataclass(frozen=True)
class ImageOptions(ImageSpec):
    """The preparation of images, and the options of their tokenizers.

    Attributes:
        tokenizer: "stem" (convolutions of its own) or "patch" (the vision model's patches).
        patch_px: pixels per token and side.
        early_dim: channels of the early feature map, of a quarter of the resolution; 0 for none.
        tiles: an image is cut into tiles x tiles encoder inputs beside a thumbnail; 1 for none.
    """

    tokenizer: Literal["stem", "patch"] = "stem"
    patch_px: Count = 16
    early_dim: Natural = 96
    tiles: Count = 1
    has_places = True  # patches have positions

    def __post_init__(self):
        super().__post_init__()
        if self.tokenizer == "stem":
            check_stem("patch_px", self.patch_px, self.size_px)

    @property
    def token_count(self) -> int:
        """Patches of all tiles, without the thumbnail's."""
        return (self.tiles * self.size_px // self.patch_px) ** 2

    @property
    def cell_count(self) -> int:
        """Cells of all tiles; 0 without an early feature map."""
        return (self.tiles * self.size_px // FINE_STRIDE) ** 2 if self.early_dim else 0


def open_file(path: Path, name: str) -> Signal:
    """The image in a file of one of the `image_files.FORMATS`, upright (first frame of an animation)."""
    with opened(path, name) as image:
        return _from_image(image, name, str(path))


def open_value(value: Any, name: str, path: str | None = None) -> Signal:
    """The image in a PIL image, or in an array or tensor (height, width[, channel]) or (channel, height, width).

    Integers are 0..255 (uint16: 0..65535), booleans black and white, floats 0..1; 1 to 4 channels.
    """
    if _is_image(value):
        with quiet():
            return _from_image(value, name, path)
    return _signal(_array_to_rgb(as_array(value, name), name), name, path, {"source": "array"})


def fits(value: Any) -> bool:
    """Whether a value in memory is an image: a PIL image, or an array of an image's shape and type."""
    if _is_image(value):
        return True
    if not is_array(value):
        return False
    shape = tuple(value.shape)
    if len(shape) == 3:
        return shape[2] in CHANNELS or shape[0] in CHANNELS
    # three or six columns of floats or wide integers are points, and two rows of them audio without its rate
    return len(shape) == 2 and (is_narrow(value) or (shape[1] not in (3, 6) and min(shape) > 2))


def to_tensor(signal: Signal, spec: ImageSpec) -> tuple[Float32[np.ndarray, "channel size size"], Frame]:
    """The image as the spec's square, and the frame that leads back to its pixels.

    Letterboxed, the aspect is kept and padding is 0, the mean colour. Reduced images are antialiased (Pillow's
    bicubic); an image that already has the size is not resampled.
    """
    return square(signal.values, spec), square_frame(signal.values.shape[:2], spec, "image")


def _from_image(image: Any, name: str, path: str | None) -> Signal:
    """The signal of an open PIL image; its size is checked before it is decoded."""
    info = {"source_mode": image.mode, "source_format": image.format}
    return _signal(_image_to_rgb(upright(image, name), name), name, path, info)


def _image_to_rgb(image: Any, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """RGB pixels of a PIL image of any mode."""
    mode = image.mode
    if mode.startswith("I"):  # 16-bit grey, in a 32-bit container perhaps
        return _array_to_rgb(_as_16_bit(np.asarray(image), name), name)
    if mode == "F":
        return _array_to_rgb(np.asarray(image), name)
    width, height = image.size
    rgb = np.empty((height, width, 3), dtype=np.uint8)
    for rows in _strips(height, width):
        rgb[rows] = _strip_to_rgb(image.crop((0, rows.start, width, rows.stop)))
    return rgb


def _strip_to_rgb(image: Any) -> UInt8[np.ndarray, "height width 3"]:
    """RGB pixels of some rows of 8 bits, as on paper where they are transparent."""
    from PIL import Image

    mode = image.mode
    if mode == "LAB":
        return _lab_to_rgb(image)
    if "transparency" in image.info or "A" in mode or "a" in mode:
        straight = image.convert("LA") if mode == "La" else image  # La has no direct way to RGBA
        paper = Image.new("RGBA", image.size, (*PAPER, MAX_8_BIT))
        image = Image.alpha_composite(paper, straight.convert("RGBA"))
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _lab_to_rgb(image: Any) -> UInt8[np.ndarray, "height width 3"]:
    from PIL import ImageCms

    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return np.array(ImageCms.profileToProfile(image, *profiles, outputMode="RGB"), dtype=np.uint8)


def _as_16_bit(grey: np.ndarray, name: str) -> np.ndarray:
    """Grey integers as uint16. Raises: InputError for values that do not fit 16 bits."""
    if grey.size and (grey.min() < 0 or grey.max() > MAX_16_BIT):
        raise InputError(
            f"'{name}': expected grey values of 16 bits (0..65535), got {grey.min()}..{grey.max()}; rescale the image."
        )
    return grey.astype(np.uint16)


def _array_to_rgb(array: np.ndarray, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """RGB pixels of an array of any accepted shape and type."""
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim == 3 and array.shape[2] not in CHANNELS and array.shape[0] in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in CHANNELS:
        raise InputError(
            f"'{name}': expected an image of shape (height, width), (height, width, 1 to 4) or "
            f"(1 to 4, height, width), got {array.shape}; give one image, not a batch."
        )
    height, width, channels = array.shape
    check_size(height, width, name)
    rgb = np.empty((height, width, 3), dtype=np.uint8)
    for rows in _strips(height, width):
        strip = to_8_bit(array[rows], name)
        if channels in (2, 4):
            alpha, colour = strip[:, :, -1:].astype(np.uint32), strip[:, :, :-1].astype(np.uint32)
            paper = np.uint32(PAPER[0])
            strip = (colour * alpha + paper * (MAX_8_BIT - alpha) + MAX_8_BIT // 2) // MAX_8_BIT
        rgb[rows] = strip  # of one channel, thrice
    return rgb


def _strips(height: int, width: int) -> Iterator[slice]:
    """Rows that are converted at once, from the top to the bottom."""
    step = max(1, STRIP_PX // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def to_8_bit(array: np.ndarray, name: str) -> np.ndarray:
    """uint8 of booleans, integers 0..255, uint16 0..65535 or floats 0..1."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(MAX_8_BIT)
    low, high = array.min(), array.max()
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) * MAX_8_BIT + MAX_16_BIT // 2) // MAX_16_BIT).astype(np.uint8)
    top = 1 if array.dtype.kind == "f" else MAX_8_BIT
    if not (low >= 0 and high <= top):  # false for NaN as well
        raise InputError(
            f"'{name}': expected {'floats from 0 to 1' if top == 1 else 'integers from 0 to 255'}, got values "
            f"from {low:g} to {high:g}; pass 8-bit pixels as integers, and undo any normalisation, or name its "
            "modality, depth, normal or fmri, as in fmri:FILE or modality='fmri'."
        )
    return np.rint(array * (MAX_8_BIT / top)).astype(np.uint8)


def _signal(rgb: np.ndarray, name: str, path: str | None, info: dict[str, Any]) -> Signal:
    extent = Extent(modality="image", size_hw=(int(rgb.shape[0]), int(rgb.shape[1])))
    return Signal("image", rgb, extent, name, content_digest("image", rgb), path, info)


def _is_image(value: Any) -> bool:
    return hasattr(value, "getbands") and hasattr(value, "getexif")


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    """Writes pixels, uint8 (height, width, 3), as PNG. Raises InputError for another array."""
    from PIL import Image

    array = np.asarray(values)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise InputError(f"expected an image as uint8 (height, width, 3), got {array.dtype} {array.shape}")
    Image.fromarray(array).save(path, format="PNG")


IMAGE = Modality(
    name="image",
    noun="an image",
    axes="xy",
    values_form=("uint8", (None, None, 3)),
    suffixes=(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif"),
    magics=(
        PNG_MAGIC,
        JPEG_MAGIC,
        *TIFF_MAGICS,
        (0, b"GIF8", "a GIF image"),
        (8, b"WEBP", "a WebP image"),
        (0, b"BM", "a BMP image"),
        (4, b"ftypavif", "an AVIF image"),
        (0, b"\x00\x00\x00\x0cjP", "a JPEG 2000 image"),
    ),
    spec=ImageSpec,
    options=ImageOptions,
    open_file=open_file,
    open_value=open_value,
    fits=fits,
    to_tensor=to_tensor,
    tokenizers={"stem": "deixis.model.tokenizers.stems:ImageTokenizer"},
    upsample="deixis.model.masks.pointing_head:Upsample2d",
    cells="deixis.model.masks.cells:PixelCells",
    panel="deixis.visualize.panels.image_panel:draw_image",
    patches=True,
    views="tiles",
    sam=True,
    folder="images",
    file_suffix=".png",
    write=write,
    header="size",
)
