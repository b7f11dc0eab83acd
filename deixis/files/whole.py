"""Files and folders that are whole or not there: written under another name beside the target, then renamed.

A target has one such name, `.NAME.part`, and a lock: what a killed process left there is replaced by the next that
writes the same target, and no process touches what another is writing. A full disk is one sentence.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from deixis.errors import InputError
from deixis.files.full_disk import full_disk_named
from deixis.files.locks import alone, lock_beside
from deixis.files.regular import check_regular

LEFTOVERS = (".*.part", ".*.lock")
"""Names of the files that a killed process may leave in a folder."""
WAIT_S = 600.0
"""For another process that writes the same file: processes share media, each of which takes seconds."""


@contextmanager
def whole_file(target: Path) -> Generator[Path]:
    """A path to write a file at, which becomes `target` at the end; an exception removes it and keeps an older file.

    Raises: OutputError for a full disk, or when another process writes it longer than `WAIT_S`; InputError for a target
    that is a device, pipe or folder.
    """
    part = _part(target)
    with alone(lock_beside(target), target, WAIT_S):
        if target.exists():
            check_regular(target)  # a device would be replaced
        part.unlink(missing_ok=True)
        try:
            with full_disk_named(target, part):
                yield part
                part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(out: Path, overwrite: bool = False) -> Generator[Path]:
    """An empty folder to write into, which becomes `out` at the end; an exception removes it and keeps an older `out`.

    Raises: InputError for an `out` that is there and not empty, without `overwrite`; OutputError for a full disk, or
    while another process writes it.
    """
    part, old = _part(out), out.with_name(f".{out.name}.old")
    out.parent.mkdir(parents=True, exist_ok=True)
    with alone(lock_beside(out), out):
        if old.exists() and not out.exists():  # killed between the two renames below
            old.rename(out)
        if not overwrite:
            check_free(out)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        try:
            with full_disk_named(out, part):
                part.mkdir()
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


def check_free(out: Path) -> None:
    """Raises InputError for an `out` that is there and no empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"'{out}': expected a folder that is not there yet, got one that is")


def remove_leftovers(folder: Path) -> None:
    """Removes the files that killed processes left in a folder and below, whose lock this process has."""
    for place, _, names in os.walk(folder):
        for name in names:
            if any(fnmatch(name, pattern) for pattern in LEFTOVERS):
                Path(place, name).unlink(missing_ok=True)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")
