"""Work in a thread that ends with it, so that one thread alone, the model's, computes in parallel.

OpenMP keeps a team of threads for each thread that has computed in parallel, as long as it lives. Once the teams
together have more threads than there are cores, GNU's libgomp lets waiting ones sleep at once instead of spinning, and
waking them up costs more than a small layer: an answer took up to half as long again (`benchmarks/serving.py`).
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def in_own_thread(work: Callable[[], Result]) -> Result:
    """What `work` gives or raises, done by a thread of its own while this one waits."""
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # raised by whoever waits
            done.set_exception(error)

    thread = threading.Thread(target=run, name="deixis-own", daemon=True)  # Ctrl-C does not wait for it
    thread.start()
    result = done.result()
    thread.join()
    return result
