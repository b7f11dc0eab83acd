"""A question on its way through the scheduler: its events for an asyncio consumer, and what it cost."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from deixis.inference import Answer, GenerationOptions, StreamEvent
from deixis.samples.sample import Sample


class Usage(NamedTuple):
    """Tokens of a question, its signals included, and of what was generated for it."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Job:
    """One question. Its events come by `async for`, in the event loop that submitted it.

    The iteration raises what the model raises, and ends early after `cancel`. Then, or after the last event, hold:

    Attributes:
        usage: tokens of the prompt and the answer.
        finish_reason: "stop" where the model ended its answer, "length" where it reached `max_new_tokens`, else None.
        first_token_s: seconds from submission to the first token, those in the queue included; None without one.
        seconds: from submission to the end.
    """

    def __init__(
        self,
        sample: Sample,
        options: GenerationOptions,
        deadline_s: float | None,
        stream: bool,
        wake: Callable[[], None],
    ):
        self.sample, self.options, self.deadline_s, self.stream = sample, options, deadline_s, stream
        self.usage = Usage()
        self.finish_reason: str | None = None
        self.first_token_s: float | None = None
        self.seconds: float | None = None
        self.is_cancelled = False
        self.submitted = time.perf_counter()
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[StreamEvent | Exception | None] = asyncio.Queue()  # None is the end

    def __aiter__(self) -> "Job":
        return self

    async def __anext__(self) -> StreamEvent:
        event = await self._events.get()
        if isinstance(event, StreamEvent):
            return event
        self._events.put_nowait(None)  # whoever iterates again is told again that there is nothing more
        if event is None:
            raise StopAsyncIteration
        raise event

    async def answer(self) -> Answer:
        """The answer, once it is whole; raises as the iteration does. Not after `cancel`, which leaves none."""
        async for event in self:
            if event.answer is not None:
                return event.answer
        raise AssertionError("the last event is the answer")

    def cancel(self) -> None:
        """Ends it before the next step of the model, or in the queue. From any thread, and more than once."""
        self.is_cancelled = True
        self._wake()

    @property
    def is_late(self) -> bool:
        return self.deadline_s is not None and time.perf_counter() - self.submitted > self.deadline_s

    def deliver(self, events: Sequence[StreamEvent | Exception | None]) -> None:
        """Hands events to the consumer's event loop, from the thread of the model."""
        if not events:
            return
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._put, events)

    def _put(self, events: Sequence[StreamEvent | Exception | None]) -> None:
        for event in events:
            self._events.put_nowait(event)
