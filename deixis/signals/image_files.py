"""Image files: which formats are opened, of which sizes, and how they are decoded upright.

Every file or content that Pillow opens is opened here, so that `FORMATS` holds everywhere: others start programs of
their own (EPS) or decode what nobody asks for. Does not know what the pixels mean.
"""

import re
import warnings
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from os import PathLike
from typing import Any

from deixis.errors import InputError, one_line
from deixis.files.budget import check_decoded
from deixis.files.regular import open_regular

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF")
"""Pillow's names of the formats that are opened; some of them only where Pillow was built for them."""
MIN_SIDE_PX = 2
"""An image of one pixel has nothing to point at."""
MAX_SIDE_PX = 19_999
MAX_PIXELS = 178_956_970
"""Pillow's own bound against decompression bombs (twice `PIL.Image.MAX_IMAGE_PIXELS`): half a GB decoded."""
BYTES_PER_PX, WIDE_BYTES_PER_PX = 8, 16
"""What decoding takes at its peak: of 8 bits Pillow's four bytes and three of ours; of more bits several copies."""
TURNED_BYTES_PER_PX = 12
DECODER_BYTES_PER_PX = {"JPEG2000": 24, "WEBP": 16, "AVIF": 16}
"""Formats whose decoders hold the whole image themselves, beside Pillow."""
ORIENTATION = 0x0112
STORED_WIDTH, STORED_HEIGHT = 0x0100, 0x0101
ORIENTATIONS, TRANSPOSED = (2, 3, 4, 5, 6, 7, 8), (5, 6, 7, 8)
"""EXIF orientations that turn an image, and those that do so by a quarter: height and width change places."""


@contextmanager
def opened(file: Any, name: str) -> Generator[Any]:
    """The lazily opened PIL image in a file (its path, or open): only its header has been read.

    Raises: InputError if it is none, of a format that is not opened, or no regular file.
    """
    with ExitStack() as stack:
        stack.enter_context(quiet())
        yield stack.enter_context(_open(file, name, stack))


@contextmanager
def quiet() -> Generator[None]:
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
        check_size(image.height, image.width, name)  # for Pillow decodes a PNG to look for its EXIF block
        return (width, height) if _orientation(image) in TRANSPOSED else (height, width)


def decode(image: Any, name: str, bytes_per_px: int = 0) -> None:
    """Decodes an open PIL image; its size is checked before. bytes_per_px: what the caller makes of it, if more.

    Raises: InputError for a size out of bounds and for what cannot be decoded.
    """
    own = WIDE_BYTES_PER_PX if image.mode.startswith(("I", "F")) else BYTES_PER_PX
    decoder = DECODER_BYTES_PER_PX.get(str(image.format), 0)
    check_size(image.height, image.width, name, max(own, decoder, bytes_per_px))
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # as in _open
        raise InputError(_broken_sentence(name, error)) from error


def upright(image: Any, name: str, bytes_per_px: int = 0) -> Any:
    """An open PIL image decoded, as `decode` does, and turned as its EXIF block says."""
    from PIL import ImageOps

    decode(image, name, bytes_per_px)
    if _orientation(image) not in ORIENTATIONS:
        return image
    check_size(image.height, image.width, name, TURNED_BYTES_PER_PX)
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # an EXIF block that cannot be parsed says nothing of the orientation
        return image


def check_size(height: int, width: int, name: str, bytes_per_px: int = BYTES_PER_PX) -> None:
    """Raises: InputError for an image too small to point into, or too large, or beyond the budget once decoded."""
    small, large = min(height, width), max(height, width)
    if small < MIN_SIDE_PX or large > MAX_SIDE_PX or height * width > MAX_PIXELS:
        raise InputError(_size_sentence(name, f"{width} x {height} px"))
    check_decoded(name, height * width * bytes_per_px, f"{width} x {height} px")


def _orientation(image: Any) -> Any:
    try:
        return image.getexif().get(ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # as in `upright`
        return None


def _open(file: Any, name: str, stack: ExitStack) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        stream = stack.enter_context(open_regular(file)) if isinstance(file, str | PathLike) else file
        Image.init()
        return Image.open(stream, formats=[name for name in FORMATS if name in Image.OPEN])
    except (InputError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        got = f"{int(pixels[0]) / 10**6:.0f} million px" if pixels else "more than that"
        raise InputError(_size_sentence(name, got)) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"'{name}': expected an image, got content that is none; the file is damaged or has a wrong ending."
        ) from error
    except Exception as error:  # parsers of damaged files raise anything: struct.error, KeyError, SyntaxError, ...
        raise InputError(_broken_sentence(name, error)) from error


def _size_sentence(name: str, got: str) -> str:
    return (
        f"'{name}': expected an image of {MIN_SIDE_PX} to {MAX_SIDE_PX} px a side and at most "
        f"{MAX_PIXELS // 10**6} million px in all, got {got}; crop or resize it."
    )


def _broken_sentence(name: str, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:  # of the system, not of Pillow
        return f"'{name}': expected an image, but its file cannot be opened ({error.strerror})."
    reason = one_line(error)
    return f"'{name}': expected a whole image, but it cannot be decoded ({reason}); the file is probably cut short."
