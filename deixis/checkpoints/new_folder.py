"""A folder that is whole or not there: written under another name beside it, renamed when all went well.

Where a run was killed, what it left is removed, or put back, by the next run for the same folder.
"""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from deixis.errors import InputError


@contextmanager
def new_folder(out: Path, overwrite: bool = False) -> Generator[Path]:
    """An empty folder to write into, which becomes `out` at the end; an exception removes it and keeps an older `out`.

    Raises InputError while another run writes the same folder.
    """
    part, old, lock = (out.with_name(f".{out.name}.{end}") for end in ("part", "old", "lock"))
    out.parent.mkdir(parents=True, exist_ok=True)
    with _alone(lock, out):
        if old.exists() and not out.exists():  # killed between the two renames below
            old.rename(out)
        if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"'{out}': expected a folder that is not there yet, got one that is")
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir()
        try:
            yield part
            if out.exists():
                out.rename(old)
            part.rename(out)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            if old.exists() and not out.exists():
                old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone(lock: Path, out: Path) -> Generator[None]:
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise InputError(f"'{out}': another run is writing this folder now; wait for it, or name another") from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is held: a run that comes later makes a file of its own
        held.release()
