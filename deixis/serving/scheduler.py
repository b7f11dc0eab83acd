"""The scheduler: questions of many clients in, batched through one model as they come, events out.

    submit --> queue --> render, encode --> batch (rows join between steps) --> AnswerStream --> events of the Job
     asyncio  |                      one thread, which owns the model                       |  asyncio

Nothing else may use the model's engine meanwhile. A question that fails ends alone, with its own error.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from deixis.inference import GenerationOptions, Model, StreamEvent
from deixis.inference.answer_stream import AnswerStream
from deixis.inference.classifier import Classifier
from deixis.inference.continuous_batch import ContinuousBatch
from deixis.inference.engine import Prompt
from deixis.inference.generation import GenerationRow
from deixis.samples.sample import Sample
from deixis.serving.job import Job, Usage
from deixis.serving.refusals import DeadlineExceeded, QueueFull, ShuttingDown
from deixis.serving.scheduler_stats import Recorder, SchedulerStats

JOINING = 8
"""Questions that join between two steps at most: rows that are generating wait for their prompts."""


@dataclass(eq=False)
class _Running:
    """A job whose row is in the batch."""

    job: Job
    row: GenerationRow
    stream: AnswerStream
    token_bound: int


class Scheduler:
    """Answers questions about open signals, as many at once as fit.

    Args:
        model: belongs to the scheduler's thread from now on.
        queue_size: questions that may wait.
        batch_rows: questions that are answered at once, at most.
        batch_tokens: tokens that their prompts and answers may have together, a bound on the KV cache; a question that
            may need more by itself is answered alone.
    """

    def __init__(self, model: Model, queue_size: int = 64, batch_rows: int = 16, batch_tokens: int = 16384):
        self.model, self.queue_size, self.batch_rows, self.batch_tokens = model, queue_size, batch_rows, batch_tokens
        self._queue: deque[Job] = deque()
        self._running: list[_Running] = []
        self._recorder = Recorder()
        self._open_jobs = 0  # accepted and not ended
        self._is_draining = self._is_closed = False
        self._changed = threading.Condition()  # guards everything above but what is running
        self._head: tuple[Job, Prompt] | None = None  # of the queue, rendered, for which there is no room yet
        self._batch: ContinuousBatch
        self._open_batch()
        self._thread = threading.Thread(target=self._run, name="deixis-model", daemon=True)
        self._thread.start()

    def submit(
        self, sample: Sample, options: GenerationOptions, deadline_s: float | None = None, stream: bool = True
    ) -> Job:
        """A job for a sample whose last answer is missing and whose signals are open; call it in an event loop.

        deadline_s: from now to the end of the answer; none where it is not given. stream: whether events are wanted as
        they come; if not, all come with the last one, for less work.
        Raises QueueFull, and ShuttingDown after `drain`. The job raises InputError and others as `Model.ask` does, and
        DeadlineExceeded.
        """
        job = Job(sample, options, deadline_s, stream, self._wake)
        with self._changed:
            if self._is_draining:
                raise ShuttingDown
            if len(self._queue) >= self.queue_size:
                self._recorder.ended("refused", 0.0)
                raise QueueFull(self.queue_size, self._recorder.wait_s(len(self._queue)))
            self._queue.append(job)
            self._open_jobs += 1
            self._changed.notify_all()
        return job

    def stats(self) -> SchedulerStats:
        """Numbers for metrics, from any thread."""
        with self._changed:
            return self._recorder.snapshot(len(self._queue), len(self._running))

    def drain(self, timeout_s: float | None = None) -> bool:
        """Accepts nothing more and waits for what was accepted; False where it did not end within `timeout_s`.

        It blocks: where jobs are read in an event loop, call it by `asyncio.to_thread`.
        """
        with self._changed:
            self._is_draining = True
            return self._changed.wait_for(lambda: not self._open_jobs, timeout_s)

    def close(self) -> None:
        """Ends the thread; what is not answered ends as if it were cancelled."""
        with self._changed:
            self._is_draining = self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # Everything below runs in the thread of the model.

    def _run(self) -> None:
        while self._has_work():
            began = time.perf_counter()
            try:
                self._remove_ended()
                if isinstance(self.model, Classifier):
                    self._classify()
                else:
                    self._admit()
                    self._step()
            except Exception as error:  # out of memory, or a bug: the batch may be half fed
                self._abandon(error)
            with self._changed:
                self._recorder.busy_s += time.perf_counter() - began
        for job in [*self._queue, *(own.job for own in self._running)]:
            self._end(job, "cancelled")
        self._running = []

    def _open_batch(self) -> None:
        if not isinstance(self.model, Classifier):  # which has no tokens to generate
            self._batch = self.model.engine.open_batch()

    def _has_work(self) -> bool:
        """Waits for work; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._running or self._is_closed)
            return not self._is_closed

    def _remove_ended(self) -> None:
        """Ends what was cancelled or is late, in the queue and in the batch."""
        with self._changed:
            waiting = [job for job in self._queue if job.is_cancelled or job.is_late]
            for job in waiting:
                self._queue.remove(job)
        leaving = [own for own in self._running if own.job.is_cancelled or own.job.is_late]
        self._running = [own for own in self._running if own not in leaving]
        for job in [*waiting, *(own.job for own in leaving)]:
            error = None if job.is_cancelled else DeadlineExceeded(job.deadline_s or 0.0)
            self._end(job, "deadline" if error else "cancelled", error=error)
        if leaving:
            self._batch.leave([own.row for own in leaving])

    def _admit(self) -> None:
        """Lets waiting questions join."""
        taken = self._take()
        # Signals of one modality go through the encoder together. Where that fails, each is encoded by `embed` below,
        # and one that cannot be encoded fails alone.
        with suppress(Exception):
            self.model.engine.encoder.encode([signal for _, prompt in taken for signal in prompt.signals])
        for job, prompt in taken:
            if (own := self._join(job, prompt)) is not None:
                self._running.append(own)
                self._publish([own])  # its first token does not wait for those who join behind it

    def _take(self) -> list[tuple[Job, Prompt]]:
        """The next questions of the queue for which there is room, rendered."""
        taken: list[tuple[Job, Prompt]] = []
        held = sum(own.token_bound for own in self._running)
        while len(taken) < min(JOINING, self.batch_rows - len(self._running)) and self._queue:
            job = self._queue[0]
            try:
                if self._head is None or self._head[0] is not job:
                    self._head = job, self.model.engine.render(job.sample)
                prompt = self._head[1]
            except Exception as error:
                self._pop()
                self._end(job, "error", error=error)
                continue
            held += _token_bound(job, prompt)
            if held > self.batch_tokens and (self._running or taken):
                break
            self._pop()
            taken.append((job, prompt))
        return taken

    def _pop(self) -> None:
        with self._changed:
            self._queue.popleft()
        self._head = None

    def _join(self, job: Job, prompt: Prompt) -> _Running | None:
        """The job in the batch, its first token chosen; None where it failed."""
        engine = self.model.engine
        try:
            (row,) = self._batch.join(engine.embed([prompt]), job.options)
            stream = AnswerStream(engine, self.model.name, job.sample, prompt.signals, row.state, job.submitted)
        except Exception as error:
            self._end(job, "error", error=error)
            return None
        job.first_token_s = time.perf_counter() - job.submitted
        job.usage = Usage(len(prompt))
        with self._changed:
            self._recorder.joined(len(prompt), job.first_token_s)
        return _Running(job, row, stream, _token_bound(job, prompt))

    def _step(self) -> None:
        """Generates a token for every question."""
        if self._running:
            self._batch.step()
            with self._changed:
                self._recorder.generated(len(self._running))
            self._publish([*self._running])

    def _publish(self, running: Sequence[_Running]) -> None:
        """Delivers the new events of these questions; those that are complete leave."""
        complete = []
        for own in running:
            job, state, error = own.job, own.row.state, None
            job.usage = Usage(job.usage.prompt_tokens, len(state.ids))
            try:
                if state.done:
                    events = list(own.stream.finish())
                else:
                    events = list(own.stream.settled()) if job.stream else []
            except Exception as failed:
                events, error = [], failed
            if not state.done and error is None:
                job.deliver(events)
                continue
            complete.append(own)
            self._running.remove(own)
            job.finish_reason = state.finish_reason if error is None else None
            self._end(job, job.finish_reason or "error", events, error)
        if complete:
            self._batch.leave([own.row for own in complete])

    def _classify(self) -> None:
        """Answers the next question of a classifier; no tokens."""
        with self._changed:
            job = self._queue.popleft() if self._queue else None
        if job is not None:
            try:
                events = list(self.model.stream_sample(job.sample, job.options))
                job.finish_reason = "stop"
                self._end(job, "stop", events)
            except Exception as error:
                self._end(job, "error", error=error)

    def _abandon(self, error: Exception) -> None:
        """Ends all questions of the batch with an error, and begins another batch."""
        running, self._running = self._running, []
        for own in running:
            self._end(own.job, "error", error=error)
        self._open_batch()

    def _end(self, job: Job, outcome: str, events: Sequence[StreamEvent] = (), error: Exception | None = None) -> None:
        """Delivers the last events of a job, or what it raises."""
        job.seconds = time.perf_counter() - job.submitted
        with self._changed:  # whoever has the last event finds it counted, and `drain` waits until it is delivered
            self._recorder.ended(outcome, job.seconds)
            job.deliver([*events, error])  # no error is the end
            self._open_jobs -= 1
            self._changed.notify_all()


def _token_bound(job: Job, prompt: Prompt) -> int:
    """Tokens of a question and of its longest possible answer."""
    return len(prompt) + job.options.max_new_tokens
