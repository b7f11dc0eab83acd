"""Checks that every file goes through before a library opens it: is it there, readable, and what its content says.

Does not know any modality: the marks of the modalities' formats come from their readers.
"""

from os import PathLike
from pathlib import Path

from deixis.errors import InputError
from deixis.files.regular import open_regular

Magic = tuple[int, bytes, str]
"""Offset of a mark in a file, the mark, and the name of the format that carries it."""
PNG_MAGIC: Magic = (0, b"\x89PNG", "a PNG image")
JPEG_MAGIC: Magic = (0, b"\xff\xd8\xff", "a JPEG image")
TIFF_MAGICS: tuple[Magic, ...] = ((0, b"II*\x00", "a TIFF image"), (0, b"MM\x00*", "a TIFF image"))
HEAD_BYTES = 512
"""How much of a file is read to see what it is; the longest mark ends well before."""

MAX_SHOWN = 300
"""Letters of a path that a sentence shows: a text that is none, such as base64, may be of any length."""

FIRST_MAGICS: tuple[Magic, ...] = ((4, b"ftyphei", "a HEIC photo (convert it to JPEG or PNG)"),)
"""Marks looked at before those of the readers, which would take such a file for a video."""
FOREIGN_MAGICS: tuple[Magic, ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer (run `git lfs pull` to get the file itself)"),
    (0, b"<!DOCTYPE", "a web page (the download probably failed)"),
    (0, b"<!doctype", "a web page (the download probably failed)"),
    (0, b"<html", "a web page (the download probably failed)"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"\x7fELF", "a program"),
)
"""Marks of files that no reader opens, for a sentence that says what came instead."""


def read_head(path: Path, expected: str) -> bytes:
    """The first bytes (at most 512) of an existing, readable, non-empty file.

    Raises: InputError for a missing or empty file, a folder, pipe or device, a web address, or a file that may not
    be read.
    """
    text = shown_path(path)
    if "://" in text or text.startswith(("http:/", "https:/")):
        raise InputError(f"'{text}': expected {expected} on this machine, got a web address; download the file first.")
    try:
        if path.is_dir():
            raise InputError(f"'{text}': expected {expected}, got a folder; name one file in it.")
        with open_regular(path) as stream:
            head = stream.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise InputError(
            f"'{text}': expected {expected}, but there is no such file; check the spelling and the folder."
        ) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"'{text}': expected {expected}, but the file cannot be read: {reason}.") from error
    if not head:
        raise InputError(
            f"'{text}': expected {expected}, got an empty file (0 bytes); it was probably never written to the end."
        )
    return head


def shown_path(path: str | PathLike[str]) -> str:
    """A path for a sentence; of a long text its beginning."""
    text = str(path)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def matches(head: bytes, magics: tuple[Magic, ...]) -> str | None:
    """The name of the format whose mark the head of a file carries, None when none of the marks fits."""
    return next((name for offset, mark, name in magics if head.startswith(mark, offset)), None)
