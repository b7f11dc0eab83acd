"""A full disk, a used-up quota or a limit on file sizes as one sentence: the output, what was needed, what is free.

Libraries tell it in many ways, or not at all ("disk I/O error", "System error"). So after an error whose reason is not
told, a little is written where the output would be: the system says what is the matter.
"""

import errno
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.filesize import decimal

from deixis.errors import DeixisError, OutputError

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EFBIG: "the file is larger than the system allows (ulimit -f, or a limit of the file system)",
}
WORDS = {
    "no space left on device": errno.ENOSPC,
    "disk is full": errno.ENOSPC,  # SQLite
    "disk quota exceeded": errno.EDQUOT,
    "file too large": errno.EFBIG,
}
"""What libraries write that pass no error number on, such as safetensors."""
PROBE_BYTES = 2**20
"""A library that needed less than this has filled the disk already."""


@contextmanager
def full_disk_named(target: Path, written: Path | None = None) -> Generator[None]:
    """Within it, an error that comes of a full disk is an OutputError about `target`; every other one passes through.

    written: the file or folder that is written for `target` and removed after an error, so that its room is free again;
    None where `target` itself is written, and stays.
    """
    try:
        yield
    except Exception as error:
        reason = full_disk(error)
        if reason is None and not isinstance(error, DeixisError):
            reason = _probed(written or target)
        if reason is None or isinstance(error, OutputError):
            raise
        raise OutputError(_sentence(target, written, reason)) from error


def full_disk(error: BaseException | None) -> str | None:
    """What is full, in words, where an error or one behind it says so; else None."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        text = str(error).lower()
        number = getattr(error, "errno", None) or next((code for word, code in WORDS.items() if word in text), None)
        if number in REASONS:
            return REASONS[number]
        error = error.__cause__ or error.__context__
    return None


def check_room(target: Path, needed_bytes: int, advice: str = "") -> None:
    """Raises OutputError where so many bytes do not fit beside `target`; advice: what would make it smaller."""
    free = shutil.disk_usage(target.parent).free
    if needed_bytes > free:
        raise OutputError(
            f"'{target}': expected {decimal(needed_bytes)} of free space to write it, got {decimal(free)}; free some, "
            f"or choose another place{advice}"
        )


def _probed(part: Path) -> str | None:
    """What is full, by writing a little beside a file, or into a folder, that was being written."""
    probe = part / ".probe" if part.is_dir() else part.with_name(f"{part.name}.probe")
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
    except OSError as error:
        return REASONS.get(error.errno or 0)
    finally:
        with suppress(OSError):
            probe.unlink()
    return None


def _sentence(target: Path, written: Path | None, reason: str) -> str:
    part = written or target
    files = [part, *part.rglob("*")] if part.is_dir() else [part]
    size = sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())
    # what is removed will be free again; a target that was written itself stays
    free = shutil.disk_usage(part.parent).free + (size if written is not None else 0)
    needed = free if reason == REASONS[errno.ENOSPC] else size
    return (
        f"'{target}': {reason}: expected room for more than {decimal(needed)}, got {decimal(free)} of free space; "
        "free some, or choose another place"
    )
