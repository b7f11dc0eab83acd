"""One load at a time: what transformers changes for all threads while it builds a network and reads its weights.

For the length of a load transformers replaces functions of PyTorch and of its own classes, and PyTorch's default type,
and then puts back what it found. Two loads at once would put back each other's replacements, and no later load of the
process would be whole. Every load and every construction of a network stands under this lock.
"""

from collections.abc import Generator
from contextlib import contextmanager
from threading import RLock

from transformers.utils import logging

_LOADING = RLock()


@contextmanager
def one_load() -> Generator[None]:
    """While the block runs, no other thread builds or reads a network; a thread may enter it again inside."""
    with _LOADING:
        yield


@contextmanager
def quiet_load() -> Generator[None]:
    """As `one_load`, without transformers' progress bars and tables of keys: errors name what matters in them."""
    with _LOADING:
        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()
