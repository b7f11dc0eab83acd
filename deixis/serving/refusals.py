"""Why the server does not answer a question that is sound."""

from deixis.errors import DeixisError


class QueueFull(DeixisError):
    """More requests are waiting than the queue holds; `retry_after_s` later there will be room."""

    def __init__(self, waiting: int, retry_after_s: float):
        super().__init__(
            f"the server: expected at most {waiting} requests to wait, got one more; ask again in {retry_after_s:.0f} s"
        )
        self.retry_after_s = retry_after_s


class ShuttingDown(DeixisError):
    """The server finishes what it has accepted, and accepts nothing more."""

    def __init__(self):
        super().__init__("the server: expected no more questions, for it is shutting down; ask again later")


class DeadlineExceeded(DeixisError):
    """An answer was not complete in its time."""

    def __init__(self, deadline_s: float):
        super().__init__(
            f"the answer: expected it within {deadline_s:g} s, got a part; ask for a shorter one (max_new_tokens), "
            "or again when the server has less to do"
        )
