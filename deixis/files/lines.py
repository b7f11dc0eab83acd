"""Lines of files, however long they are: a line that is too long is passed over in pieces, not read as a whole."""

from collections.abc import Callable, Iterator
from typing import AnyStr

_PIECE_LENGTH = 2**20  # of the rest of a line that is too long


def bounded_lines(readline: Callable[[int], AnyStr], limit: int) -> Iterator[tuple[AnyStr, int]]:
    """(line with its end, its length) of every line from where an open file is, in its bytes or letters.

    readline: the file's own. A line longer than `limit` is cut there; its length tells.
    """
    while piece := readline(limit):
        line, length = piece, len(piece)
        while piece[-1:] not in (b"\n", "\n") and (piece := readline(_PIECE_LENGTH)):
            length += len(piece)
        yield line, length
