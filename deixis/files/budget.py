"""One budget for what a file becomes in memory, asked before it is decoded: headers lie, and small files inflate.

A reader estimates from the header how many bytes decoding takes at its peak, working copies included, and asks. An
archive without such a header is unpacked up to the budget.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from deixis.errors import ConfigError, DeixisError, InputError, is_out_of_memory
from deixis.files.regular import open_regular

MAX_DECODED_MB = 1536
"""Megabytes (2^20 bytes) that decoding one file may take: three times an image of the largest size that is opened, ten
minutes of 8 channels at 96 kHz, or 20 million points; beside a model it still fits a laptop of 8 GB."""
VARIABLE = "DEIXIS_MAX_DECODED_MB"
"""The environment variable that sets another number."""
BLOCK_BYTES = 2**20
MB = 2**20


class BudgetError(InputError):
    """What would take more memory than the budget, or than there is: readers let it pass as it is."""


@runtime_checkable
class Readable(Protocol):
    """What gives bytes, at most so many at once."""

    def read(self, size: int, /) -> bytes: ...


def max_decoded_bytes() -> int:
    """Bytes that decoding one file may take. Raises ConfigError where the environment says what is no number."""
    text = os.environ.get(VARIABLE) or str(MAX_DECODED_MB)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        raise ConfigError(f"{VARIABLE}: expected a whole number of megabytes above 0, got {text[:40]!r}")
    return int(text) * MB


def check_decoded(name: str, needed_bytes: float, what: str) -> None:
    """Raises BudgetError where decoding a file would take more than the budget.

    name: of the file or field. needed_bytes: at the peak. what: what would be decoded, "13000 x 13000 px".
    """
    limit = max_decoded_bytes()
    if not needed_bytes <= limit:  # NaN is no size
        raise BudgetError(
            f"'{name}': expected what takes at most {limit / MB:.0f} MB of memory when decoded, got {what}, which "
            f"takes {needed_bytes / MB:.0f} MB; give less of it, or set {VARIABLE} higher if its header is right."
        )


def unpacked(stream: Readable, name: str, limit: int | None = None) -> bytearray:
    """All that a decompressing stream gives. Raises BudgetError once that is more than the limit or the budget."""
    limit = max_decoded_bytes() if limit is None else min(limit, max_decoded_bytes())
    content = bytearray()
    while block := stream.read(min(BLOCK_BYTES, limit + 1 - len(content))):
        content += block
        if len(content) > limit:
            raise BudgetError(
                f"'{name}': expected at most {limit / MB:.0f} MB once unpacked, got more; it is probably made to fill "
                f"the memory, else set {VARIABLE} higher."
            )
    return content


def read_whole(path: str | Path, name: str = "") -> bytes:
    """All that a regular file holds, within the budget. Raises InputError, and OSError where it cannot be opened.

    name: of the file in a sentence, its path by default.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        check_decoded(name or str(path), size, f"a file of {size} bytes")
        return stream.read(size)


@contextmanager
def within_memory(name: str) -> Generator[None]:
    """Memory that is exhausted within the block is one sentence, a BudgetError."""
    try:
        yield
    except DeixisError:  # may quote the words of a library that took a header for true
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise BudgetError(
            f"'{name}': expected what fits into the free memory of this machine when decoded, got more; give less "
            "of it, or close other programs."
        ) from error
