"""Whether a file that an output would replace is one of ours: a mark in it says so. A file of anyone else's is kept."""

from pathlib import Path

from deixis.errors import InputError
from deixis.files.regular import open_regular

MARK = "made with Deixis"
"""In the metadata of images and pages that are written."""
NEAR_BYTES = 4096
"""From either end of a file, where the mark lies."""


def check_own(path: str | Path, mark: str = MARK) -> None:
    """Raises InputError for a file that holds something and no mark near its beginning or end, or is none."""
    try:
        with open_regular(path) as stream:
            head = stream.read(NEAR_BYTES)
            stream.seek(max(0, stream.seek(0, 2) - NEAR_BYTES))
            tail = stream.read()
    except FileNotFoundError:
        return
    if head and mark.encode() not in head and mark.encode() not in tail:
        raise InputError(
            f"'{path}': expected no such file, or one that deixis wrote as such; got another, which would be lost; "
            "name another, or move it away"
        )
