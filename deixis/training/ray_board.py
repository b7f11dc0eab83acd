"""What the workers of a Ray cluster tell the process that waits for them: how far they are, and what they failed of."""

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

READ_EVERY_S = 0.5


class Board:
    """The lines of the first worker that are not read yet, and the error for which no try is worth repeating."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._error: Exception | None = None

    def write(self, text: str) -> None:
        self._lines.append(text)

    def read(self) -> str:
        """What was written since the last call."""
        text = "".join(self._lines)
        self._lines.clear()
        return text

    def fail(self, error: Exception) -> None:
        """Of several workers, the first that fails knows why; the others miss it."""
        self._error = self._error or error

    def error(self) -> Exception | None:
        return self._error


class Lines(io.TextIOBase):
    """A stream whose text goes to a board, instead of stderr."""

    def __init__(self, board: Any):
        self._board = board

    def write(self, text: str) -> int:
        self._board.write.remote(text)
        return len(text)


@contextmanager
def board_shown() -> Generator[Any]:
    """A new board on this machine, whose lines are printed to stderr while the block runs."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here: Any = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    board: Any = ray.remote(num_cpus=0, scheduling_strategy=here)(Board).remote()
    over = Event()

    def show() -> None:
        end = "\n"
        with suppress(OSError, RayError):  # nobody reads, or the cluster ends
            while not over.is_set():
                over.wait(READ_EVERY_S)
                if text := ray.get(board.read.remote()):
                    end = text[-1]
                    sys.stderr.write(text)
            if end != "\n":  # of a bar
                sys.stderr.write("\n")

    reader = Thread(target=show, daemon=True)
    reader.start()
    try:
        yield board
    finally:
        over.set()
        reader.join()
        ray.kill(board)
