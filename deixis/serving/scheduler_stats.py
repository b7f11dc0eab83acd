"""What a scheduler has done and how fast, as plain numbers."""

import time
from collections import Counter, deque
from dataclasses import dataclass

OUTCOMES = ("stop", "length", "cancelled", "deadline", "error", "refused")
"""How a question ends. "refused": it was not accepted, because the queue was full."""
WINDOW_S = 10.0


@dataclass(frozen=True)
class SchedulerStats:
    """A snapshot. Counters count from the start of the process; seconds are sums, to be divided by their counters.

    Attributes:
        queue_length, active_rows: questions that wait, and that are being answered, now.
        requests: ended questions by outcome (`OUTCOMES`).
        prompt_tokens, generated_tokens: of the questions that joined a batch.
        first_tokens, first_token_s: questions that got a first token, and their seconds from submission to it.
        answers, answer_s: questions answered whole, and their seconds from submission to the end.
        busy_s: in which the model worked.
        tokens_per_second: generated in the last `WINDOW_S` seconds, per second.
    """

    queue_length: int
    active_rows: int
    requests: dict[str, int]
    prompt_tokens: int
    generated_tokens: int
    first_tokens: int
    first_token_s: float
    answers: int
    answer_s: float
    busy_s: float
    tokens_per_second: float


class Recorder:
    """Counts what a scheduler does. The scheduler holds its lock around every call."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.prompt_tokens = self.generated_tokens = self.first_tokens = self.answers = 0
        self.first_token_s = self.answer_s = self.busy_s = 0.0
        self._recent: deque[tuple[float, int]] = deque()  # (when, tokens) of each step

    def joined(self, prompt_tokens: int, first_token_s: float) -> None:
        """A question has joined the batch and has its first token."""
        self.prompt_tokens += prompt_tokens
        self.first_tokens += 1
        self.first_token_s += first_token_s
        self.generated(1)

    def generated(self, tokens: int) -> None:
        """The model has generated tokens; an end counts as one."""
        now = time.perf_counter()
        self.generated_tokens += tokens
        self._recent.append((now, tokens))
        self._forget(now)

    def ended(self, outcome: str, seconds: float) -> None:
        """A question has ended, `seconds` after it was submitted."""
        self.requests[outcome] += 1
        if outcome in ("stop", "length"):
            self.answers += 1
            self.answer_s += seconds

    def wait_s(self, count: int) -> float:
        """Seconds in which so many questions are answered, at the pace so far; at least 1."""
        return max(1.0, count * self.busy_s / self.answers) if self.answers else 1.0

    def snapshot(self, queue_length: int, active_rows: int) -> SchedulerStats:
        now = time.perf_counter()
        self._forget(now)
        rate = sum(tokens for _, tokens in self._recent) / WINDOW_S
        own = (self.prompt_tokens, self.generated_tokens, self.first_tokens, self.first_token_s)
        return SchedulerStats(
            queue_length, active_rows, dict(self.requests), *own, self.answers, self.answer_s, self.busy_s, rate
        )

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - WINDOW_S:
            self._recent.popleft()
