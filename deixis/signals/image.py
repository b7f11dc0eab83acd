"""Images: a file, a PIL image or an array becomes upright RGB pixels, and pixels become the network's square.

Knows EXIF orientation, alpha, grey, palettes, 16 bits and CMYK. Does not know the network: an `ImageSpec` says
which tensor it takes. Coordinates are pixels of the upright image, x to the right and y down; pixel i covers [i, i+1).
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
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
from deixis.signals.modality import Modality
from deixis.signals.signal import Signal, as_array, content_digest, is_array, is_narrow
from deixis.signals.tokenizer_options import FINE_STRIDE, check_stem

MIN_SIDE_PX = 2
"""An image of one pixel has nothing to point at."""
MAX_SIDE_PX = 19_999
MAX_PIXELS = 178_956_970
"""Pillow's own bound against decompression bombs (twice `PIL.Image.MAX_IMAGE_PIXELS`): half a GB decoded."""
PAPER = (255, 255, 255)
"""What shows through transparent pixels."""
CHANNELS = (1, 2, 3, 4)
"""Grey, grey with alpha, RGB, RGB with alpha."""
MAX_16_BIT = 65535
ORIENTATION = 0x0112
STORED_WIDTH, STORED_HEIGHT = 0x0100, 0x0101
TRANSPOSED = (5, 6, 7, 8)
"""EXIF orientations that turn an image by a quarter, so that height and width change places."""


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
    """The image in a file that Pillow reads, upright (first frame of an animation)."""
    with opened(path, name) as image:
        return _from_image(image, name, str(path))


def open_value(value: Any, name: str, path: str | None = None) -> Signal:
    """The image in a PIL image, or in an array or tensor (height, width[, channel]) or (channel, height, width).

    Integers are 0..255 (uint16: 0..65535), booleans black and white, floats 0..1; 1 to 4 channels.
    """
    if _is_image(value):
        with _quiet():
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


@contextmanager
def _quiet() -> Generator[None]:
    """Pillow warns of decompression bombs at half our bound, and of odd EXIF blocks: both are handled here."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def header_size_hw(file: Any, name: str) -> tuple[int, int]:
    """Height and width of the upright image in a path or an open file, from its header alone.

    Raises: InputError if it is no image.
    """
    with opened(file, name) as image:
        # Pillow gives the size of a turned TIFF upright already, of other formats as stored
        tags = getattr(image, "tag_v2", {})
        width, height = tags.get(STORED_WIDTH, image.width), tags.get(STORED_HEIGHT, image.height)
        try:
            is_turned = image.getexif().get(ORIENTATION) in TRANSPOSED
        except Exception:  # an EXIF block that cannot be parsed says nothing, as in `upright`
            is_turned = False
    return (width, height) if is_turned else (height, width)


@contextmanager
def opened(path: Any, name: str) -> Generator[Any]:
    """The lazily opened PIL image in a file (its path, or open): only its header has been read.

    Raises: InputError if it is none.
    """
    with _quiet(), _open(path, name) as image:
        yield image


def _open(path: Any, name: str) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path)
    except Image.DecompressionBombError as error:
        raise InputError(_size_sentence(name, "more than that")) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"'{name}': expected an image, got content that is none; the file is damaged or has a wrong ending."
        ) from error
    except Exception as error:  # parsers of damaged files raise anything: struct.error, KeyError, SyntaxError, ...
        raise InputError(_broken_sentence(name, error)) from error


def _from_image(image: Any, name: str, path: str | None) -> Signal:
    """The signal of an open PIL image; its size is checked before it is decoded."""
    info = {"source_mode": image.mode, "source_format": image.format}
    return _signal(_image_to_rgb(upright(image, name), name), name, path, info)


def upright(image: Any, name: str) -> Any:
    """An open PIL image decoded and turned as its EXIF block says; its size is checked before it is decoded.

    Raises: InputError for a size out of bounds and for what cannot be decoded.
    """
    from PIL import ImageOps

    check_size(image.height, image.width, name)
    try:
        image.load()
    except Exception as error:  # as in _open
        raise InputError(_broken_sentence(name, error)) from error
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # an EXIF block that cannot be parsed says nothing of the orientation
        return image


def _image_to_rgb(image: Any, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """RGB pixels of a PIL image of any mode."""
    from PIL import Image

    mode = image.mode
    if mode.startswith("I"):  # 16-bit grey, in a 32-bit container perhaps
        return _array_to_rgb(_as_16_bit(np.asarray(image), name), name)
    if mode == "F":
        return _array_to_rgb(np.asarray(image), name)
    if mode == "LAB":
        return _lab_to_rgb(image)
    if "transparency" in image.info or "A" in mode or "a" in mode:
        straight = image.convert("LA") if mode == "La" else image  # La has no direct way to RGBA
        paper = Image.new("RGBA", image.size, (*PAPER, MAX_8_BIT))
        image = Image.alpha_composite(paper, straight.convert("RGBA"))
    return np.array(image.convert("RGB"), dtype=np.uint8)


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
    check_size(array.shape[0], array.shape[1], name)
    array = to_8_bit(array, name)
    if array.shape[2] in (2, 4):
        alpha = array[:, :, -1:].astype(np.uint32)
        colour = array[:, :, :-1].astype(np.uint32)
        paper = np.uint32(PAPER[0])
        array = ((colour * alpha + paper * (MAX_8_BIT - alpha) + MAX_8_BIT // 2) // MAX_8_BIT).astype(np.uint8)
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


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


def check_size(height: int, width: int, name: str) -> None:
    """Raises: InputError for an image too small to point into, or too large."""
    small, large = min(height, width), max(height, width)
    if small < MIN_SIDE_PX or large > MAX_SIDE_PX or height * width > MAX_PIXELS:
        raise InputError(_size_sentence(name, f"{width} x {height} px"))


def _size_sentence(name: str, got: str) -> str:
    return (
        f"'{name}': expected an image of {MIN_SIDE_PX} to {MAX_SIDE_PX} px a side and at most "
        f"{MAX_PIXELS // 10**6} million px in all, got {got}; crop or resize it."
    )


def _broken_sentence(name: str, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:  # of the system, not of Pillow
        return f"'{name}': expected an image, but its file cannot be opened ({error.strerror})."
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f"'{name}': expected a whole image, but it cannot be decoded ({reason}); the file is probably cut short."


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
