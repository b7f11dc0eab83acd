"""One process at a time writes an output: a lock file, which the system lets go when its process ends, however it ends.

It holds among processes of one machine, and of several where their file system passes locks on. The file holds the
process's number, for the sentence that another one gives, and goes with the lock.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from deixis.errors import OutputError

LOCK = ".lock"
"""In a folder."""


def lock_beside(target: Path) -> Path:
    """The lock file of an output that may not be there yet: hidden, in the same folder."""
    return target.with_name(f".{target.name}.lock")


@contextmanager
def claimed(lock: Path, wait_s: float = 0) -> Generator[bool]:
    """Whether this process has the lock file while the block runs; another one is waited for up to `wait_s` seconds.

    Raises: OSError for a folder that is missing or cannot be written.
    """
    held = FileLock(lock)
    try:
        held.acquire(timeout=wait_s)
    except Timeout:
        yield False
        return
    try:
        with suppress(OSError):  # Windows lets nobody write a locked file; or the disk is full
            lock.write_text(str(os.getpid()), encoding="ascii")
        yield True
    finally:
        with suppress(OSError):
            lock.unlink()  # while it is held: who waits for it sees that it is gone, and makes another
        held.release()


@contextmanager
def alone(lock: Path, target: Path, wait_s: float = 0) -> Generator[None]:
    """Holds the lock file of `target` while the block runs.

    Raises: OutputError when another process still has it after `wait_s` seconds, naming that where it is known.
    """
    with claimed(lock, wait_s) as mine:
        if not mine:
            raise OutputError(
                f"'{target}': expected an output that nothing else writes, but {_holder(lock)} is writing it now; wait "
                "for it, or choose another place"
            )
        yield


@contextmanager
def alone_in(folder: Path) -> Generator[None]:
    """Holds a folder, which is made where it is missing, and goes again where it stays empty. Raises as `alone`."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with alone(folder / LOCK, folder):
            yield
    finally:
        if is_new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _holder(lock: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):  # Windows lets nobody read a locked file
        number = lock.read_text(encoding="ascii").strip()
        return f"process {number}" if number.isdigit() else "another process"
    return "another process"
