"""Opens regular files only: a pipe or a device would block the reader, or feed it without end."""

import io
import os
import stat
from pathlib import Path

from deixis.errors import InputError

SHOWN_LENGTH = 200
"""Of a name."""
TYPES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class _Reader(io.BufferedReader):
    """Takes memory for what the file holds, where a header announces more: Python would take it before it reads."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        return super().read(size)


def open_regular(path: str | Path) -> io.BufferedReader:
    """The file at `path`, open for reading bytes; links are followed. No read takes more memory than the file is long.

    Raises: InputError when it is a pipe, device, socket or folder, or no name of a file at all; OSError when it cannot
    be opened, as `open` does.
    """
    _check_name(path)
    # without O_NONBLOCK the opening of a pipe waits for its writer; for a regular file it changes nothing
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check_mode(os.fstat(descriptor).st_mode, path)
        return _Reader(io.FileIO(descriptor, "rb"))
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: str | Path) -> None:
    """Raises as `open_regular`, for a library that opens the path itself; nothing is opened."""
    _check_name(path)
    _check_mode(os.stat(path).st_mode, path)


def _check_name(path: str | Path) -> None:
    """Names from JSON may hold what no system takes; the system would raise a plain ValueError."""
    if "\0" in str(path):
        raise InputError(f"{str(path)[:SHOWN_LENGTH]!a}: expected the path of a file, got a null character in it")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        shown = ascii(str(path)[:SHOWN_LENGTH])
        raise InputError(f"{shown}: expected the path of a file, got a lone surrogate, which is no text") from None


def _check_mode(mode: int, path: str | Path) -> None:
    if not stat.S_ISREG(mode):
        found = TYPES.get(stat.S_IFMT(mode), "something else")
        advice = "name a file in it" if stat.S_ISDIR(mode) else "copy what it gives into a file first"
        raise InputError(f"'{path}': expected a regular file, got {found}; {advice}.")
